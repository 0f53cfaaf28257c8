"""The state of one agent: the health document, and whether it is ready for requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from src.agents.agent import Agent, AgentContext
from src.agents.checks import Check, Probe, Status, Stopwatch, run_probes, worst_status
from src.agents.loading import BackgroundLoad
from src.agents.resources import CpuMeter, check_cpu, check_disk, check_memory, read_memory

CONTENT_TYPE = "application/health+json"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The worst status and the document that explains it."""

    status: Status
    document: dict[str, Any]

    @property
    def http_status(self) -> int:
        """503 only for fail: a warning shall not take an agent out of service."""
        return 503 if self.status == "fail" else 200


class HealthReporter:
    """Looks at everything that one agent depends on, all at the same time, each for at most a second."""

    def __init__(self, context: AgentContext, agent: Agent, loading: BackgroundLoad) -> None:
        self._context = context
        self._agent = agent
        self._loading = loading
        self._cpu = CpuMeter()

    async def report(self) -> HealthReport:
        """The whole document."""
        checks = await self._datastore_checks()
        if self._agent.loads:
            checks[f"{self._agent.loads}:state"] = self._loading_check()
        checks["catalog:digest"] = self._context.catalog.check()
        checks["cpu:utilization"] = check_cpu(self._cpu)
        checks["memory:utilization"] = check_memory(read_memory())
        checks["disk:utilization"] = check_disk(self._context.settings.data_dir)
        status = worst_status(check.status for check in checks.values())
        settings = self._context.settings
        return HealthReport(
            status,
            {
                "status": status,
                "version": settings.version,
                "serviceId": settings.name,
                "description": settings.description,
                "output": "; ".join(
                    f"{name}: {check.output}" for name, check in checks.items() if check.output
                ),
                "checks": {name: [check.as_document()] for name, check in checks.items()},
            },
        )

    async def reasons_not_ready(self) -> list[str]:
        """Why requests would fail now; empty when they wouldn't. Sets the readiness metric."""
        checks = await self._datastore_checks()
        if self._agent.loads:
            checks[self._agent.loads] = self._loading_check()
        reasons = [f"{name}: {check.output}" for name, check in checks.items() if _blocks(check)]
        self._context.metrics.ready.labels(self._context.settings.name).set(0 if reasons else 1)
        return reasons

    async def _datastore_checks(self) -> dict[str, Check]:
        probes: dict[str, Probe] = {
            f"redis.{database}:responseTime": self._redis_probe(database)
            for database in self._context.catalog.granted_databases
        }
        return await run_probes(probes | self._agent.probes())

    def _redis_probe(self, database: str) -> Callable[[], Any]:
        async def probe() -> Check:
            number = self._context.databases.get_database_number(database)
            stopwatch = Stopwatch()
            async with self._context.redis(database).pipeline(transaction=False) as pipeline:
                pipeline.ping()
                pipeline.client_info()
                _, information = await pipeline.execute()
            elapsed = stopwatch.milliseconds()
            if int(information["db"]) != number:
                output = f"connected to database {information['db']} instead of {number}"
                return Check("fail", "datastore", str(number), elapsed, "ms", output)
            return Check("pass", "datastore", str(number), elapsed, "ms")

        return probe

    def _loading_check(self) -> Check:
        state, error = self._loading.state, self._loading.error
        if state == "ready":
            return Check("pass", "component", observed_value=state, output="")
        if state == "failed":
            return Check("fail", "component", observed_value=state, output=error or "preparation failed")
        return Check("warn", "component", observed_value=state, output=f"{self._agent.loads} is {state}")


def _blocks(check: Check) -> bool:
    return check.status == "fail" or (check.component_type == "component" and check.status != "pass")
