"""What is known to be wrong with a container's packages: S32. Pure."""

from __future__ import annotations

from autobot_ops.security.answers import Answer, Verdict, judged, unknown
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, StackFacts


def nothing_fixable(container: Container, facts: StackFacts) -> Answer:
    """S32. Yes only where every source of vulnerability data answered the last audit of this very image."""
    audit = facts.audits.get(container.inspect["Config"].get("Image") or "")
    if audit is None:
        return unknown("this image was not audited: nox -s audit")
    answer = judged(audit.fixable)
    if answer.verdict is Verdict.YES and audit.unreached:
        return unknown(f"the audit of {audit.day} could not reach {', '.join(audit.unreached)}")
    return answer


CHECKS = (Check("S32", "no fixable vulnerability of weight (pip-audit, debsecan)", nothing_fixable),)
