"""Secrets that are told, and logs, labels, metrics and alerts that don't tell what they should."""

from __future__ import annotations

from tests.integration.live import Stack
from tests.sabotage.model import Sabotage
from tests.sabotage.spoiling import recreate, up_again

AGENT = "knowledge-agent"


def run_what_was_changed_by_hand(stack: Stack) -> None:
    """An image made of a running container, as it is done in haste."""
    stack.container(AGENT).commit(repository=stack.project, tag="by-hand")
    recreate(AGENT, image=f"{stack.project}:by-hand")(stack)


def run_what_was_built(stack: Stack) -> None:
    """The opposite."""
    up_again(stack)
    stack.engine.images.remove(f"{stack.project}:by-hand", force=True)


SABOTAGES = (
    Sabotage(
        (16,),
        "a PostgreSQL that logs failed statements with the passwords in them",
        recreate("postgres", command=["postgres", "-c", "log_min_error_statement=error"]),
        up_again,
        only="postgres or works_with",
    ),
    Sabotage(
        (16,),
        "an agent that logs what it logs in with, in base64",
        recreate(
            AGENT,
            source=(
                "utils/redis_credentials.py",
                "        password = self._read_password()\n",
                "        password = self._read_password()\n"
                "        import base64, logging\n"
                '        logging.getLogger(__name__).warning("%s", base64.b64encode(password.encode()))\n',
            ),
        ),
        up_again,
        only="knowledge or works_with",
    ),
    Sabotage(
        (26,),
        "an agent whose readiness is measured under another name",
        recreate(AGENT, source=("agents/metrics.py", '"autobot_agent_ready"', '"autobot_ready"')),
        up_again,
        only="documented_metric",
    ),
    Sabotage(
        (26,),
        "an agent that doesn't count what Redis refuses",
        recreate(
            AGENT,
            source=(
                "agents/metrics.py",
                "self.redis_errors.labels(self.agent, type(error).__name__).inc()",
                "return",
            ),
        ),
        up_again,
        only="refuses_is_counted",
    ),
    Sabotage(
        (27,),
        "a container of an image that nobody built",
        run_what_was_changed_by_hand,
        run_what_was_built,
        only="knowledge",
    ),
    Sabotage(
        (27,),
        "a container that says it was made from something else",
        recreate(AGENT, labels={"io.autobot.inputs": "{}"}),
        up_again,
        only="knowledge",
    ),
    Sabotage(
        (28,),
        "log lines that don't say whose they are",
        recreate(AGENT, source=("agents/logs.py", '            "agent": self._agent,\n', "")),
        up_again,
        only="every_line",
    ),
    Sabotage(
        (28,),
        "a library that prints past the log",
        recreate(
            AGENT,
            source=(
                "agents/__main__.py",
                "    server.run()\n",
                '    print("ready", flush=True)\n    server.run()\n',
            ),
        ),
        up_again,
        only="every_line",
    ),
)
