"""A debrief with made-up numbers, in the form of real ones."""

from sre_autopilot.debrief.postmortem import Event, Impact, Moment, Postmortem
from sre_autopilot.debrief.report import Debrief, Estimate, Ledger, StepDebrief, StepView
from sre_autopilot.debrief.review import Review
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

WAIT = SREAction(action=ActionName.WAIT)
BEST = SREAction(action=ActionName.RESTART, service_id=Service.USER_DB)
REASON = "a wait that cost something"


def of(mean: float) -> Estimate:
    return Estimate(mean=mean, standard_error=0.01)


def step(number: int, regret: float, *, knowable: bool) -> StepDebrief:
    view = StepView(
        value=of(0.9),
        value_of_taken=of(0.9 - regret),
        best_action=BEST,
        regret=of(regret),
        advantage=of(-regret),
        luck=of(0.02),
    )
    return StepDebrief(
        step=number,
        taken=WAIT,
        advised=BEST,
        sighted=view,
        truth=view,
        knowable=regret if knowable else 0.0,
        not_knowable=0.0 if knowable else regret,
    )


def made_up() -> Review:
    ledger = Ledger(start=of(0.9), regrets=of(0.3), luck=of(0.04))
    debrief = Debrief(
        episode_id="made-up",
        tier=Tier.EASY,
        seed=3,
        backend="simulator",
        policy="person",
        adviser="belief",
        score=0.64,
        replayed_score=0.64,
        gap=0.0,
        exact=True,
        sighted=ledger,
        truth=ledger,
        steps=(
            step(1, 0.1, knowable=False),
            step(2, 0.2, knowable=True),
            step(3, 0.0, knowable=True),
        ),
    )
    postmortem = Postmortem(
        score=0.64,
        caveats=(),
        terms={},
        faults=("made up",),
        detected=Moment(step=2, after_s=1.0),
        recovered=None,
        impact=Impact(windows=3, windows_missed={}, calls=10, failed=1),
        timeline=(Event(step=0, text="it begins"),),
        losses=((0.2, REASON),),
    )
    return Review(postmortem=postmortem, debrief=debrief)
