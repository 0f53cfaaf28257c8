"""What a plan says besides its keys: per target what moves, what stays, what must be there afterwards. Pure.

Kept as JSON in the plan file. Names of keys are shown as text here (undecodable bytes as backslashes);
the names that count are in the commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from autobot_ops.migration.routes import SOURCE_NUMBER, Section
from autobot_ops.rdb.fingerprint import Fingerprint

Print = Annotated[
    Fingerprint,
    BeforeValidator(lambda value: Fingerprint.parse(value) if isinstance(value, str) else value),
    PlainSerializer(str, return_type=str),
]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ServerIdentity(_Facts):
    """Which server a plan was made for. `replication_ids` are its present and its former one."""

    address: str
    version: str
    run_id: str = ""
    replication_ids: tuple[str, ...] = ()


class LargestKey(_Facts):
    """One of the largest keys; bytes are those of its entry in the RDB."""

    key: str
    kind: str
    bytes: int


class Part(_Facts):
    """A set of keys: counts, and, where a stream told, fingerprint and largest ones.

    `expiring` are the parts of the fingerprint that expire within a day, as `surviving` takes them; `stored`
    and `stored_expiring` are the same of the entries as the server stores them, see rdb.stored_prints.
    """

    keys: int = 0
    keys_with_expiry: int = 0
    bytes: int = 0
    fingerprint: Print = Fingerprint()
    expiring: Mapping[int, Print] = {}
    stored: Print = Fingerprint()
    stored_expiring: Mapping[int, Print] = {}
    largest: tuple[LargestKey, ...] = ()


class SectionPlan(Part):
    """Keys that move together: their target, and their group where they are one."""

    database_name: str
    database_number: int
    group: str = ""


class Unrouted(_Facts):
    """Keys that no pattern claims, by what their names begin with."""

    prefix: str
    keys: int
    examples: tuple[str, ...]


class Collisions(_Facts):
    """Keys that are in database 0 and in their target too."""

    database_name: str
    different: int = 0
    equal: int = 0
    examples: tuple[str, ...] = ()
    """Of the different ones."""


class MigrationPlan(_Facts):
    """All of it. `began_at` is when the stream began, by the server's clock, in milliseconds.

    `before` has the databases other than 0 that held keys, by number; `stays` what remains in database 0.
    From a scan only names are known: no fingerprints, sizes, expiries or collisions.
    """

    format: Literal[1] = 1
    id: str
    origin: Literal["stream", "scan"]
    server: ServerIdentity
    catalog_digest: str
    routes: tuple[tuple[str, str], ...]
    began_at: int
    stream_bytes: int = 0
    sections: tuple[SectionPlan, ...]
    stays: Part = Part()
    before: Mapping[int, Part] = {}
    unrouted: tuple[Unrouted, ...] = ()
    garbage: tuple[str, ...] = ()
    collisions: tuple[Collisions, ...] = ()

    @property
    def keys(self) -> int:
        """How many keys are to move."""
        return sum(section.keys for section in self.sections)

    @property
    def unrouted_keys(self) -> int:
        """How many keys no pattern claims."""
        return sum(each.keys for each in self.unrouted)

    @property
    def differing(self) -> int:
        """How many keys can't move because another value has their place."""
        return sum(each.different for each in self.collisions)

    @property
    def target_names(self) -> Mapping[int, str]:
        """Names of the targets, by number."""
        return {section.database_number: section.database_name for section in self.sections}

    def moving_to(self, number: int) -> Part:
        """All that moves into one database."""
        return add_parts(section for section in self.sections if section.database_number == number)


def add_parts(parts: Iterable[Part]) -> Part:
    """Several sets of keys as one."""
    total = Part()
    for part in parts:
        largest = sorted((*total.largest, *part.largest), key=lambda each: -each.bytes)[:10]
        total = Part(
            keys=total.keys + part.keys,
            keys_with_expiry=total.keys_with_expiry + part.keys_with_expiry,
            bytes=total.bytes + part.bytes,
            fingerprint=total.fingerprint + part.fingerprint,
            expiring=_add_spans(total.expiring, part.expiring),
            stored=total.stored + part.stored,
            stored_expiring=_add_spans(total.stored_expiring, part.stored_expiring),
            largest=tuple(largest),
        )
    return total


def _add_spans(
    total: Mapping[int, Fingerprint], more: Mapping[int, Fingerprint]
) -> Mapping[int, Fingerprint]:
    return {at: total.get(at, Fingerprint()) + more.get(at, Fingerprint()) for at in {**total, **more}}


def section_plan(section: Section, part: Part) -> SectionPlan:
    """A section with its keys."""
    return SectionPlan(
        database_name=section.database_name,
        database_number=section.database_number,
        group=section.group,
        **{name: getattr(part, name) for name in Part.model_fields},
    )


def stays(section: Section) -> bool:
    """Whether keys of a section are where they belong."""
    return section.database_number == SOURCE_NUMBER


def shown(key: bytes, limit: int = 80) -> str:
    """A key's name for people: undecodable bytes as backslashes, cut where it is long."""
    text = key[: limit * 4].decode("utf-8", "backslashreplace")
    return text if len(text) <= limit else text[:limit] + "…"
