"""An episode played by a script: its true windows step by step, and what can be asked of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.environment import Environment
from sre_autopilot import grading
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName

Script = Mapping[int, tuple[ActionName, Service]]
"""Step -> action; every other step is a wait."""
WAIT = SREAction(action=ActionName.WAIT)
FAILING_ERROR_RATE = 0.25
"""A window fails above this share of failed calls: more than a busy machine loses by itself."""


@dataclass(frozen=True)
class PlayedEpisode:
    """The true record of an episode, finished or not."""

    record: grading.EpisodeRecord

    @property
    def steps(self) -> Sequence[grading.StepRecord]:
        return self.record.steps

    def errors(self, service: Service) -> list[float]:
        """True error rate by step, 0.0 where there was no call."""
        return [step.true[service].error_rate or 0.0 for step in self.steps]

    def p99_ms(self, service: Service) -> list[float]:
        """True p99 latency by step, 0.0 where no call took time."""
        return [step.true[service].latency_p99 or 0.0 for step in self.steps]

    def memory_pct(self, service: Service) -> list[float | None]:
        """Memory by step, None where the service was dead at the window's end."""
        return [step.true[service].memory_pct for step in self.steps]

    def cpu_pct(self, service: Service) -> list[float | None]:
        """CPU by step, None where the service was dead at the window's end."""
        return [step.true[service].cpu_pct for step in self.steps]

    def calls(self, service: Service) -> list[int]:
        """Calls that reached the service or failed on the way, by step."""
        return [step.true[service].calls for step in self.steps]

    def failing_steps(self, service: Service) -> list[int]:
        """Steps at which more than FAILING_ERROR_RATE of the calls failed."""
        rates = enumerate(self.errors(service))
        return [step for step, error_rate in rates if error_rate > FAILING_ERROR_RATE]

    def last_failing_step(self, service: Service) -> int:
        """0 where no window failed."""
        return max(self.failing_steps(service), default=0)

    def sla_missed_steps(self, service: Service) -> list[int]:
        return [step.step for step in self.steps if not step.true[service].sla_met]

    @property
    def cured_at(self) -> int | None:
        """The step at which the first fault was cured."""
        return self.record.faults[0].cured_at

    @property
    def recovered(self) -> bool:
        """Whether every fault was cured and all services were healthy to the end."""
        return grading.recovered_at(self.record.steps, self.record.faults) is not None


def never(_episode: PlayedEpisode) -> bool:
    """Stops no episode early."""
    return False


@dataclass(frozen=True)
class Limits:
    """How long an episode is played: at most `steps` steps, and until `until` holds."""

    steps: int = MAX_STEPS
    until: Callable[[PlayedEpisode], bool] = never
    seed: int = 200_000


def play_script(environment: Environment, script: Script, limits: Limits) -> PlayedEpisode:
    """Takes the script's actions and waits in between; fails where an action is refused."""
    observation = environment.reset(seed=limits.seed)
    for step in range(1, limits.steps + 1):
        if observation.done or limits.until(PlayedEpisode(environment.hidden_state())):
            break
        action = WAIT
        if step in script:
            name, service = script[step]
            action = SREAction(action=name, service_id=service)
        observation = environment.step(action)
        if step in script:
            assert observation.last_action_error is None
    return PlayedEpisode(environment.hidden_state())
