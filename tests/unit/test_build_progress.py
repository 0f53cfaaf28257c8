"""What buildx writes, and what a person gets to read of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from autobot_ops.stack.build_failures import explain_build_failure
from autobot_ops.stack.build_progress import BuildLog, StepEvent, describe_step


def vertex(digest: str, name: str, **more: Any) -> dict[str, Any]:
    return {"vertexes": [{"digest": digest, "name": name, **more}]}


def at(second: float) -> str:
    return f"2026-01-01T00:00:{second:012.9f}Z"


def lines_of(*documents: dict[str, Any], indented: bool = True) -> list[str]:
    texts = [json.dumps(document, indent=2 if indented else None) for document in documents]
    return "\n".join(texts).splitlines()


APT = (
    "RUN --mount=type=bind,source=a/add-code.sh,target=/run/build-steps/add-code.sh     touch /tmp/stamp; "
    "/run/build-steps/apt-install.sh tini;     /run/build-steps/seal-layer.sh /tmp/stamp"
)


@pytest.mark.parametrize("indented", [True, False])
def test_events_come_in_order_from_either_layout(indented: bool) -> None:
    log = BuildLog()
    lines = lines_of(
        vertex("1", "[internal] load local bake definitions", started=at(0), completed=at(1)),
        vertex("2", "[chat internal] load build context", started=at(0), completed=at(1)),
        vertex("3", f"[root 2/2] {APT}", started=at(1)),
        vertex("3", f"[root 2/2] {APT}", started=at(1), completed=at(3.5)),
        vertex("4", "[redis 2/4] WORKDIR /data", started=at(4), completed=at(4), cached=True),
        indented=indented,
    )
    assert list(log.events(["#0 building with default", *lines])) == [
        StepEvent("root", "building", "apt-install.sh tini"),
        StepEvent("root", "built", "apt-install.sh tini"),
        StepEvent("redis", "building", "WORKDIR /data"),
        StepEvent("redis", "cached", "WORKDIR /data"),
    ]
    assert log.remarks == ["#0 building with default"]
    assert log.seconds("root") == pytest.approx(2.5)
    assert log.failure() is None


def test_a_shared_step_belongs_to_the_image_whose_recipe_has_it() -> None:
    events = BuildLog().events(lines_of(vertex("1", "[research web 1/2] RUN x", started=at(1))))
    assert [event.target for event in events] == ["web"]


def test_time_spent_waiting_or_twice_at_once_is_not_counted() -> None:
    log = BuildLog()
    spans = [(0, 2), (1, 3), (10, 11)]
    documents = [
        vertex(str(number), f"[ai {number + 1}/3] RUN {number}", started=at(start), completed=at(end))
        for number, (start, end) in enumerate(spans)
    ]
    assert list(log.events(lines_of(*documents)))
    assert log.seconds("ai") == pytest.approx(4)


def test_a_failure_names_the_step_that_failed_and_not_one_that_was_cancelled() -> None:
    log = BuildLog()
    data = base64.b64encode(b"first\nE: no space left on device\n").decode()
    documents = [
        vertex("1", "[ai 1/2] RUN a", started=at(1)),
        vertex("2", f"[redis 1/2] {APT}", started=at(1)),
        {"logs": [{"vertex": "2", "stream": 2, "data": data}]},
        vertex("1", "[ai 1/2] RUN a", started=at(1), completed=at(2), error="context canceled"),
        vertex("2", f"[redis 1/2] {APT}", started=at(1), completed=at(3), error="exit code: 100"),
    ]
    assert len(list(log.events(lines_of(*documents)))) == 2
    failure = log.failure()
    assert failure is not None
    assert (failure.target, failure.what) == ("redis", "apt-install.sh tini")
    assert failure.log == ("first", "E: no space left on device")
    assert "disk is full" in explain_build_failure("\n".join(failure.log))


def test_a_cut_off_stream_loses_nothing_that_was_said() -> None:
    log = BuildLog()
    assert list(log.events(["{", '  "vertexes": ['])) == []
    assert log.remarks == ["{", '  "vertexes": [']


def test_long_instructions_are_shortened() -> None:
    assert describe_step("RUN --mount=type=tmpfs,target=/tmp echo") == "RUN echo"
    assert len(describe_step("RUN " + "x" * 500)) == 100


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("write /x: no space left on device", "disk is full"),
        ("error: Hash mismatch for `torch`", "isn't the one that was pinned"),
        ("invalid peer certificate: UnknownIssuer", "PIP_CERT"),
        ("E: Unable to locate package tini", "apt"),
        ("No solution found when resolving dependencies", "index"),
        ("407 Proxy Authentication Required", "credentials"),
        ("Temporary failure resolving 'mirror.example'", "network"),
        ("process did not complete: exit code: 137", "memory"),
        ("something else", "lines above"),
    ],
)
def test_a_failures_cause_has_its_own_hint(output: str, words: str) -> None:
    assert words in explain_build_failure(output)
