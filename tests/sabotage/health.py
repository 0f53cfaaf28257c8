"""Health and readiness that say what isn't so."""

from __future__ import annotations

from tests.sabotage.model import Sabotage
from tests.sabotage.spoiling import recreate, up_again

# The agent that starts fastest: it loads no model.
AGENT = "knowledge-agent"
SERVER = "agents/server.py"

SABOTAGES = (
    Sabotage(
        (1,),
        "a health check that lies: Redis lets knowledge in nowhere, and it is called healthy",
        recreate(
            AGENT,
            environment={"REDIS_USERNAME": "nobody"},
            healthcheck={"test": ["CMD", "true"]},
        ),
        up_again,
        only="what_is_called_healthy",
    ),
    Sabotage(
        (2,),
        "a container that isn't as described: knowledge has one more variable",
        recreate(AGENT, environment={"AUTOBOT_PLANTED": "1"}),
        up_again,
    ),
    Sabotage(
        (3,),
        "an agent of another version",
        recreate(AGENT, environment={"AUTOBOT_VERSION": "0.0.0"}),
        up_again,
    ),
    Sabotage(
        (4,),
        "an agent whose metrics are somewhere else",
        recreate(AGENT, source=(SERVER, '"/metrics"', '"/metrics-elsewhere"')),
        up_again,
    ),
    Sabotage(
        (4,),
        "an agent that has an answer for every path",
        recreate(
            AGENT,
            source=(
                SERVER,
                '@app.get("/livez", tags=["service"])',
                '@app.get("/livez")\n    @app.get("/{anything:path}", include_in_schema=False)',
            ),
        ),
        up_again,
        only="unknown_path",
    ),
    Sabotage(
        (5, 6),
        "liveness that asks the data services: an orchestrator would restart what only waits",
        recreate(
            AGENT,
            source=(
                SERVER,
                'return PlainTextResponse("alive\\n", headers=_NO_STORE)',
                "return await ready()",
            ),
        ),
        up_again,
    ),
)
