"""What a backup will take: tiers and databases, as data. Pure: no Redis, no clock, no printing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autobot_ops.catalog import Catalogs
from autobot_ops.catalog.load import UnknownName
from autobot_ops.catalog.models import Frequency
from autobot_ops.errors import ConfigurationError

TIER_OF_THE_INSTANCE = "critical"
"""Function libraries and PostgreSQL belong to no database of the catalog; this tier takes them."""


class NothingAsked(ConfigurationError):
    """No tier and no database was named."""


class NeverBackedUp(ConfigurationError):
    """The tier's frequency is `never`, so no archive holds its databases."""


@dataclass(frozen=True)
class PlannedDatabase:
    """A database that an archive will hold."""

    name: str
    number: int
    encrypted: bool


@dataclass(frozen=True)
class PlannedArchive:
    """One archive: a tier, or some of its databases.

    `complete` says that it takes the whole tier. `instance` and `postgres`: the server's function libraries
    and the databases of PostgreSQL go with it.
    """

    tier: str
    databases: tuple[PlannedDatabase, ...]
    complete: bool
    instance: bool = False
    postgres: bool = False

    def __str__(self) -> str:
        parts = [each.name if each.encrypted else f"{each.name} (not encrypted)" for each in self.databases]
        parts += ["function libraries"] if self.instance else []
        parts += ["postgres"] if self.postgres else []
        return f"archive {self.tier}: {', '.join(parts)}"


def backed_up_tiers(catalogs: Catalogs) -> tuple[str, ...]:
    """Names of the tiers that archives are made of, in the catalog's order."""
    return tuple(name for name, tier in catalogs.tiers.items() if tier.frequency is not Frequency.NEVER)


def plan_backup(
    catalogs: Catalogs, *, tiers: Iterable[str] = (), databases: Sequence[str] = (), encrypt_all: bool = True
) -> tuple[PlannedArchive, ...]:
    """Archives for whole tiers, and for single databases of other tiers; from one stream.

    With `encrypt_all` every part is encrypted, without it those whose security level asks for it, and
    the instance and PostgreSQL. Raises UnknownName, NeverBackedUp and NothingAsked.
    """
    whole = [_checked_tier(catalogs, name) for name in dict.fromkeys(tiers)]
    single = list(dict.fromkeys(databases))
    for name in single:
        _checked_tier(catalogs, catalogs.database(name).tier)
    if not whole and not single:
        known = ", ".join(backed_up_tiers(catalogs))
        raise NothingAsked(
            "a backup of what?", hint=f"Name a tier (--tier {known}), a database (--database NAME), or --all."
        )

    def planned(name: str) -> PlannedDatabase:
        row = catalogs.databases[name]
        required = catalogs.security_levels[row.security_level].encryption
        return PlannedDatabase(name, row.number, encrypted=encrypt_all or required)

    archives = []
    for tier in backed_up_tiers(catalogs):
        of_tier = [name for name, row in catalogs.databases.items() if row.tier == tier]
        complete = tier in whole
        chosen = of_tier if complete else [name for name in of_tier if name in single]
        if not chosen and not complete:
            continue
        takes_instance = complete and tier == TIER_OF_THE_INSTANCE
        archives.append(
            PlannedArchive(
                tier,
                tuple(map(planned, chosen)),
                complete=complete,
                instance=takes_instance,
                postgres=takes_instance and any(agent.postgres for agent in catalogs.agents.values()),
            )
        )
    return tuple(archives)


def _checked_tier(catalogs: Catalogs, name: str) -> str:
    if name not in catalogs.tiers:
        raise UnknownName("tier", name, backed_up_tiers(catalogs))
    if catalogs.tiers[name].frequency is Frequency.NEVER:
        raise NeverBackedUp(
            f"the tier '{name}' is never backed up",
            hint="Its frequency in config/redis-databases.yaml says so; use one of "
            f"{', '.join(backed_up_tiers(catalogs))}.",
        )
    return name
