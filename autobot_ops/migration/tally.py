"""Adding up sets of keys, and naming those that nobody claims; memory is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autobot_ops.migration.plan import LargestKey, Part, Unrouted, shown
from autobot_ops.rdb.fingerprint import Fingerprinter
from autobot_ops.rdb.layout import Dialect
from autobot_ops.rdb.listing import Row
from autobot_ops.rdb.summary import LargeKey, Summary

MOST_PREFIXES = 500
EXAMPLES = 3
OTHER_PREFIX = "…"
LONGEST_PREFIX = 16


class Tally:
    """Adds up the keys of a section. `began_at` is when the stream began, in milliseconds."""

    def __init__(self, dialect: Dialect, began_at: int) -> None:
        self._types = dialect.types
        self.prints = Fingerprinter(began_at)
        self.stored = Fingerprinter(began_at)
        self.summary = Summary()

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Count in keys."""
        _, digests, stored, expiries, sizes, _ = zip(*rows, strict=True)
        summary = self.summary
        summary.keys += len(rows)
        summary.size += sum(sizes)
        if max(sizes) > summary.least:
            self._keep_largest(rows)
        total, stored_total = sum(digests), sum(stored)
        lasting = expiries.count(None)
        if lasting < len(rows):
            summary.keys_with_expiry += len(rows) - lasting
            for _, digest, as_stored, expires_at, _, _ in rows:
                if expires_at is not None:
                    total -= digest
                    stored_total -= as_stored
                    self.prints.add(digest, expires_at)
                    self.stored.add(as_stored, expires_at)
        self.prints.add_lasting(lasting, total)
        self.stored.add_lasting(lasting, stored_total)

    def _keep_largest(self, rows: Sequence[Row]) -> None:
        for key, _, _, _, size, code in rows:
            if size > self.summary.least:
                self.summary.keep(LargeKey(size, key, self._types[code].kind))


def part_of(count: Tally) -> Part:
    """What a set of keys adds up to."""
    summary = count.summary
    return Part(
        keys=summary.keys,
        keys_with_expiry=summary.keys_with_expiry,
        bytes=summary.size,
        fingerprint=count.prints.fingerprint,
        expiring=count.prints.expiring,
        stored=count.stored.fingerprint,
        stored_expiring=count.stored.expiring,
        largest=tuple(
            LargestKey(key=shown(each.key), kind=each.kind, bytes=each.size) for each in summary.largest
        ),
    )


class UnroutedKeys:
    """Counts keys by what their names begin with."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()
        self._examples: dict[bytes, list[bytes]] = {}

    def add(self, key: bytes) -> None:
        """Count a key."""
        prefix = prefix_of(key)
        if prefix not in self._counts and len(self._counts) >= MOST_PREFIXES:
            prefix = b""
        self._counts[prefix] += 1
        examples = self._examples.setdefault(prefix, [])
        if len(examples) < EXAMPLES:
            examples.append(key)

    def found(self) -> tuple[Unrouted, ...]:
        """The prefixes, the most frequent first."""
        return tuple(
            Unrouted(
                prefix=shown(prefix) if prefix else OTHER_PREFIX,
                keys=count,
                examples=tuple(map(shown, self._examples[prefix])),
            )
            for prefix, count in self._counts.most_common()
        )


def prefix_of(key: bytes) -> bytes:
    """What a name begins with: up to the first of `:/._-`, with it; else its first bytes."""
    for index, byte in enumerate(key[: 4 * LONGEST_PREFIX]):
        if byte in b":/._-":
            return key[: index + 1]
    return key[:LONGEST_PREFIX]
