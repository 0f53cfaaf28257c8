"""A failed service as a person reads it: cause, fix, and the evidence."""

from __future__ import annotations

from autobot_ops.adapters import containers
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.stack.diagnosis import Evidence, diagnose
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.watch import Failure

LOG_LINES = 15

_NOISE = "Deprecation warning: Allowing a first arg"
"""Redis 7.0 says this thirty times of our `+select|N`, which later servers replace."""


class StackFailure(ServiceUnreachable):
    """A service failed. The message has service and cause, the hint the fix, `report` the evidence."""

    def __init__(self, message: str, *, hint: str, report: str, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.report = report
        self.exit_code = exit_code


def watched_failure(stack: Stack, failure: Failure) -> StackFailure:
    """What a person reads of a failure: cause and fix, with the evidence."""
    state = failure.state
    lines: list[str] = []
    if state:
        # Of the last run only: before it, a service that keeps ending has said the same again and again.
        began = state.started.timestamp() if state.started else 0
        lines = containers.last_log_lines(stack.client, state.id, 10 * LOG_LINES, since=began)
    telling = [line for line in lines if _NOISE not in line]
    return failure_of(Evidence(failure.service, state, telling[-LOG_LINES:]))


def failure_of(evidence: Evidence) -> StackFailure:
    """The error that ends `inv up`, with its diagnosis."""
    diagnosis = diagnose(evidence)
    return StackFailure(
        f"{evidence.service} failed: {diagnosis.cause}",
        hint=diagnosis.fix,
        report=render_evidence(evidence),
        exit_code=diagnosis.exit_code,
    )


def render_evidence(evidence: Evidence) -> str:
    """The evidence for a person: state, last probe, last log lines."""
    state = evidence.state
    lines = [f"{evidence.service}: {state.word if state else 'not created'}"]
    if state:
        if state.status != "running":
            lines[0] += f", exit code {state.exit_code}"
        if state.restarts:
            lines[0] += f", {state.restarts} restarts"
    if evidence.complaint:
        lines += ["the engine says:", f"  {evidence.complaint.strip()}"]
    if state and state.last_probe and state.last_probe.exit_code:
        lines += ["last probe:", *(f"  {line}" for line in state.last_probe.output.splitlines())]
    if evidence.log_lines:
        lines += ["last lines of its log:", *(f"  {line}" for line in evidence.log_lines)]
    return "\n".join(lines)
