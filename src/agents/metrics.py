"""Prometheus metrics of one agent, in a registry of its own so that two applications can coexist."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

# A creation time per series would nearly double the text, and nothing asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# From a cached answer to a page that a browser had to render.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class AgentMetrics:
    """Counters and histograms that the shared server keeps; agents add their own to `registry`."""

    def __init__(self, agent: str, version: str) -> None:
        self.agent = agent
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "autobot_http_requests_total",
            "Requests answered, by route and status.",
            ("agent", "method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "autobot_http_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("agent", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.redis_errors = Counter(
            "autobot_redis_errors_total",
            "Redis operations that failed after their retries, by kind of error.",
            ("agent", "error"),
            registry=self.registry,
        )
        self.redis_connections = Gauge(
            "autobot_redis_connections",
            "Connections that this agent holds, by database.",
            ("agent", "database"),
            registry=self.registry,
        )
        self.ready = Gauge(
            "autobot_agent_ready",
            "1 when the last readiness check passed.",
            ("agent",),
            registry=self.registry,
        )
        self.ready.labels(agent).set(0)
        Gauge(
            "autobot_agent_info",
            "Always 1; the labels say what runs.",
            ("agent", "version"),
            registry=self.registry,
        ).labels(agent, version).set(1)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request. An invented method doesn't get a series of its own."""
        method = method if method in _METHODS else "other"
        self.requests.labels(self.agent, method, route, str(status)).inc()
        self.seconds.labels(self.agent, route).observe(seconds)

    def count_redis_error(self, error: Exception) -> None:
        """Count one failed Redis operation by the class of its error."""
        self.redis_errors.labels(self.agent, type(error).__name__).inc()

    def observe_connections(self, statistics: dict[str, dict[str, int]]) -> None:
        """Take over the manager's count of open connections."""
        for database, row in statistics.items():
            self.redis_connections.labels(self.agent, database).set(row["open"])

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
