"""Sweeping database 0 on and on while an application is switched over, and naming who still writes there.

Once it has begun, Ctrl-C is how a watch ends, not an interruption: the sweep under way is finished, and one
more takes what came last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from autobot_ops.migration.looking import Found
from autobot_ops.migration.moving import Moved

LEAST_PAUSE = 1.0
PAUSE_SHARE = 1 / 600
"""Seconds from one sweep's beginning to the next: a share of the time watched, since each sweep that finds
keys is kept on disk for a rollback. So a day has some 3,600 of them, not 86,400.
"""

POLL_SECONDS = 0.05
NOT_WRITING = frozenset(
    {
        "acl", "auth", "client", "cluster", "command", "config", "dbsize", "dump", "exists", "hello", "info",
        "memory", "move", "object", "pexpiretime", "ping", "psubscribe", "psync", "quit", "replconf", "scan",
        "NULL", "select", "subscribe", "sync", "xinfo",
    }
)  # fmt: skip
"""Last commands, without their subcommand, of clients that aren't named: this tool's own, and what every
client sends when it connects; NULL where it has sent nothing yet.
"""


@dataclass(frozen=True)
class LegacyClient:
    """A client that works in database 0; its last command may be a reading one."""

    address: str
    name: str
    user: str
    command: str

    def __str__(self) -> str:
        name = f" '{self.name}'" if self.name else ""
        return f"{self.address}{name}, user {self.user}, last command {self.command}"


def parse_clients(listed: str) -> list[LegacyClient]:
    """Those of CLIENT LIST that work in database 0. Pure."""
    found = []
    for line in listed.splitlines():
        facts = dict(part.partition("=")[::2] for part in line.split(" "))
        command = facts.get("cmd", "")
        if facts.get("db") == "0" and command.partition("|")[0] not in NOT_WRITING:
            found.append(
                LegacyClient(
                    facts.get("addr", ""), facts.get("name", ""), facts.get("user", "default"), command
                )
            )
    return found


@dataclass
class Watch:
    """`asked` says whether somebody pressed Ctrl-C. `clients` were seen there, by address and name."""

    asked: Callable[[], bool]
    say: Callable[[str], object]
    begun: bool = False
    clients: dict[tuple[str, str], LegacyClient] = field(default_factory=dict)

    def stops_moving(self) -> bool:
        """Whether windows are to end: a watch that has begun ends after its sweep, not within it."""
        return self.asked() and not self.begun

    def sweep_until_asked(
        self,
        sweep: Callable[[], Moved],
        clients: Callable[[], Sequence[LegacyClient]],
        clock: Callable[[], float] = time.monotonic,
        rest: Callable[[float], object] = time.sleep,
    ) -> None:
        """Sweep until Ctrl-C, and once more; say what was found and which clients work there."""
        self.begun = True
        self.say("watching database 0; Ctrl-C ends it, with verification and report")
        started, held = clock(), 0
        last = False
        while not last:
            last = self.asked()
            began = clock()
            result = sweep()
            if result.moved:
                self.say(f"moved {result.moved:,} keys that were written meanwhile")
            if (found := result.found[Found.BOTH]) != held:
                held = found
                if held:
                    self.say(f"{held:,} keys are in database 0 again and in their target with another value")
            if result.moved or held:
                self._name(clients())
            pause = max(LEAST_PAUSE, (began - started) * PAUSE_SHARE)
            while not last and not self.asked() and clock() - began < pause:
                rest(POLL_SECONDS)

    def _name(self, clients: Sequence[LegacyClient]) -> None:
        for each in clients:
            if (each.address, each.name) not in self.clients:
                self.say(f"works in database 0: {each}")
            self.clients[each.address, each.name] = each

    @property
    def document(self) -> list[dict[str, Any]]:
        """The clients that were seen, as JSON takes them."""
        return [asdict(each) for each in self.clients.values()]
