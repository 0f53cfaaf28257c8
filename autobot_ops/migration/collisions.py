"""Keys of a plan that their target holds already, found from the stream that the plan was made of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from autobot_ops.migration.digest_spool import PARTITIONS, DigestSpool, KeyPlace
from autobot_ops.migration.plan import Collisions, SectionPlan, shown
from autobot_ops.migration.plan_file import Block

EXAMPLES = 5


def find_collisions(
    blocks: Callable[[], Iterable[Block]], sections: Sequence[SectionPlan], targets: DigestSpool, folder: Path
) -> tuple[Collisions, ...]:
    """Compare the plan's keys with those of the targets: equal in value and expiry, or different.

    `blocks` gives the plan's blocks anew each time. Memory: a 256th of the targets' keys.
    """
    if not targets.records:
        return ()
    planned = DigestSpool(folder)
    try:
        for block in blocks():
            number = sections[block.place.section].database_number
            for key, digest in zip(block.names(), block.digests, strict=True):
                planned.add(number, key, digest)
        equal: Counter[int] = Counter()
        different: Counter[int] = Counter()
        examples: defaultdict[int, set[KeyPlace]] = defaultdict(set)
        for place, same in _meetings(planned, targets):
            number = place[1]
            if same:
                equal[number] += 1
            else:
                different[number] += 1
                if len(examples[number]) < EXAMPLES:
                    examples[number].add(place)
    finally:
        planned.close()
    names = _names_of(blocks(), sections, set().union(*examples.values())) if examples else {}
    known = {section.database_number: section.database_name for section in sections}
    return tuple(
        Collisions(
            database_name=known[number],
            different=different[number],
            equal=equal[number],
            examples=tuple(shown(names[place]) for place in examples[number] if place in names),
        )
        for number in sorted({*equal, *different})
    )


def _meetings(planned: DigestSpool, targets: DigestSpool) -> Iterator[tuple[KeyPlace, bool]]:
    """Keys that are in both, and whether their digests are the same."""
    for partition in range(PARTITIONS):
        there = dict(targets.partition(partition))
        for place, digest in planned.partition(partition):
            if place in there:
                yield place, there[place] == digest


def _names_of(
    blocks: Iterable[Block], sections: Sequence[SectionPlan], wanted: set[KeyPlace]
) -> dict[KeyPlace, bytes]:
    names = {}
    for block in blocks:
        number = sections[block.place.section].database_number
        for key in block.names():
            place = (hash(key), number)
            if place in wanted:
                names[place] = key
    return names
