"""Agents' clocks that are wrong. Containers share the host's clock, so libfaketime shifts it for one process.

Real images and a real Redis; the agents are stand-ins: what is faked is what the C library answers when it
is asked for the time. Clocks that only count seconds (CLOCK_MONOTONIC) stay as they are, as with a real
clock that is set. Two limits of libfaketime: it can't be loaded into Redis, whose allocator asks for the
time before there is any, and a thread of a shifted process that sleeps (`time.sleep`) gets an error. So
Redis' own clock is not shifted, and who starts with a wrong clock is an agent that prepares nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.faults import signs
from tests.faults.conftest import Survive
from tests.faults.fault import Fault, Scene, Sign, wait_until_well
from tests.faults.stand_in import stand_in, with_agent
from tests.faults.writers import ChatWriter
from tests.integration.live import Stack

HOUR = 3600
YEARS_BACK = -10 * 365 * 24 * HOUR
INSIDE = "/faketime"


@dataclass(frozen=True)
class Clock:
    """A shift in seconds that a running process reads again every second."""

    folder: Path
    library: Path

    def shift(self, seconds: int) -> None:
        """Set the clock wrong by so much, against the host's."""
        (self.folder / "shift").write_text(f"{seconds:+d}\n")

    @property
    def mounts(self) -> tuple[str, ...]:
        """For a container."""
        return f"{self.folder}:{INSIDE}:ro", f"{self.library}:{INSIDE}.so:ro"

    @property
    def environment(self) -> Mapping[str, str]:
        """For a container."""
        return {
            "LD_PRELOAD": f"{INSIDE}.so",
            "FAKETIME_TIMESTAMP_FILE": f"{INSIDE}/shift",
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that is right."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    made = Clock(tmp_path, library)
    # The containers' users pass through it; the mount doesn't ask for the folders above.
    tmp_path.chmod(0o755)
    made.shift(0)
    return made


def test_an_agent_whose_clock_is_ahead_neither_loses_nor_hides_anything(
    survive: Survive, stack: Stack, clock: Clock
) -> None:
    with stand_in(stack, "chat-agent", mounts=clock.mounts, environment=clock.environment) as ahead:
        on = with_agent(stack, "chat", ahead)
        wait_until_well(on)
        beside, itself = ChatWriter(stack.url("chat", "")), ChatWriter(on.url("chat", ""))
        itself.name = "chat, clock ahead"
        outcome = survive(
            Fault(
                "An agent's clock jumps an hour ahead (chat)",
                inject=lambda _: clock.shift(HOUR),
                signs=(Sign("`/health/chat`: the time of its checks", shows_an_hour_ahead, 20),),
                mend=lambda _: clock.shift(0),
                recovers_within=20,
            ),
            on=on,
            writing=[beside, itself],
        )
        assert outcome.refused == 0
        # Each sees what the other one keeps, with the time to live that Redis counts.
        for conversation, url in ((beside.conversation, on), (itself.conversation, stack)):
            kept = httpx.get(url.url("chat", f"/chat/conversations/{conversation}")).json()
            assert kept["messages"]
            assert conversation in httpx.get(url.url("chat", "/chat/conversations?limit=100")).json()


def test_an_agent_that_starts_ten_years_behind_says_why_it_trusts_nobody(
    survive: Survive, stack: Stack, clock: Clock
) -> None:
    with stand_in(stack, "research-agent", mounts=clock.mounts, environment=clock.environment) as behind:
        on = with_agent(stack, "research", behind)
        wait_until_well(on)

        def start_in_the_past(_stack: Stack) -> None:
            clock.shift(YEARS_BACK)
            behind.restart()

        survive(
            Fault(
                "An agent starts with its clock ten years behind (research)",
                inject=start_in_the_past,
                signs=(signs.only_not_ready("research", "certificate is not yet valid", within=60),),
                mend=lambda _: clock.shift(0),
                recovers_within=30,
            ),
            on=on,
            writing=[ChatWriter(stack.url("chat", ""))],
        )


def shows_an_hour_ahead(scene: Scene) -> bool:
    checks = httpx.get(scene.stack.url("chat", "/health/chat")).json()["checks"]
    moment = datetime.fromisoformat(checks["redis.sessions:responseTime"][0]["time"])
    return moment - datetime.now(UTC) > timedelta(seconds=HOUR - 60)
