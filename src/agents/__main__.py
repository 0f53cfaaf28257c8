"""`python -m src.agents`: run the agent that AGENT_NAME names until SIGTERM.

Exit status: 2 for a wrong configuration, else what the signal makes of it.
"""

from __future__ import annotations

import logging
import os
import sys

import uvicorn

from src.agents.logs import configure_logs
from src.agents.server import create_app
from src.agents.settings import load_agent_settings
from src.errors import ConfigurationInvalid
from src.utils.redis_database_manager import redis_db_manager

logger = logging.getLogger("src.agents")

KEEP_ALIVE_SECONDS = 30


def main() -> int:
    """Configure, serve, and stop gracefully: requests in flight have the grace period to finish."""
    # Until the settings say where else: a wrong one is told in a line like all others.
    configure_logs(os.environ.get("AGENT_NAME") or "unknown")
    try:
        settings = load_agent_settings()
        configure_logs(settings.name, settings.log_level, settings.log_dir)
        # Read the catalog now: a wrong one shall stop the container, not the first request.
        _ = redis_db_manager.settings
        app = create_app(settings)
    except ConfigurationInvalid as error:
        # A person's mistake and no defect: the hint helps, a traceback wouldn't.
        hint = {"hint": error.hint} if error.hint else {}
        logger.error("%s", error.message, extra=hint)  # noqa: TRY400
        return 2
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,  # our JSON handlers stay
            access_log=False,  # the request boundary writes a better line
            server_header=False,
            # Longer than clients keep an idle connection: with uvicorn's 5 s, which is httpx's too, one
            # closes it in the moment in which the other sends a request.
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
            lifespan="on",
        )
    )
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
