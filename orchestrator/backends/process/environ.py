"""The variables that the processes of a mesh get: those they need, none other of the host's."""

from collections.abc import Mapping

KEPT = frozenset(
    {
        # Python and its libraries are found, and temporary files lie, where the host wants them.
        "LD_LIBRARY_PATH",
        "PATH",
        "PYTHONHOME",
        "PYTHONPATH",
        "TMPDIR",
        # The copy of all spans for people goes to their collector.
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
    }
)
FIXED = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}


def mesh_environ(host: Mapping[str, str]) -> dict[str, str]:
    """What a mesh's processes see of the environment `host`.

    A sampler, a propagator, a proxy, a locale or a debug switch of the host would change the spans
    or the speed of the mesh, and with them the score.
    """
    return {name: value for name, value in host.items() if name in KEPT} | FIXED
