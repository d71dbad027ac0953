"""Metrics of the server itself. They hold the truth, and `server.metrics_door` serves them."""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from orchestrator.episode import Episode
from sre_autopilot.grading import Verdict
from sre_autopilot.world import signals
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, MAX_RESTARTS, ActionName

SCORE_BUCKETS = tuple(tenth / 10 for tenth in range(1, 11))
DURATION_BUCKETS_S = (0.25, 0.5, 0.55, 0.6, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class Monitoring:
    """Counts over all sessions, and the last window of each."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry(auto_describe=False)
        self._episodes = Counter(signals.EPISODES, "Episodes begun", registry=registry)
        self._steps = Counter(signals.STEPS, "Windows observed by agents", registry=registry)
        self._actions = Counter(
            signals.ACTIONS_TAKEN,
            "Actions taken; refused ones are not accepted",
            (signals.LABEL_ACTION, signals.LABEL_SERVICE, signals.LABEL_ACCEPTED),
            registry=registry,
        )
        # Each counter starts at 0: to Prometheus, one that appears with 1 has not increased.
        intrusive = [action for action, cost in ACTION_COSTS.items() if cost]
        for labels in product(intrusive, Service, (True, False)):
            self._action_counter(*labels)
        self._scores = Histogram(
            signals.SCORE, "Scores of finished episodes", buckets=SCORE_BUCKETS, registry=registry
        )
        self._durations = Histogram(
            signals.STEP_DURATION,
            "From action to observation",
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._missed = Counter(
            signals.SCRAPE_FAILURES, "Services without metrics in a window", registry=registry
        )
        self._failures = Counter(
            signals.BACKEND_FAILURES, "Calls in which the backend failed", registry=registry
        )
        self._validities = Counter(
            signals.EPISODE_VALIDITY,
            "Episodes that ended, by whether their scores can be trusted",
            (signals.LABEL_VALIDITY,),
            registry=registry,
        )
        for verdict in Verdict:
            self._validities.labels(verdict)
        session, service = signals.LABEL_SESSION, signals.LABEL_SERVICE
        self._sla = Gauge(
            signals.SLA_MET, "Whether the SLA was truly met", (session, service), registry=registry
        )
        self._cost = Gauge(signals.COST_SPENT, "Cost units spent", (session,), registry=registry)
        self._restarts = Gauge(
            signals.RESTARTS_LEFT, "Restarts left", (session,), registry=registry
        )
        self._step = Gauge(
            signals.EPISODE_STEP, "Step of the episode", (session,), registry=registry
        )
        self._contended = Gauge(
            signals.WINDOW_CONTENDED,
            "Whether the machine was too busy in the last window",
            (session,),
            registry=registry,
        )
        self._hint = Gauge(
            signals.REWARD_HINT, "The last reward hint", (session,), registry=registry
        )

    def count_window(self, session_id: str, episode: Episode) -> None:
        """After every window of an episode, that of its reset included."""
        window, observation = episode.steps[-1], episode.observation
        assert observation is not None, "a window that was recorded was observed"
        if window.action is None:
            self._episodes.inc()
        else:
            self._steps.inc()
            self._durations.observe(window.duration_s or 0.0)
            action = window.action
            self._action_counter(action.action, action.service_id, action.accepted).inc()
        if episode.score is not None:
            self._scores.observe(episode.score.total)
            self._validities.labels(episode.validity.verdict).inc()
        self._contended.labels(session_id).set(bool(window.contended))
        self._missed.inc(sum(true.cpu_pct is None for true in window.true.values()))
        for service, true in window.true.items():
            self._sla.labels(session_id, service).set(true.sla_met)
        self._cost.labels(session_id).set(episode.cost_spent)
        self._restarts.labels(session_id).set(MAX_RESTARTS - episode.restarts_used)
        self._step.labels(session_id).set(window.step)
        self._hint.labels(session_id).set(observation.reward_hint)

    def _action_counter(
        self, action: ActionName, service: Service | None, accepted: bool
    ) -> Counter:
        return self._actions.labels(action, service or "", str(accepted).lower())

    def count_failure(self) -> None:
        """A backend failed in a call."""
        self._failures.inc()
        self._validities.labels(Verdict.BROKEN).inc()

    def forget(self, session_id: str) -> None:
        """A session is over: its gauges go, the counts stay."""
        for gauge in (self._cost, self._restarts, self._step, self._hint, self._contended):
            _remove(gauge, session_id)
        for service in Service:
            _remove(self._sla, session_id, service)

    def as_text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)


def _remove(gauge: Gauge, *labels: str) -> None:
    if labels in gauge._metrics:
        gauge.remove(*labels)
