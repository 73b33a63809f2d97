"""Prometheus metrics, served on an internal port only. Labels never carry an id of a person."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

REGISTRY = CollectorRegistry()

REQUEST_SECONDS = Histogram(
    "creditplus_http_request_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ["method", "route", "status"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
REFUSALS = Counter("creditplus_refusals", "Refusals by their code.", ["code"], registry=REGISTRY)
REPLAY_FALLBACKS = Counter(
    "creditplus_replay_valkey_missing",
    "Single-use checks decided by PostgreSQL alone because Valkey was away.",
    registry=REGISTRY,
)
BATCH_SIZE = Histogram(
    "creditplus_batch_size",
    "How many requests shared one flush.",
    ["batch"],
    registry=REGISTRY,
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
OUTBOX_LAG_SECONDS = Gauge(
    "creditplus_outbox_lag_seconds", "Age of the oldest event not yet handled.", registry=REGISTRY
)

SCORES_DIFFERING = Counter(
    "creditplus_scores_differing",
    "Scores found at night that the other engine gives otherwise: any is a fault.",
    registry=REGISTRY,
)
WEBHOOK_TRIES = Counter(
    "creditplus_webhook_tries",
    "Messages sent to partners, by kind and by why they weren't taken.",
    ["kind", "fault"],
    registry=REGISTRY,
)
WEBHOOK_PAUSES = Counter(
    "creditplus_webhook_pauses",
    "Endpoints paused because they took nothing for a day or said that they are gone.",
    registry=REGISTRY,
)


_request_seconds: dict[tuple[str, str, int], Histogram] = {}


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request; what is kept of each kind is found without making its labels again."""
    kept = _request_seconds.get((method, route, status))
    if kept is None:
        kept = REQUEST_SECONDS.labels(method, route, str(status))
        _request_seconds[method, route, status] = kept
    kept.observe(seconds)


def serve_metrics(host: str, port: int) -> None:
    """Serve /metrics in a thread of its own; raises OSError when the port is taken."""
    start_http_server(port, addr=host, registry=REGISTRY)
