"""What standard output must look like, as a reader of it would parse it."""

import re
from dataclasses import dataclass

START = re.compile(r"\[START\] task=(\S+) env=(\S+) model=(\S+)")
STEP = re.compile(
    r"\[STEP\] step=(\d+) action=(\w+\(\w*\)) reward=(\d\.\d\d) done=(true|false) error=(\S.*)"
)
END = re.compile(
    r"\[END\] success=(true|false) steps=(\d+) score=(\d\.\d{3}) rewards=((?:\d\.\d\d(?:,|$))*)"
)


@dataclass
class Played:
    """One tier as its lines describe it."""

    tier: str
    player: str
    actions: list[str]
    errors: list[str]
    success: bool
    score: float
    rewards: list[float]


def parse(stdout: str) -> list[Played]:
    """Every line is one of the three, in order; numbers agree with each other."""
    played: list[Played] = []
    lines = iter(stdout.splitlines())
    for line in lines:
        start = START.fullmatch(line)
        assert start, line
        actions: list[str] = []
        errors: list[str] = []
        rewards: list[str] = []
        dones: list[str] = []
        for following in lines:
            if end := END.fullmatch(following):
                break
            step = STEP.fullmatch(following)
            assert step, following
            assert int(step[1]) == len(actions) + 1
            actions.append(step[2])
            rewards.append(step[3])
            dones.append(step[4])
            errors.append(step[5])
        else:
            raise AssertionError(f"no [END] for {start[1]}")
        assert int(end[2]) == len(actions)
        assert end[4].split(",") == rewards or (end[4] == "" and not rewards)
        assert "true" not in dones[:-1]
        numbers = [float(reward) for reward in rewards]
        assert all(number == 0 for number in numbers[:-1])
        assert 0.0 < float(end[3]) < 1.0
        result = Played(
            start[1], start[3], actions, errors, end[1] == "true", float(end[3]), numbers
        )
        played.append(result)
    return played
