"""Reads what `docker buildx bake --progress=rawjson` writes and turns it into events.

Format: BuildKit's SolveStatus as JSON documents, one after the other, indented by buildx 0.13 and on
one line each by later versions; text that is not JSON stands between them. A step's name starts with a
target, a stage and a count in brackets: `[chat ai 2/3] RUN …`. The stage says whose step it is: a step
that several targets share is printed under any one of them. Pure: no process, no clock, no printing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from autobot_ops.stack.image_graph import target_of_stage

_NAME = re.compile(r"^\[(?:\S+ )?(?P<stage>[a-z-]+) \d+/\d+\] (?P<what>.*)$", re.DOTALL)
_SCRIPT = re.compile(r"/run/build-steps/(?P<call>(?:apt-install|venv-install|add-code)\.sh[^;]*)")
STEP_LENGTH = 100
LOG_LINES = 30
"""Lines of a step's output that a failure keeps."""


@dataclass(frozen=True)
class StepEvent:
    """A step of one image began, ended or was taken from the cache (`state`: building, built, cached)."""

    target: str
    state: str
    what: str


def describe_step(instruction: str) -> str:
    """A recipe's instruction as a person wants to read it: the script that it runs, else without mounts."""
    text = " ".join(word for word in instruction.split() if not word.startswith("--mount"))
    script = _SCRIPT.search(text)
    if script:
        return script["call"]
    return text if len(text) <= STEP_LENGTH else f"{text[: STEP_LENGTH - 3]}..."


@dataclass(frozen=True)
class FailedStep:
    """A step that failed, the last lines of its output, and BuildKit's own error."""

    target: str
    what: str
    log: tuple[str, ...]
    error: str


@dataclass
class _Step:
    target: str
    what: str
    started: float = 0
    completed: float = 0
    error: str = ""
    log: list[str] = field(default_factory=list)


class BuildLog:
    """Collects the steps of one build. `events` is fed with lines; the rest answers afterwards."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}
        self.remarks: list[str] = []
        """Lines that are no progress: buildx's own errors and warnings."""

    def events(self, lines: Iterable[str]) -> Iterator[StepEvent]:
        """Events in the order in which they happen."""
        for document in _documents(lines, self.remarks):
            for vertex in document.get("vertexes") or []:
                yield from self._vertex(vertex)
            for entry in document.get("logs") or []:
                step = self._steps.get(entry["vertex"])
                if step is not None and entry.get("data"):
                    text = base64.b64decode(entry["data"]).decode(errors="replace")
                    step.log = [*step.log, *text.splitlines()][-LOG_LINES:]

    def _vertex(self, vertex: dict[str, Any]) -> Iterator[StepEvent]:
        # What has no count is loading of recipes and contexts, and nothing that a person waits for.
        match = _NAME.match(vertex.get("name", ""))
        target = target_of_stage(match["stage"]) if match else ""
        if match is None or not target:
            return
        step = self._steps.setdefault(vertex["digest"], _Step(target, describe_step(match["what"])))
        started, completed = _seconds(vertex.get("started")), _seconds(vertex.get("completed"))
        if started and not step.started:
            step.started = started
            yield StepEvent(step.target, "building", step.what)
        if completed and not step.completed:
            step.completed = completed
            step.error = vertex.get("error", "")
            if not step.error:
                yield StepEvent(step.target, "cached" if vertex.get("cached") else "built", step.what)

    def seconds(self, target: str) -> float:
        """How long the image's own steps ran. Time that passed waiting for a parent isn't counted."""
        spans = sorted(
            (step.started, step.completed)
            for step in self._steps.values()
            if step.target == target and step.started and step.completed
        )
        total, end = 0.0, 0.0
        for started, completed in spans:
            total += max(0.0, completed - max(started, end))
            end = max(end, completed)
        return total

    def failure(self) -> FailedStep | None:
        """The step that failed, if one did. One that was cancelled because another failed isn't it."""
        failed = [step for step in self._steps.values() if step.error]
        failed.sort(key=lambda step: ("context canceled" in step.error, step.completed))
        if not failed:
            return None
        first = failed[0]
        return FailedStep(first.target, first.what, tuple(first.log), first.error)


def _documents(lines: Iterable[str], remarks: list[str]) -> Iterator[dict[str, Any]]:
    """JSON documents in a stream of lines; every other line goes to `remarks`."""
    pending: list[str] = []
    for line in lines:
        if not pending and not line.startswith("{"):
            if line.strip():
                remarks.append(line)
            continue
        pending.append(line)
        if line == "}" or (len(pending) == 1 and line.endswith("}")):
            yield json.loads("\n".join(pending))
            pending.clear()
    remarks.extend(pending)


def _seconds(timestamp: str | None) -> float:
    """RFC 3339 with nanoseconds to seconds; 0 for none."""
    if not timestamp:
        return 0.0
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", timestamp)).timestamp()
