"""From what a failed container left behind to the likely cause and its fix.

Pure: takes text and numbers, returns words. The rules are tried in order; the first that fits names
the cause, so the more certain ones come first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from autobot_ops.stack.failure_rules import EXTERNAL, RULES, UNREACHABLE
from autobot_ops.stack.health import ContainerState

KILLED = 128 + 9
"""Exit code of a process that SIGKILL ended."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a failure: the container, its last log lines, and what Compose or the daemon says."""

    service: str
    state: ContainerState | None
    log_lines: Sequence[str] = ()
    complaint: str = ""

    @property
    def text(self) -> str:
        """All of it as one text, the surest witness first."""
        state = self.state
        probe = state.last_probe.output if state and state.last_probe else ""
        return "\n".join((self.complaint, state.error if state else "", probe, *self.log_lines))


@dataclass(frozen=True)
class Diagnosis:
    """A likely cause (lowercase, no full stop), the fix (a sentence), and the exit code it stands for."""

    cause: str
    fix: str
    exit_code: int


def diagnose(evidence: Evidence) -> Diagnosis:
    """The likely cause and its fix. Always finds words; the fallback points at the logs."""
    state = evidence.state
    if state and state.out_of_memory:
        return _out_of_memory(evidence.service)
    for rule in RULES:
        if found := list(re.finditer(rule.pattern, evidence.text)):
            words = _words(found)
            cause = rule.cause.format(*words, service=evidence.service)
            return Diagnosis(cause, rule.fix.format(*words, service=evidence.service), rule.exit_code)
    return _by_state(evidence)


def _words(found: Sequence[re.Match[str]]) -> list[str]:
    """What the groups matched. The first is everything that is wrong in the same way, in one list."""
    matched = [[group for group in match.groups() if group] for match in found]
    firsts = dict.fromkeys(groups[0] for groups in matched if groups)
    # Padded, because an alternative may have fewer groups than the words have places.
    return [", ".join(firsts), *matched[0][1:], "", ""]


def _by_state(evidence: Evidence) -> Diagnosis:
    state, read_on = evidence.state, f"Read on: inv logs {evidence.service}"
    if state and state.exit_code == KILLED:
        # The engine forgets its flag when the container starts again; an unasked kill is mostly this.
        return _out_of_memory(evidence.service)
    if state and state.status not in {"running", "created"}:
        return Diagnosis(f"its program ended with exit code {state.exit_code}", read_on, UNREACHABLE)
    if state and state.last_probe:
        return Diagnosis(failed_checks(state.last_probe.output), read_on, UNREACHABLE)
    if evidence.complaint.strip():
        return Diagnosis(evidence.complaint.strip().splitlines()[-1], read_on, EXTERNAL)
    return Diagnosis("it did not become healthy in time", read_on, UNREACHABLE)


def failed_checks(probe_output: str) -> str:
    """Why an agent isn't ready: `reasons` of /readyz, failing `checks` of its health; else the first line."""
    first_line = probe_output.splitlines()[0] if probe_output else "its health check fails without a word"
    try:
        document = json.loads(probe_output)
        reasons = [str(reason) for reason in document.get("reasons", ())]
        reasons += [
            f"{name} ({entry['output']})" if entry.get("output") else name
            for name, entries in document.get("checks", {}).items()
            for entry in entries
            if entry.get("status") == "fail"
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return first_line
    return f"it isn't ready: {', '.join(reasons)}" if reasons else first_line


def _out_of_memory(service: str) -> Diagnosis:
    return Diagnosis(
        "it was killed for lack of memory",
        f"Raise mem_limit of {service} in compose/, or give it less to do; inv status shows the rest.",
        UNREACHABLE,
    )
