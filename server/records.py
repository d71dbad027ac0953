"""The server's records over HTTP: a list, and each as the file that it is. Decides no right but
that of reading: records hold the truth, so that they are for whom `/state` shows it to.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from orchestrator.settings import Settings
from server.record_folder import SUFFIX, RecordFolder, RecordPage
from server.routes import require_token
from server.schemas import Problem

DEFAULT_PAGE, MOST_ON_A_PAGE = 50, 200
MEDIA_TYPE = "application/x-ndjson"
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 422, 503)
}


def record_routes(settings: Settings) -> APIRouter:
    """/records and /records/{record_id}; a record that is still written is in neither."""

    def trusted(authorization: Annotated[str | None, Header()] = None) -> None:
        require_token(settings, authorization)

    router = APIRouter(tags=["Records"], responses=ERRORS, dependencies=[Depends(trusted)])
    folder = RecordFolder(settings.record_dir)

    # Both read files: FastAPI runs what is not async in a thread, beside the sessions' loop.
    @router.get("/records", summary="Records of episodes that are over, the newest first")
    def records(
        offset: Annotated[int, Query(ge=0, description="newer files to pass over")] = 0,
        limit: Annotated[
            int, Query(ge=1, le=MOST_ON_A_PAGE, description="files of a page")
        ] = DEFAULT_PAGE,
    ) -> RecordPage:
        """A page may hold fewer than `limit`: files that are no records are left out."""
        return folder.page(offset, limit)

    @router.get(
        "/records/{record_id}",
        summary="A record, as JSON lines",
        response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {}}}},
    )
    def record(
        record_id: Annotated[str, Path(description="as `/records` lists it")],
    ) -> Response:
        disposition = f'attachment; filename="{record_id}{SUFFIX}"'
        return Response(
            folder.read(record_id),
            media_type=MEDIA_TYPE,
            headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
        )

    return router
