"""The one application that all agents share: health, readiness, metrics, and the agent's own routes.

`create_app` opens nothing; connections and models come with the application's start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from src.agents import health, metrics
from src.agents.agent import Agent, AgentContext
from src.agents.boundary import RequestBoundary
from src.agents.health import HealthReporter
from src.agents.live_catalog import LiveCatalog
from src.agents.loading import BackgroundLoad
from src.agents.metrics import AgentMetrics
from src.agents.problems import RETRY_AFTER_SECONDS, install_problem_handlers
from src.agents.registry import agent_class
from src.agents.settings import AgentSettings
from src.agents.usage import UsageRecorder
from src.utils.redis_database_manager import RedisDatabaseManager, redis_db_manager

logger = logging.getLogger(__name__)

TEND_SECONDS = 5.0
LOAD_DELAY_SECONDS = 0.1
_NO_STORE = {"Cache-Control": "no-store"}


def create_app(
    settings: AgentSettings,
    databases: RedisDatabaseManager = redis_db_manager,
    make_agent: type[Agent] | None = None,
) -> FastAPI:
    """The ASGI application of the agent that `settings` names; `make_agent` replaces it in tests."""
    context = AgentContext(
        settings,
        databases,
        AgentMetrics(settings.name, settings.version),
        LiveCatalog(settings, databases),
    )
    agent = (make_agent or agent_class(settings.name))(context)
    loading = BackgroundLoad(agent.load)
    reporter = HealthReporter(context, agent, loading)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        logger.info("agent starts", extra={"version": settings.version, "port": settings.port})
        # The server listens when this function yields. Importing torch in the meantime would hold
        # that up for seconds, and /livez with it.
        asyncio.get_running_loop().call_later(LOAD_DELAY_SECONDS, loading.start)
        tending = asyncio.create_task(_tend(agent, loading))
        watching = asyncio.create_task(context.catalog.watch())
        yield
        loading.stop()
        tending.cancel()
        watching.cancel()
        await agent.close()
        await databases.close_all_async_connections()
        logger.info("agent stopped")

    app = FastAPI(
        title=f"AutoBot {settings.name} agent",
        description=settings.description,
        version=settings.version,
        lifespan=lifespan,
    )
    install_problem_handlers(app, context.metrics)
    app.add_middleware(
        RequestBoundary,
        metrics=context.metrics,
        usage=UsageRecorder(context),
        max_body_bytes=settings.max_body_bytes,
    )
    _add_service_routes(app, context, reporter)

    async def require_loaded() -> None:
        if agent.loads and not loading.ready:
            raise HTTPException(
                503, f"{agent.loads} is {loading.state}", headers={"Retry-After": RETRY_AFTER_SECONDS}
            )

    app.include_router(agent.router(), dependencies=[Depends(require_loaded)])
    return app


async def _tend(agent: Agent, loading: BackgroundLoad) -> None:
    while True:
        await asyncio.sleep(TEND_SECONDS)
        if loading.ready:
            try:
                await agent.tend()
            except Exception as error:  # whatever it was, the next round comes
                logger.warning("housekeeping failed: %s", error)


def _add_service_routes(app: FastAPI, context: AgentContext, reporter: HealthReporter) -> None:
    @app.get(f"/health/{context.settings.name}", tags=["service"])
    async def health_document() -> Response:
        """Everything the agent depends on, as `application/health+json`; 503 when something failed."""
        report = await reporter.report()
        return JSONResponse(report.document, report.http_status, _NO_STORE, media_type=health.CONTENT_TYPE)

    @app.get("/livez", tags=["service"])
    async def alive() -> PlainTextResponse:
        """200 as long as the process answers; looks at nothing else."""
        return PlainTextResponse("alive\n", headers=_NO_STORE)

    @app.get("/readyz", tags=["service"])
    async def ready() -> Response:
        """200 when requests can be served now, else 503 with the reasons."""
        reasons = await reporter.reasons_not_ready()
        content = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return JSONResponse(content, 503 if reasons else 200, _NO_STORE)

    @app.get("/metrics", tags=["service"])
    async def prometheus_metrics() -> Response:
        """Prometheus' text format."""
        context.metrics.observe_connections(context.databases.pool_statistics())
        return Response(context.metrics.render(), media_type=metrics.CONTENT_TYPE)
