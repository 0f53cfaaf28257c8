"""A watch without a server: when it sweeps, when it ends, what it says."""

from __future__ import annotations

from collections import Counter

from autobot_ops.migration.looking import Found
from autobot_ops.migration.moving import Moved
from autobot_ops.migration.watching import LegacyClient, Watch, parse_clients

CLIENT = LegacyClient("10.0.0.5:1234", "old-application", "default", "set")


class World:
    """A clock that goes on when somebody rests; Ctrl-C comes at a moment."""

    def __init__(self, interrupted_at: float, *results: Moved) -> None:
        self.now = 0.0
        self.interrupted_at = interrupted_at
        self.sweeps: list[float] = []
        self.said: list[str] = []
        self._results = list(results)
        self.watch = Watch(lambda: self.now >= self.interrupted_at, self.said.append)

    def sweep(self) -> Moved:
        """One pass."""
        self.sweeps.append(self.now)
        assert not self.watch.stops_moving()
        return self._results.pop(0) if self._results else Moved()

    def rest(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds

    def run(self) -> None:
        """The whole watch."""
        self.watch.sweep_until_asked(self.sweep, lambda: [CLIENT], lambda: self.now, self.rest)


def test_sweeps_each_second_and_once_more_after_ctrl_c() -> None:
    world = World(3.5)
    world.run()
    assert [round(at, 1) for at in world.sweeps] == [0.0, 1.0, 2.0, 3.0, 3.5]


def test_ctrl_c_from_before_the_watch_sweeps_once() -> None:
    world = World(0.0)
    assert world.watch.stops_moving()
    world.run()
    assert world.sweeps == [0.0]


def test_the_longer_it_watches_the_less_often_it_sweeps() -> None:
    a_day = 86_400
    world = World(a_day)
    world.run()
    assert 3000 < len(world.sweeps) < 4000
    assert world.sweeps[-2] - world.sweeps[-3] < a_day / 500


def test_names_a_client_once_and_keeps_it_for_the_report() -> None:
    world = World(2.5, Moved(2), Moved(), Moved(1))
    world.run()
    assert [line for line in world.said if line.startswith("works")] == [f"works in database 0: {CLIENT}"]
    assert world.watch.document == [
        {"address": "10.0.0.5:1234", "name": "old-application", "user": "default", "command": "set"}
    ]


def test_says_how_many_keys_keep_coming_back_when_that_changes() -> None:
    again = Moved(0, Counter({Found.BOTH: 2}))
    world = World(2.5, again, again, Moved(0, Counter({Found.BOTH: 3})))
    world.run()
    assert [line.split(" ")[0] for line in world.said if "again" in line] == ["2", "3"]


def test_only_clients_that_use_database_0_are_named() -> None:
    listed = "\n".join(
        (
            "id=1 addr=10.0.0.5:1234 laddr=10.0.0.1:6379 name=old-application db=0 user=default cmd=set",
            "id=2 addr=10.0.0.6:1 laddr=10.0.0.1:6379 name= db=6 user=chat cmd=set",
            "id=3 addr=10.0.0.7:1 laddr=10.0.0.1:6379 name= db=0 user=chat cmd=client|setinfo",
            "id=4 addr=10.0.0.8:1 laddr=10.0.0.1:6379 name= db=0 user=chat cmd=NULL",
            "id=5 addr=10.0.0.9:1 laddr=10.0.0.1:6379 name= db=0 user=chat cmd=get",
        )
    )
    found = parse_clients(listed)
    assert found == [CLIENT, LegacyClient("10.0.0.9:1", "", "chat", "get")]
    assert str(found[0]) == "10.0.0.5:1234 'old-application', user default, last command set"
    assert str(found[1]) == "10.0.0.9:1, user chat, last command get"
