"""The files that a browser asks for, by their names: ours, and those of installed packages.

Packages that carry a library of JavaScript are never imported: their code is for other frameworks.
"""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

STATIC = Path(__file__).with_name("static")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
PATH = "/web/assets"
UPLOT = "metaflow_extensions/card_uplot/plugins/cards/uplot/uplot"
OF_PACKAGES = {
    "uplot.js": ("metaflow-card-uplot", f"{UPLOT}/uPlot.iife.min.js"),
    "uplot.css": ("metaflow-card-uplot", f"{UPLOT}/uPlot.min.css"),
    "swagger-ui.js": ("fastapi-offline", "fastapi_offline/static/swagger-ui-bundle.js"),
    "swagger-ui.css": ("fastapi-offline", "fastapi_offline/static/swagger-ui.css"),
}
"""Name here -> distribution that carries it (extra `live`), and the path in it."""
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


def asset_paths() -> dict[str, Path]:
    """Name -> file; the files of a package that is not installed are left out."""
    ours = {path.name: path for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES}
    return ours | {
        name: path
        for name, (package, file) in OF_PACKAGES.items()
        if (path := _installed(package, file)) is not None
    }


def _installed(package: str, file: str) -> Path | None:
    try:
        path = Path(str(distribution(package).locate_file(file)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def asset_routes() -> APIRouter:
    """One route for all of them: a name that is not among them is no path at all."""
    router, paths = APIRouter(include_in_schema=False), asset_paths()

    @router.get(f"{PATH}/{{name}}")
    async def asset(name: str) -> FileResponse:
        path = paths.get(name)
        if path is None:
            package, _ = OF_PACKAGES.get(name, (None, None))
            hint = f"; install {package} (extra `live`)" if package else ""
            raise HTTPException(404, f"no such asset{hint}")
        return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=HEADERS)

    return router
