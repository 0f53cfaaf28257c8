"""A stack's archives as `inv backup.list`, `show` and `verify` take them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autobot_ops.adapters.containers import engine_facts
from autobot_ops.backup.drill import ContainerDrill
from autobot_ops.backup.dump_check import DumpCheck, in_container
from autobot_ops.backup.errors import DamagedArchive, UnknownArchive
from autobot_ops.backup.key_file import KEY_FILE, BackupKeys, load_keys
from autobot_ops.backup.listing import ListedArchive, Listing, list_archives
from autobot_ops.backup.places import Watch
from autobot_ops.backup.verification import DeepChecks, VerificationFailed, verify_archive
from autobot_ops.catalog.load import UnknownName
from autobot_ops.errors import OpsError
from autobot_ops.stack.references import images_to_run
from autobot_ops.stack.retention import archive_places
from autobot_ops.stack.stack import Stack


@dataclass(frozen=True)
class Verified:
    """How the verification of one archive at one place ended; `failure` is empty where all held."""

    id: str
    place: str
    deep: bool
    failure: str = ""
    error: OpsError | None = None


def stack_keys(stack: Stack) -> BackupKeys:
    """The stack's backup keys; KeyFileUnusable."""
    return load_keys(stack.settings.secrets_dir / KEY_FILE)


def listed_archives(stack: Stack) -> Listing:
    """All archives of all places. Without a key file the seals of their manifests aren't checked."""
    keys = stack_keys(stack) if (stack.settings.secrets_dir / KEY_FILE).exists() else None
    return list_archives(archive_places(stack), keys)


def find_archive(stack: Stack, archive_id: str) -> list[ListedArchive]:
    """An archive's copies, at each place where it is; UnknownArchive where it is nowhere."""
    listing = listed_archives(stack)
    found = [each for each in listing.archives if each.id == archive_id]
    if not found:
        raise UnknownArchive(archive_id, " or ".join(place.name for place in archive_places(stack)))
    return found


def choose_archives(
    archives: Sequence[ListedArchive],
    *,
    ids: Collection[str] = (),
    tiers: Collection[str] = (),
    every: bool = False,
) -> list[ListedArchive]:
    """Those of these ids and tiers, or every one; with none of it the newest of each tier and place. Pure.

    Raises UnknownArchive for an id that is nowhere.
    """
    known = {each.id for each in archives}
    for archive_id in ids:
        if archive_id not in known:
            raise UnknownArchive(archive_id, "any place")
    if every or ids or tiers:
        return [each for each in archives if every or each.id in ids or each.tier in tiers]
    newest = {(each.tier, each.place): each for each in sorted(archives, key=lambda each: each.id)}
    return [each for each in archives if newest[each.tier, each.place] is each]


def deep_checks(stack: Stack, environ: Mapping[str, str]) -> DeepChecks:
    """Throwaway servers of the stack's own images, with half of the engine's memory at the most."""
    images = images_to_run(stack, environ)
    memory = engine_facts(stack.client).memory // 2
    drill = ContainerDrill(images["redis"], stack.settings.project, memory, stack.settings.redis_databases)
    return DeepChecks(drill, DumpCheck(in_container(images["postgres"])))


def check_tiers(stack: Stack, tiers: Collection[str]) -> None:
    """Raise UnknownName for a tier that isn't in the catalog."""
    for tier in tiers:
        if tier not in stack.catalogs.tiers:
            raise UnknownName("tier", tier, list(stack.catalogs.tiers))


def verify_chosen(
    stack: Stack,
    chosen: Sequence[ListedArchive],
    *,
    deep: DeepChecks | None,
    watch: Watch,
    on_archive: Callable[[ListedArchive], object],
) -> list[Verified]:
    """Verify one after the other, whatever becomes of the one before."""
    keys = stack_keys(stack)
    places = {place.name: place for place in archive_places(stack)}
    results = []
    for each in chosen:
        on_archive(each)
        try:
            verify_archive(places[each.place], each.id, keys, now=datetime.now(UTC), deep=deep, watch=watch)
        except OpsError as error:
            results.append(Verified(each.id, each.place, deep is not None, error.message, error))
        else:
            results.append(Verified(each.id, each.place, deep is not None))
    return results


def raise_failures(results: Sequence[Verified]) -> None:
    """Damage counts more than what couldn't be looked at."""
    errors = [each.error for each in results if each.error is not None]
    damaged = [error for error in errors if isinstance(error, DamagedArchive)]
    if len(errors) > 1 and damaged:
        raise VerificationFailed(f"{len(damaged)} of {len(results)} archives are damaged") from damaged[0]
    for error in (*damaged, *errors):
        raise error
