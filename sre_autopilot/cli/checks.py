"""What `sre-autopilot doctor` checks: facts of a machine in, verdicts out. Pure; reads nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sre_autopilot.cli.machine import Machine
from sre_autopilot.distribution import DISTRIBUTION, extra_command
from sre_autopilot.world.stack import METRICS_PORT, SERVER_PORT

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
CORES, MEMORY_MB, TEMP_MB, LEAST_TEMP_MB = 2.0, 1024, 1024, 50
"""For one mesh of processes beside its server (`sre-autopilot bench` measures both)."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOCAL_NAMES = ("localhost", "127.0.0.1")
IN_SIMULATOR = "play in the simulator instead: --backend simulator"


class Status(StrEnum):
    """`fail`: nothing runs. `warn`: a part does not, or not well. `ok`: neither."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict. `advice` says what to do where the status is not ok."""

    name: str
    status: Status
    fact: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        return {
            "name": self.name,
            "status": self.status,
            "fact": self.fact,
            "advice": self.advice,
        }


def checks(machine: Machine) -> list[Check]:
    """All verdicts, in the order in which they are shown."""
    return [check for judge in _JUDGES for check in judge(machine)]


def _check(name: str, is_ok: bool, fact: str, advice: str, *, bad: Status = Status.WARN) -> Check:
    return Check(name, Status.OK, fact) if is_ok else Check(name, bad, fact, advice)


def python_version(machine: Machine) -> Iterator[Check]:
    fact = "{}.{}".format(*machine.python)
    oldest, newest = ("{}.{}".format(*version) for version in (OLDEST_PYTHON, NEWEST_PYTHON))
    if machine.python < OLDEST_PYTHON:
        yield Check("Python", Status.FAIL, fact, f"install Python {oldest} or newer")
    else:
        yield _check("Python", machine.python <= NEWEST_PYTHON, fact, f"tested up to {newest}")


def system(machine: Machine) -> Iterator[Check]:
    runs_processes = machine.has_proc and machine.has_prctl
    missing = [
        name for name, exists in (("/proc", machine.has_proc), ("prctl", machine.has_prctl))
        if not exists
    ]  # fmt: skip
    fact = machine.system + (f" without {' and '.join(missing)}" if missing else "")
    yield _check("system", runs_processes, fact, f"processes need Linux; {IN_SIMULATOR}")


def cores(machine: Machine) -> Iterator[Check]:
    yield _check(
        "cores",
        machine.cores >= CORES,
        f"{machine.cores:g}",
        f"services get late on fewer than {CORES:g}; {IN_SIMULATOR}",
    )


def sessions(machine: Machine) -> Iterator[Check]:
    """How many the server takes where SRE_MAX_SESSIONS is not set."""
    yield Check(
        "sessions",
        Status.OK,
        f"{machine.meshes} meshes at once, of {machine.mesh_cores:.2f} cores each",
    )


def memory(machine: Machine) -> Iterator[Check]:
    if machine.memory_mb is None:
        yield Check("memory", Status.WARN, "unknown", f"one mesh needs {MEMORY_MB} MiB")
    else:
        yield _check(
            "memory",
            machine.memory_mb >= MEMORY_MB,
            f"{machine.memory_mb:,.0f} MiB available",
            f"one mesh and its server need {MEMORY_MB} MiB; {IN_SIMULATOR}",
        )


def temp_folder(machine: Machine) -> Iterator[Check]:
    enough = machine.temp_free_mb >= LEAST_TEMP_MB
    yield _check(
        "temp folder",
        machine.temp_free_mb >= TEMP_MB,
        f"{machine.temp_free_mb:,.0f} MiB free in {machine.temp_folder}",
        f"make room, or name another folder in TMPDIR ({TEMP_MB} MiB free are enough)",
        bad=Status.WARN if enough else Status.FAIL,
    )


def ports(machine: Machine) -> Iterator[Check]:
    for name, port, advice in (
        ("server port", SERVER_PORT, "end what listens there, or: sre-autopilot serve --port N"),
        ("metrics port", METRICS_PORT, "SRE_METRICS_PORT=0 takes a free one"),
    ):
        taken = port in machine.taken_ports
        yield _check(name, not taken, f"{port} is {'taken' if taken else 'free'}", advice)


def packages(machine: Machine) -> Iterator[Check]:
    """Requirements of the distribution against what is installed, the base first."""
    from packaging.requirements import Requirement

    if machine.requirements is None:
        advice = "in a checkout: make setup; else: pip install " + DISTRIBUTION
        yield Check("packages", Status.WARN, f"{DISTRIBUTION} is not installed", advice)
        return
    required = [Requirement(text) for text in machine.requirements]
    base = [r for r in required if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = [text for r in base for text in [_mismatch(r, machine)] if text]
    fact = "; ".join(wrong) or "as required"
    yield _check("packages", not wrong, fact, extra_command("all"), bad=Status.FAIL)
    extras = [r for r in required if r not in base and r.name != DISTRIBUTION]
    present = [r for r in extras if r.name in machine.versions]
    wrong = [text for r in present for text in [_mismatch(r, machine)] if text]
    absent = sorted({r.name for r in extras} - {r.name for r in present})
    fact = "; ".join(wrong) or (
        f"not installed: {', '.join(absent)}" if absent else "all installed"
    )
    yield _check("extras", not wrong, fact, extra_command("all"))


def _mismatch(requirement: "Requirement", machine: Machine) -> str:
    """What is wrong with the package; empty where nothing is."""
    version = machine.versions.get(_normalized(requirement.name))
    if version is None:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} {version} is not {requirement.specifier}"
    return ""


def numba(machine: Machine) -> Iterator[Check]:
    install = f"NumPy steps the simulator, slower: {extra_command('sim')}"
    yield _check(
        "Numba", machine.has_numba, "installed" if machine.has_numba else "not installed", install
    )
    if not machine.has_numba:
        return
    folder = machine.cache_folder
    if not machine.cache_is_writable:
        advice = "each process compiles for some 10 s; name a folder in XDG_CACHE_HOME"
        fact = "no home directory" if folder is None else f"{folder} cannot be written"
        yield Check("compiled code", Status.WARN, fact, advice)
    elif machine.cache_is_warm:
        yield Check("compiled code", Status.OK, f"kept in {folder}")
    else:
        yield Check("compiled code", Status.OK, f"none yet in {folder}: the first use takes 10 s")


def containers(machine: Machine) -> Iterator[Check]:
    only = "only containers need it"
    yield _check(
        "Docker engine",
        machine.docker is not None,
        machine.docker or machine.docker_problem,
        f"start it (in a checkout: make engine); {only}",
    )
    yield _check(
        "Docker Compose",
        machine.compose is not None,
        machine.compose or "no answer",
        f"install the compose plugin; {only}",
    )


def proxies(machine: Machine) -> Iterator[Check]:
    """A proxy between an agent and a server on this machine answers in the server's place."""
    upper = {name.upper(): value for name, value in machine.environ.items() if value}
    chosen = [name for name in PROXIES if name in upper]
    exempt = upper.get("NO_PROXY", "")
    is_exempt = "*" in exempt or all(name in exempt for name in LOCAL_NAMES)
    yield _check(
        "proxies",
        not chosen or is_exempt,
        ", ".join(chosen) + " set" if chosen else "none set",
        f"export NO_PROXY={','.join(LOCAL_NAMES)}, else calls to a local server go there",
    )


def _normalized(name: str) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name))


_JUDGES: tuple[Callable[[Machine], Iterator[Check]], ...] = (
    python_version,
    packages,
    system,
    cores,
    sessions,
    memory,
    temp_folder,
    ports,
    numba,
    containers,
    proxies,
)
