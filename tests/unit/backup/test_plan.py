"""What a backup takes is decided by the catalog alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.backup.plan import NeverBackedUp, NothingAsked, plan_backup
from autobot_ops.catalog import load_catalogs
from autobot_ops.catalog.load import UnknownName

CATALOGS = load_catalogs(Path(__file__).parents[3])
TIERS = ("critical", "important", "optional")


def test_a_tier_takes_all_its_databases() -> None:
    (archive,) = plan_backup(CATALOGS, tiers=["critical"])
    assert str(archive) == "archive critical: main, knowledge, sessions, function libraries, postgres"
    assert archive.complete


def test_all_tiers_take_every_database_but_those_of_testing() -> None:
    archives = plan_backup(CATALOGS, tiers=TIERS)
    assert [archive.tier for archive in archives] == list(TIERS)
    taken = {each.name for archive in archives for each in archive.databases}
    assert taken == set(CATALOGS.databases) - {"testing"}


def test_a_single_database_makes_an_archive_that_says_it_is_partial() -> None:
    (archive,) = plan_backup(CATALOGS, databases=["sessions"])
    assert (archive.tier, archive.complete, archive.postgres) == ("critical", False, False)
    assert [each.name for each in archive.databases] == ["sessions"]


def test_a_database_of_an_asked_tier_is_taken_once() -> None:
    assert plan_backup(CATALOGS, tiers=["critical"], databases=["main"]) == plan_backup(
        CATALOGS, tiers=["critical"]
    )


def test_a_level_that_requires_encryption_gets_it_always() -> None:
    archives = plan_backup(CATALOGS, tiers=TIERS, encrypt_all=False)
    encrypted = {each.name for archive in archives for each in archive.databases if each.encrypted}
    assert encrypted == {"main", "sessions"}
    assert all(each.encrypted for archive in plan_backup(CATALOGS, tiers=TIERS) for each in archive.databases)


def test_testing_is_never_taken() -> None:
    with pytest.raises(NeverBackedUp):
        plan_backup(CATALOGS, tiers=["testing"])
    with pytest.raises(NeverBackedUp):
        plan_backup(CATALOGS, databases=["testing"])


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown tier 'crit'"):
        plan_backup(CATALOGS, tiers=["crit"])
    with pytest.raises(UnknownName, match="unknown database 'session'"):
        plan_backup(CATALOGS, databases=["session"])


def test_nothing_asked_is_nothing_done() -> None:
    with pytest.raises(NothingAsked):
        plan_backup(CATALOGS)
