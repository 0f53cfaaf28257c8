"""Is everything there? The target's stream met with what the source held, key by key."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

from autobot_ops.migration.comparing import MOST_NAMED
from autobot_ops.migration.conflicts import REPLACING
from autobot_ops.migration.plan_file import DIGEST_MASK
from autobot_ops.transfer.applying import Brought, Work
from autobot_ops.transfer.survey import Fate, KeySet, is_over, look, meet, named

CHANGED, GONE = "changed since it was brought", "gone"


@dataclass(frozen=True)
class Verdict:
    """What should be in a target and what is, as counts and sums of the keys' digests (63 bits)."""

    expected: tuple[int, int]
    found: tuple[int, int]

    @property
    def agrees(self) -> bool:
        """Whether every key is as the source had it."""
        return self.expected == self.found


@dataclass
class Verified:
    """`differences` names keys by what is wrong. `unproven` are all that may not be deleted in the source."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    differences: dict[bytes, str] = field(default_factory=dict)
    differing: int = 0
    expired: int = 0
    unproven: KeySet = field(default_factory=KeySet)


def verify(work: Work, brought: Brought) -> Verified:
    """Compare with a stream of the target, taken after the last key was written."""
    content = work.content
    outside = [KeySet(map(hash, brought.left))]
    if work.choice not in REPLACING:
        outside.append(work.fates.sets[Fate.CONFLICT])

    def place(name: int, number: int) -> int | None:
        return None if any(each.has(name) for each in outside) else number

    expected, found = ({number: [0, 0] for number in content.parts} for _ in range(2))
    wrong: dict[int, tuple[int, int, int | None]] = {}
    streams = work.target.session.streams
    with closing(look(streams, content.parts, content.version, work.run.path)) as spool:
        for name, number, digest, present in meet(content, spool, place):
            _count(expected[number], digest)
            _count(found[number], present)
            if present != digest:
                wrong[name] = (number, digest, present)
    now = work.target.clock()()
    verified = Verified(unproven=KeySet(wrong))
    for key, expiry in named(work.copy, verified.unproven):
        number, digest, present = wrong[hash(key)]
        if present is None and is_over(expiry, now):
            verified.expired += 1
            _count(expected[number], digest, -1)
            continue
        verified.differing += 1
        if len(verified.differences) < MOST_NAMED:
            verified.differences[key] = GONE if present is None else CHANGED
    verified.verdicts = {
        number: Verdict((count, total & DIGEST_MASK), (found[number][0], found[number][1] & DIGEST_MASK))
        for number, (count, total) in expected.items()
    }
    return verified


def _count(counted: list[int], digest: int | None, times: int = 1) -> None:
    if digest is not None:
        counted[0] += times
        counted[1] += times * digest
