"""What a training is asked for: a TOML file of numbers. The shipped ones stand in `recipes/`."""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from sre_autopilot.errors import InvalidValue, UnknownField, UnknownName
from sre_autopilot.simulator.fitted_files import fitted_backends
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT
from sre_autopilot.world.vocabulary import Tier

FOLDER = Path(__file__).parent / "recipes"
SHIPPED, TERMINAL_ONLY = "shipped", "terminal-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but the seed that decides what is learned.

    samples: steps of all lanes together. lanes: episodes side by side. horizon: steps of each lane
        between two updates.
    tiers: share of the episodes of each.
    worlds: share of the lanes that have the parameters fitted to each real backend.
    cpu_scales: of the hosts, among which the lanes are divided: CPU that the same work takes, as
        multiples of what it took where the parameters were fitted.
    shaping: whether a step is rewarded by the change of the highest score still reachable, or the
        last step alone by the score. Both have the same optimum.
    privileged_critic: whether the critic, which no policy ships, reads the hidden faults.
    fault_loss: weight of the loss of predicting the hidden faults from the actor's last layer.
    no_rollback_share: first share of the training in which `rollback` is forbidden: it is a safe
        way out that keeps learners from finding better ones.
    never_rollback_share, only_rollback_share: of the lanes, in which `rollback` stays forbidden
        after that, and in which nothing else is allowed on hard, but waiting. A policy that is sure
        of one way to mend flaps tries no other any more; in these lanes each stays of use.
    kept_share: first share of the training, at whose end these lanes are as all others.
    first_wait_share: how often the first policy waits; the other actions are equal. At 1/29 waiting
        is like them, and a policy never sees an episode in which nothing was done, which is best
        on control; close to 1 it may never try what mends a fault.
    held_share: of the lanes, in which nothing but waiting is allowed on control. A policy that acts
        there sooner or later finds that waiting is worth as little; a critic that has read what it
        is worth to go on waiting says otherwise.
    minibatch: samples between two steps of the optimizer, whole horizons of some lanes.
    hidden: widths of the layers before and after the memory. memory: units of the recurrent one.
        critic_hidden: width of the critic's layer, which stands on these.
    learning_rate, entropy: at the beginning and at the end, linear between.
    """

    samples: int
    lanes: int
    horizon: int
    epochs: int
    minibatch: int
    tiers: dict[str, float]
    hidden: tuple[int, ...]
    memory: int
    critic_hidden: int
    learning_rate: tuple[float, float]
    entropy: tuple[float, float]
    shaping: bool
    privileged_critic: bool
    fault_loss: float
    no_rollback_share: float
    clip: float = 0.2
    gae_lambda: float = 0.95
    value_loss: float = 0.5
    gradient_norm: float = 0.5
    first_wait_share: float = 1 / FLAT_COUNT
    held_share: float = 0.0
    never_rollback_share: float = 0.0
    only_rollback_share: float = 0.0
    kept_share: float = 1.0
    worlds: dict[str, float] = field(default_factory=lambda: {"process": 1.0})
    cpu_scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Raises InvalidValue and UnknownName, which name the field."""
        for name in (
            "samples",
            "lanes",
            "horizon",
            "epochs",
            "minibatch",
            "memory",
            "critic_hidden",
        ):
            value = getattr(self, name)
            _check(name, value, _is_whole(value) and value >= 1, "a whole number from 1")
        for name in ("fault_loss", "value_loss", "clip", "gradient_norm"):
            value = getattr(self, name)
            _check(name, value, _is_number(value) and value >= 0, "a number from 0")
        for name in (
            "no_rollback_share",
            "gae_lambda",
            "held_share",
            "never_rollback_share",
            "only_rollback_share",
            "kept_share",
        ):
            value = getattr(self, name)
            _check(name, value, _is_number(value) and 0 <= value <= 1, "a number from 0 to 1")
        share = self.first_wait_share
        fits = _is_number(share) and 0 < share < 1
        _check("first_wait_share", share, fits, "a number above 0 and below 1")
        for name in ("shaping", "privileged_critic"):
            value = getattr(self, name)
            _check(name, value, isinstance(value, bool), "true or false")
        for name in ("learning_rate", "entropy"):
            value = getattr(self, name)
            fits = isinstance(value, tuple) and len(value) == len(("first", "last"))
            fits = fits and all(_is_number(end) and end >= 0 for end in value)
            _check(name, value, fits, "two numbers from 0: at the beginning, and at the end")
        fits = isinstance(self.hidden, tuple) and len(self.hidden) == len(("before", "after"))
        fits = fits and all(_is_whole(width) and width >= 1 for width in self.hidden)
        _check("hidden", self.hidden, fits, "two whole numbers from 1")
        fits = self.minibatch >= self.horizon
        _check("minibatch", self.minibatch, fits, f"at least the horizon, {self.horizon}")
        scales = self.cpu_scales
        fits = isinstance(scales, tuple) and len(scales) > 0
        fits = fits and all(_is_number(scale) and scale > 0 for scale in scales)
        fits = fits and len(set(scales)) == len(scales)
        _check("cpu_scales", scales, fits, "some numbers above 0, each once")
        _check_shares("tiers", self.tiers, tuple(Tier))
        _check_shares("worlds", self.worlds, fitted_backends())

    @property
    def updates(self) -> int:
        """How often the network is updated: whole horizons, at least one."""
        return max(1, self.samples // (self.lanes * self.horizon))

    @classmethod
    def parse(cls, text: str, *, samples: int | None = None) -> Self:
        """Of TOML; `samples` replaces the recipe's own. Raises InvalidValue, UnknownField."""
        try:
            values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidValue("recipe", text[:40], f"TOML ({error})") from error
        names = {each.name for each in fields(cls)}
        for name in values:
            if name not in names:
                raise UnknownField(name, sorted(names))
        if samples is not None:
            values["samples"] = samples
        needed = {
            each.name
            for each in fields(cls)
            if each.default is MISSING and each.default_factory is MISSING
        }
        if missing := sorted(needed - values.keys()):
            raise InvalidValue("recipe", f"one without {', '.join(missing)}", "complete")
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values | lists)


def recipe_text(name: str) -> str:
    """Of a shipped recipe, or of a file. Raises UnknownName where neither exists."""
    shipped = sorted(path.stem for path in FOLDER.glob("*.toml"))
    path = FOLDER / f"{name}.toml" if name in shipped else Path(name)
    if not path.is_file():
        raise UnknownName("recipe", name, (*shipped, "a file of TOML"))
    return path.read_text(encoding="utf-8")


def _check_shares(name: str, shares: object, names: Sequence[str]) -> None:
    expected = "a share from 0 for each of some, with a sum above 0"
    _check(name, shares, isinstance(shares, dict), expected)
    assert isinstance(shares, dict)
    for each, share in shares.items():
        if each not in names:
            raise UnknownName(name, each, names)
        _check(f"{name}.{each}", share, _is_number(share) and share >= 0, "a share from 0")
    _check(name, shares, sum(shares.values()) > 0, expected)


def _check(name: str, value: object, fits: bool, expected: str) -> None:
    if not fits:
        raise InvalidValue(name, value, expected)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
