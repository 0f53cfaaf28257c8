"""What a rotation plans: stage by stage for all secrets, and on from where an earlier one stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.errors import ConfigurationError, PartlyDone, RefusedForSafety, ServiceUnreachable
from autobot_ops.rotation import rotation
from autobot_ops.rotation.plan import Observed, Stage, Step, plan_rotation

USER = {
    Stage.MAKE: "make",
    Stage.ADMIT: "admit",
    Stage.SWITCH: "switch",
    Stage.VERIFY: "verify",
    Stage.RETIRE: "retire",
}
CERTIFICATES = {Stage.SWITCH: "switch", Stage.VERIFY: "verify"}
NOW = 1_000_000.0


def lines(*observed: Observed, overlap: float = 30, now: float = NOW) -> list[str]:
    return [str(step) for step in plan_rotation(observed, overlap=overlap, now=now)]


def test_all_secrets_go_through_a_stage_before_the_next_one_begins() -> None:
    assert lines(Observed("chat", USER), Observed("rag", USER), Observed("certificates", CERTIFICATES)) == [
        "chat: make",
        "rag: make",
        "chat: admit",
        "rag: admit",
        "chat: switch",
        "rag: switch",
        "certificates: switch",
        "chat: verify",
        "rag: verify",
        "certificates: verify",
        "wait 30 s, while old and new hold",
        "chat: retire",
        "rag: retire",
    ]


def test_does_not_wait_where_nothing_overlaps() -> None:
    assert lines(Observed("certificates", CERTIFICATES)) == ["certificates: switch", "certificates: verify"]


def test_goes_on_where_an_earlier_run_stopped() -> None:
    assert lines(Observed("chat", USER, begin=Stage.ADMIT)) == [
        "chat: admit, which an earlier run began",
        "chat: switch",
        "chat: verify",
        "wait 30 s, while old and new hold",
        "chat: retire",
    ]


@pytest.mark.parametrize(
    ("seconds_ago", "waited"),
    [(0, 30), (10, 20), (-500, 30)],
    ids=["just switched", "some time ago", "in the future: the clock was set back"],
)
def test_waits_only_for_what_is_left_of_the_overlap(seconds_ago: float, waited: float) -> None:
    observed = Observed("chat", USER, begin=Stage.VERIFY, switched_at=NOW - seconds_ago)
    assert f"wait {waited} s, while old and new hold" in lines(observed)


def test_does_not_wait_again_when_the_overlap_is_long_over() -> None:
    observed = Observed("chat", USER, begin=Stage.VERIFY, switched_at=NOW - 3600)
    assert lines(observed) == ["chat: verify, which an earlier run began", "chat: retire"]


def test_a_fresh_secret_gets_the_whole_overlap_beside_an_old_one() -> None:
    resumed = Observed("chat", USER, begin=Stage.VERIFY, switched_at=NOW - 3600)
    assert "wait 30 s, while old and new hold" in lines(resumed, Observed("rag", USER))


class Recording:
    """A rotation that remembers its stages, and fails at one of them."""

    service = "chat"

    def __init__(self, fails_at: Stage | None = None) -> None:
        self.fails_at, self.stages = fails_at, list[Stage]()

    def observe(self) -> Observed:
        return Observed(self.service, USER)

    def apply(self, stage: Stage) -> None:
        if stage == self.fails_at:
            raise ServiceUnreachable("redis does not answer", hint="Is it up?")
        self.stages.append(stage)


def test_takes_the_planned_steps_in_order_and_pauses_in_between() -> None:
    secret, told, paused = Recording(), list[Step](), list[float]()
    steps = rotation.plan([secret], overlap=7)
    rotation.apply([secret], steps, on_step=told.append, pause=paused.append)
    assert secret.stages == [Stage.MAKE, Stage.ADMIT, Stage.SWITCH, Stage.VERIFY, Stage.RETIRE]
    assert told == list(steps)
    assert paused == [7]


def test_stops_at_a_failure_and_says_how_to_go_on() -> None:
    secret = Recording(fails_at=Stage.SWITCH)
    steps = rotation.plan([secret], overlap=0)
    with pytest.raises(PartlyDone, match="stopped at 'chat: switch': redis does not answer") as stopped:
        rotation.apply([secret], steps, on_step=lambda _: None)
    assert "inv secrets.rotate chat" in stopped.value.hint
    assert secret.stages == [Stage.MAKE, Stage.ADMIT]


@pytest.mark.parametrize("seconds", [-1, float("nan"), 1e9])
def test_refuses_an_overlap_that_makes_no_sense(seconds: float) -> None:
    with pytest.raises(ConfigurationError):
        rotation.checked_overlap(seconds)


def test_two_rotations_at_the_same_time_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with rotation.alone(folder), pytest.raises(RefusedForSafety), rotation.alone(folder):
        raise AssertionError("the second one got the lock")
    with rotation.alone(folder):
        pass
