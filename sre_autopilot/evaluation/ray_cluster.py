"""Episodes on the hosts of a Ray cluster: each host says how many meshes it carries.

A host offers the resource `mesh` (`ray start --resources='{"mesh": 2}'`), and an episode takes one
of it. Ray plays an episode again on another host when its own is gone.
"""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import ray

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.settings import Settings
from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.results import Result
from sre_autopilot.evaluation.run import Job, Meshes

MESH = "mesh"
"""The resource of a host: episodes that it plays at once."""
MOST_RETRIES = 3
"""Of an episode whose host or process has gone."""
FIELD = "ray"


class RayHosts:
    """Where `run` plays, in place of local meshes.

    width: episodes that all hosts together play at once.
    """

    def __init__(self, address: str, settings: Settings, record_dir: Path) -> None:
        """address: of the cluster's head, or `auto` on one of its hosts.
        settings: of all hosts, whatever their own variables say.
        record_dir: the records are kept here.

        Raises InvalidValue where there is no cluster, or none of its hosts offers a mesh.
        """
        try:
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            valid = f"auto, or host:port of a Ray cluster's head ({error})"
            raise InvalidValue(FIELD, address, valid) from error
        self.width = int(ray.cluster_resources().get(MESH, 0))
        if self.width < 1:
            self.close()
            valid = f"a cluster of hosts started with --resources='{{\"{MESH}\": 1}}'"
            raise InvalidValue(FIELD, address, valid)
        self._settings, self._record_dir = settings, record_dir
        options = {"num_cpus": 0, "resources": {MESH: 1}, "max_retries": MOST_RETRIES}
        self._remote = ray.remote(**options)(play_job)

    def play(self, job: Job) -> Result:
        """Plays one episode on whichever host is free; called by several threads at once.

        Raises what it raised there, or what became of its host on the last try.
        """
        played: tuple[Result, Mapping[str, str]] = ray.get(self._remote.remote(self._settings, job))
        result, records = played
        self._record_dir.mkdir(parents=True, exist_ok=True)
        for name, text in records.items():
            (self._record_dir / name).write_text(text, encoding="ascii")
        return result

    def close(self) -> None:
        """Leaves the cluster, which goes on."""
        ray.shutdown()


def play_job(settings: Settings, job: Job) -> tuple[Result, Mapping[str, str]]:
    """One episode on a mesh of this host: its result, and its records by the names of their files.

    Raises UnknownName for what this host does not know, and what playing raised.
    """
    with tempfile.TemporaryDirectory() as folder:
        meshes = Meshes(make_backend(settings), Path(folder), drawing(settings.fault))
        try:
            result = meshes.play(job)
        finally:
            meshes.close()
        files = sorted(Path(folder).glob("*.jsonl"))
        return result, {file.name: file.read_text(encoding="ascii") for file in files}
