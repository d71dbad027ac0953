"""An episode told for a test: true windows step by step, and questions to ask of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.environment import Environment
from sre_autopilot import grading
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName

Script = Mapping[int, tuple[ActionName, Service]]
WAIT = SREAction(action=ActionName.WAIT)


@dataclass(frozen=True)
class Told:
    """What truly happened."""

    record: grading.EpisodeRecord

    def steps(self) -> Sequence[grading.StepRecord]:
        return self.record.steps

    def errors(self, service: Service) -> list[float]:
        """True error rate by step, 0.0 where nobody called."""
        return [step.true[service].error_rate or 0.0 for step in self.steps()]

    def p99(self, service: Service) -> list[float]:
        """True p99 in ms by step, 0.0 where no call took time."""
        return [step.true[service].latency_p99 or 0.0 for step in self.steps()]

    def memory(self, service: Service) -> list[float | None]:
        return [step.true[service].memory_pct for step in self.steps()]

    def cpu(self, service: Service) -> list[float | None]:
        return [step.true[service].cpu_pct for step in self.steps()]

    def failing(self, service: Service) -> list[int]:
        """Steps at which more than a quarter of the calls failed: no noise of a busy machine."""
        return [step for step, share in enumerate(self.errors(service)) if share > 0.25]

    def broken(self, service: Service) -> list[int]:
        """Steps at which the service missed its SLA."""
        return [s.step for s in self.steps() if not s.true[service].sla_met]

    def cured_at(self) -> int | None:
        """When the first fault was cured."""
        return self.record.faults[0].cured_at

    def recovered(self) -> bool:
        """Whether the episode ended because all was well again."""
        return grading.recovered_at(self.record.steps, self.record.faults) is not None


def never(_story: Told) -> bool:
    """The episode is played for all its steps."""
    return False


@dataclass(frozen=True)
class Plot:
    """How an episode is played: for `steps` steps, or until it has told what was asked."""

    steps: int = MAX_STEPS
    until: Callable[[Told], bool] = never
    seed: int = 200_000


def tell(environment: Environment, script: Script, plot: Plot) -> Told:
    """Plays `script` (step -> action) and waits in between."""
    observation = environment.reset(seed=plot.seed)
    for step in range(1, plot.steps + 1):
        if observation.done or plot.until(Told(environment.hidden_state())):
            break
        action = WAIT
        if step in script:
            name, service = script[step]
            action = SREAction(action=name, service_id=service)
        observation = environment.step(action)
        if step in script:
            assert observation.last_action_error is None
    return Told(environment.hidden_state())
