"""When `inv up` waits, when it is satisfied, and when it gives up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from autobot_ops.stack import watch
from autobot_ops.stack.health import ContainerState, Probe
from autobot_ops.stack.watch import Failure, Verdict, judge, latest_probe, wait_until_well
from tests.unit.test_up_plan import container

STARTING = container("redis", health="starting")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0)


NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def failed_probe(output: str, began: int = 4, ended: int = 5) -> Probe:
    """One that ran from and to these seconds after noon."""
    return Probe(1, output, NOON + timedelta(seconds=began), NOON + timedelta(seconds=ended))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, Verdict.WAITING),
        (container("redis"), Verdict.WELL),
        (container("redis", health=""), Verdict.WELL),
        (STARTING, Verdict.WAITING),
        (container("redis", status="created", health=""), Verdict.WAITING),
        (container("redis", status="created", health="", error="port is already allocated"), Verdict.FAILED),
        (container("redis", status="exited", exit_code=1), Verdict.FAILED),
        (container("redis", status="exited", exit_code=0), Verdict.FAILED),
        (container("redis", status="restarting", exit_code=1), Verdict.WAITING),
        (container("redis", status="restarting", exit_code=1, restarts=2), Verdict.FAILED),
        (container("redis", status="restarting", exit_code=2), Verdict.FAILED),
        (container("redis", status="restarting", exit_code=127), Verdict.FAILED),
        (container("redis", status="restarting", exit_code=137, out_of_memory=True), Verdict.FAILED),
        (container("redis", health="starting", last_probe=failed_probe("LOADING")), Verdict.WAITING),
        (container("redis", health="starting", last_probe=failed_probe("NOAUTH")), Verdict.WAITING),
        (container("redis", health="unhealthy", last_probe=failed_probe("NOAUTH")), Verdict.FAILED),
        (container("redis", health="starting", last_probe=failed_probe("WRONGPASS")), Verdict.FAILED),
        (container("redis", health="unhealthy", last_probe=failed_probe("no")), Verdict.FAILED),
    ],
)
def test_judges_a_state(state: ContainerState | None, expected: Verdict) -> None:
    assert judge(state, None) is expected


def test_an_old_failure_is_history_until_a_new_probe_repeats_it() -> None:
    before = container("redis", health="unhealthy", last_probe=failed_probe("no", 4, 5))
    after = container("redis", health="unhealthy", last_probe=failed_probe("no", 9, 10))
    since = latest_probe({"redis": before})
    assert judge(before, before, since) is Verdict.WAITING
    assert judge(after, before, since) is Verdict.FAILED


def test_a_probe_that_began_before_what_it_asks_for_was_there_is_history_too() -> None:
    """It was under way when Redis became healthy, and ended afterwards."""
    redis = container("redis", last_probe=Probe(0, "PONG", NOON, NOON + timedelta(seconds=8)))
    before = container("chat-agent", health="unhealthy", last_probe=failed_probe("no", 4, 5))
    under_way = container("chat-agent", health="unhealthy", last_probe=failed_probe("no", 7, 9))
    after = container("chat-agent", health="unhealthy", last_probe=failed_probe("no", 12, 13))
    since = latest_probe({"redis": redis, "chat-agent": before})
    assert judge(under_way, before, since) is Verdict.WAITING
    assert judge(after, before, since) is Verdict.FAILED
    assert judge(under_way, None, since) is Verdict.FAILED


def test_restarts_from_before_do_not_count() -> None:
    before = container("redis", status="exited", restarts=5)
    assert judge(container("redis", status="restarting", exit_code=1, restarts=6), before) is Verdict.WAITING
    assert judge(container("redis", status="restarting", exit_code=1, restarts=7), before) is Verdict.FAILED


def test_restarts_of_another_container_do_not_excuse_this_one() -> None:
    before = container("redis", id="former", restarts=5)
    assert judge(container("redis", status="restarting", exit_code=1, restarts=5), before) is Verdict.FAILED


def script(*looks: Mapping[str, ContainerState]) -> watch.Observe:
    """An observer that sees one after the other, and then always the last."""
    remaining: Iterator[Mapping[str, ContainerState]] = iter(looks)
    last = looks[-1]
    return lambda: next(remaining, last)


def wait(observe: watch.Observe, *services: str, seconds: float = 60) -> tuple[dict[str, float], list[str]]:
    seen: list[str] = []
    took = wait_until_well(
        observe,
        services,
        seconds=seconds,
        first={},
        on_change=lambda name, state, _: seen.append(f"{name} {state}"),
    )
    return took, seen


def test_waits_until_all_are_well_and_tells_each_change_once() -> None:
    took, seen = wait(
        script(
            {},
            {"redis": STARTING},
            {"redis": STARTING, "postgres": container("postgres")},
            {"redis": container("redis"), "postgres": container("postgres")},
        ),
        "redis",
        "postgres",
    )
    assert set(took) == {"redis", "postgres"}
    assert took["postgres"] <= took["redis"]
    assert seen == [
        "redis waiting",
        "postgres waiting",
        "redis starting",
        "postgres healthy",
        "redis healthy",
    ]


def test_stops_at_the_first_certain_failure() -> None:
    broken = container("chat-agent", status="restarting", exit_code=2)
    with pytest.raises(Failure) as caught:
        wait(script({"redis": STARTING, "chat-agent": broken}), "redis", "chat-agent")
    assert caught.value.service == "chat-agent"
    assert caught.value.state is broken


def test_a_service_that_falls_ill_again_is_not_well() -> None:
    with pytest.raises(Failure) as caught:
        wait(
            script(
                {"redis": container("redis"), "chat-agent": STARTING},
                {"redis": container("redis", status="exited"), "chat-agent": STARTING},
            ),
            "redis",
            "chat-agent",
        )
    assert caught.value.service == "redis"


def test_gives_up_when_time_is_over_and_names_who_is_late() -> None:
    with pytest.raises(Failure) as caught:
        wait(script({"redis": container("redis"), "postgres": STARTING}), "redis", "postgres", seconds=-1)
    assert caught.value.service == "postgres"
