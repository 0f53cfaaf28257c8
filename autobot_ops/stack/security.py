"""`inv security`: look at the running stack, judge it, say what has to be put right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autobot_ops.errors import PartlyDone, ServiceUnreachable
from autobot_ops.security.judgement import SecurityReport, judge
from autobot_ops.stack.security_observation import observe_security
from autobot_ops.stack.stack import Stack


class StackNotRunning(ServiceUnreachable):
    """There is no container to look at."""


class InsecureStack(PartlyDone):
    """A check answers no, or a service of the catalogs has no container."""

    def __init__(self, failures: Sequence[str]) -> None:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        super().__init__(
            f"{failures[0]}{more}",
            hint="docs/security.md says what each check means; a waiver needs a reason that an auditor "
            "would accept.",
        )


@dataclass(frozen=True)
class StackSecurity:
    """The judgement of a stack, and the services of the catalogs that have no container to be judged."""

    report: SecurityReport
    missing: tuple[str, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """What has to be put right, a sentence each."""
        return (*(f"{service} has no container" for service in self.missing), *self.report.failures)


def check_security(stack: Stack) -> StackSecurity:
    """Judge what runs. Raises StackNotRunning where nothing does, DaemonUnreachable."""
    project = stack.settings.project
    if not any(state.status == "running" for state in stack.observe().values()):
        raise StackNotRunning(f"no container of {project} runs", hint="inv up starts the stack.")
    facts = observe_security(stack)
    missing = tuple(name for name in stack.service_names if name not in facts.containers)
    return StackSecurity(judge(facts), missing)
