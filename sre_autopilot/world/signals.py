"""Names of metrics, labels, spans and control routes: services write, the orchestrator reads."""

from enum import StrEnum

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of a metrics page in Prometheus' text format."""

SERVER_DURATION = "http_server_request_duration_seconds"
CLIENT_DURATION = "http_client_request_duration_seconds"
"""Histogram of outgoing calls by LABEL_PEER and LABEL_OUTCOME; the SLA is computed from it."""
POOL_CONNECTIONS = "db_client_connection_count"
POOL_PENDING = "db_client_connection_pending_requests"
POOL_TIMEOUTS = "db_client_connection_timeouts_total"
CPU_SECONDS = "process_cpu_seconds_total"
RUN_QUEUE_WAIT = "process_run_queue_wait_seconds_total"
"""Time that the threads of a process were ready to run and had no CPU; not on every kernel."""
MEMORY_BYTES = "process_proportional_memory_bytes"
IMPAIRMENT_DIGEST = "sre_impairment_digest"
"""Gauge: `impairment_digest` of what the process was last ordered; 0 where nothing is impaired."""
SHED_REQUESTS = "http_server_requests_shed_total"
FALLBACKS = "http_client_fallbacks_total"
TRAFFIC_LATENESS = "traffic_schedule_lateness_seconds"
"""Histogram: how late the open-loop generator sent a request after its scheduled time."""

EPISODES = "sre_episodes_total"
STEPS = "sre_steps_total"
ACTIONS_TAKEN = "sre_actions_total"
"""By LABEL_ACTION, LABEL_SERVICE and LABEL_ACCEPTED."""
SCORE = "sre_episode_score"
STEP_DURATION = "sre_step_duration_seconds"
SCRAPE_FAILURES = "sre_scrape_failures_total"
"""Services whose process gave no metrics page in a window: killed, or starting."""
BACKEND_FAILURES = "sre_backend_failures_total"
EPISODE_VALIDITY = "sre_episode_validity_total"
"""Episodes that ended, by LABEL_VALIDITY: valid, contended, broken or unknown."""
WINDOW_CONTENDED = "sre_window_contended"
"""1 where the machine was too busy in the last window, else 0; by LABEL_SESSION."""
SLA_MET = "sre_sla_met"
"""1 or 0 by LABEL_SESSION and LABEL_SERVICE, in the last window, before noise."""
COST_SPENT = "sre_cost_spent_units"
RESTARTS_LEFT = "sre_restarts_left"
EPISODE_STEP = "sre_episode_step"
"""Step of the running episode, by LABEL_SESSION; 0 is the window of its reset."""
REWARD_HINT = "sre_episode_reward_hint"
"""The reward hint that the agent got for that window, by LABEL_SESSION."""

BROKER_REFUSALS = "sre_broker_refusals_total"
"""Orders that the broker refused, by LABEL_REASON."""
BROKER_REVIVALS = "sre_broker_revivals_total"
"""Killed containers that the broker restarted, by LABEL_CONTAINER_NAME."""
OUTAGES = "sre_chaos_outages"
HEALED = "sre_chaos_healed_total"
"""By LABEL_REASON: asked, expired or found."""

LABEL_ACTION = "action"
LABEL_SERVICE = "service"
LABEL_ACCEPTED = "accepted"
LABEL_SESSION = "session"
LABEL_REASON = "reason"
LABEL_VALIDITY = "validity"
LABEL_CONTAINER_NAME = "container"
LABEL_PEER = "server_address"
LABEL_OUTCOME = "outcome"
LABEL_ROUTE = "http_route"
LABEL_STATUS = "http_response_status_code"

SPAN_PEER = "server.address"
"""Client-span attribute that names the service called (its name, not its address)."""
SPAN_OUTCOME = "sre.outcome"


class Outcome(StrEnum):
    """How a call ended, as its caller saw it. Only REFUSED takes no time."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    REFUSED = "refused"


DURATION_BUCKETS_S = (
    0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.075, 0.1,
    0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0,
)  # fmt: skip
"""Bucket bounds of both histograms; 0.2 is the SLA, 0.25 and 0.5 are the two time-outs."""


class ControlRoute(StrEnum):
    """Routes of the control port, never served on the data port."""

    HEALTH = "/healthz"
    METRICS = "/metrics"
    ROUTING = "/routing"
    IMPAIRMENTS = "/impairments"
    RELEASE = "/release"
    FLUSH = "/flush"


METRICS_LENGTH = "metrics-length"
"""Header of the answer to a flush: how many bytes its metrics take. All spans that have ended since
the last flush follow them, as one OTLP export."""
