"""Archives that are there: list them, look into one, verify them; and the key that opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import Context

from autobot_ops.command import current_journal, current_stack, recorded, task, verb

if TYPE_CHECKING:
    from datetime import timedelta

    from autobot_ops.backup.listing import ListedArchive

JSON_HELP = "print one JSON document"


@task(name="list", help={"json": JSON_HELP})
@verb
def backup_list(context: Context, json: bool = False) -> None:
    """List all archives of all places: content, size, age, when verified, what is wrong."""
    from datetime import UTC, datetime

    from rich.filesize import decimal

    from autobot_ops import frontend
    from autobot_ops.errors import PartlyDone
    from autobot_ops.stack.archives import listed_archives

    listing = listed_archives(current_stack())
    now = datetime.now(UTC)
    if json:
        frontend.emit_json(
            {
                "archives": list(map(_as_json, listing.archives)),
                "unreachable": listing.unreachable,
                "garbage": listing.garbage,
            }
        )
    elif listing.archives:
        rows = [
            (
                each.id,
                each.tier,
                _age(now - each.taken_at) if each.taken_at else "",
                "" if each.manifest is None else _databases(each),
                f"{each.keys:,}",
                decimal(each.stored_bytes),
                _verified(each, now),
                each.place,
            )
            for each in listing.archives
        ]
        columns = ("archive", "tier", "age", "databases", "keys", "size", "verified", "where")
        frontend.table("", columns, rows)
    else:
        frontend.say("there are no archives")
    for place, names in listing.garbage.items():
        for name in names:
            frontend.say(f"{name} ({place}) was never finished; the next backup clears it away")
    if listing.unreachable:
        said = "; ".join(listing.unreachable.values())
        raise PartlyDone(f"not every place answers: {said}", hint="Check backup_dir and backup_bucket.")


@task(help={"archive": "its name, as backup.list shows it", "json": JSON_HELP})
@verb
def show(context: Context, archive: str, json: bool = False) -> None:
    """Show what is in an archive: where it is, each part with its size, keys and fingerprint."""
    from rich.filesize import decimal

    from autobot_ops import frontend
    from autobot_ops.stack.archives import find_archive

    copies = find_archive(current_stack(), archive)
    readable = next((each.manifest for each in copies if each.manifest), None)
    if json:
        document = readable.model_dump(mode="json") if readable else None
        frontend.emit_json({"copies": list(map(_as_json, copies)), "manifest": document})
        return
    for each in copies:
        state = f"damaged: {each.damage}" if each.damage else _when(each)
        frontend.result(f"{each.id} at {each.place}: {decimal(each.stored_bytes)}, {state}")
    if readable is None:
        return
    server = readable.server
    frontend.result(
        f"project {readable.project}, tier {readable.tier}"
        f"{'' if readable.complete else ' (some of its databases only)'}, "
        f"taken {readable.taken_at:%F %T} UTC by version {readable.tool_version}\n"
        f"redis {server.version}, run {server.run_id}, replication {server.replication_id} "
        f"at {server.replication_offset:,}, {server.rdb_header}\ncatalog {readable.catalog}"
    )
    keys = {part.file: part for part in readable.databases}
    rows = [
        (
            part.file,
            decimal(part.bytes),
            decimal(part.stored_bytes),
            f"{keys[part.file].keys:,}" if part.file in keys else "",
            f"{keys[part.file].keys_with_expiry:,}" if part.file in keys else "",
            keys[part.file].fingerprint.partition(":")[2] if part.file in keys else "",
            part.sha256[:16],
        )
        for part in readable.parts
    ]
    columns = ("part", "plain", "stored", "keys", "with expiry", "fingerprint", "sha256 begins")
    frontend.table("", columns, rows)
    for volume in readable.rebuilt_volumes:
        frontend.result(f"not in it: the volume of {volume.service}, rebuilt from {volume.rebuilt_from}")


@task(
    iterable=["archive", "tier"],
    help={
        "archive": "an archive by its name, may be repeated",
        "tier": "all archives of a tier, may be repeated",
        "all": "all archives",
        "deep": "load every database into a throwaway server too, and compare (the restore drill)",
        "json": JSON_HELP,
    },
)
@verb
@recorded("backup.verify", "archive", "tier", "all", "deep")
def verify(
    context: Context,
    archive: list[str],
    tier: list[str],
    all: bool = False,
    deep: bool = False,
    json: bool = False,
) -> None:
    """Verify archives: checksums, seal, decryption, content; without a choice the newest of each tier."""
    import os

    from autobot_ops import frontend
    from autobot_ops.stack.archives import (
        check_tiers,
        choose_archives,
        deep_checks,
        listed_archives,
        raise_failures,
        verify_chosen,
    )

    stack = current_stack()
    check_tiers(stack, tier)
    listing = listed_archives(stack)
    for reason in listing.unreachable.values():
        frontend.warn(reason)
    chosen = choose_archives(listing.archives, ids=archive, tiers=tier, every=all)
    if context.config.run.dry:
        frontend.result("\n".join(f"would verify {each.id} at {each.place}" for each in chosen))
        return
    total = sum(each.stored_bytes for each in chosen) * (2 if deep else 1)
    done, name = 0, ""
    with frontend.work("verifying", unit="bytes", total=total) as work:

        def watch(more: int) -> None:
            nonlocal done
            done += more
            work.set(done, name)

        def begin(each: ListedArchive) -> None:
            nonlocal name
            name = f"{each.id} at {each.place}"

        checks = deep_checks(stack, os.environ) if deep else None
        results = verify_chosen(stack, chosen, deep=checks, watch=watch, on_archive=begin)
    if json:
        rows = [
            {"id": each.id, "place": each.place, "deep": each.deep, "failure": each.failure}
            for each in results
        ]
        frontend.emit_json({"archives": rows, "unreachable": listing.unreachable})
    elif results:
        frontend.table(
            "",
            ("archive", "where", "result"),
            [(each.id, each.place, each.failure or "ok") for each in results],
        )
    else:
        frontend.say("there are no archives")
    raise_failures(results)


@task(help={"rotate": "put a new key in front; the former ones stay for older archives", "json": JSON_HELP})
@verb
def key(context: Context, rotate: bool = False, json: bool = False) -> None:
    """Show where the backup key is and who can open new archives; never the key itself."""
    from autobot_ops import frontend
    from autobot_ops.backup.key_file import KEY_FILE, load_keys, parse_recipients, rotate_key_file
    from autobot_ops.journal import operation

    settings = current_stack().settings
    path = settings.secrets_dir / KEY_FILE
    keys = load_keys(path)
    others = [str(each) for each in parse_recipients(settings.backup_recipients.split())]
    if rotate and not context.config.run.dry:
        with operation(current_journal(), "backup.key", rotate=True):
            keys = rotate_key_file(path)
        frontend.warn(f"a new backup key is in {path}: keep a copy of the file on another machine")
    if json:
        frontend.emit_json(
            {
                "file": path,
                "recipient": keys.recipient,
                "former_recipients": list(keys.seal_keys)[1:],
                "further_recipients": others,
            }
        )
        return
    frontend.result(f"file: {path}")
    frontend.result(f"new archives are opened by: {keys.recipient} (this file)")
    for recipient in others:
        frontend.result(f"                and by: {recipient} (backup_recipients)")
    for recipient in list(keys.seal_keys)[1:]:
        frontend.result(f"older archives by a former key in the file: {recipient}")


def _as_json(listed: ListedArchive) -> dict[str, Any]:
    manifest = listed.manifest
    return {
        "id": listed.id,
        "place": listed.place,
        "tier": listed.tier,
        "taken_at": listed.taken_at,
        "complete": manifest.complete if manifest else None,
        "databases": [part.name for part in manifest.databases] if manifest else None,
        "keys": listed.keys if manifest else None,
        "stored_bytes": listed.stored_bytes,
        "verified_at": listed.verified_at,
        "deep": listed.deep,
        "damage": listed.damage or None,
    }


def _databases(listed: ListedArchive) -> str:
    assert listed.manifest is not None  # noqa: S101
    names = [part.name for part in listed.manifest.databases]
    names += [f"postgres/{part.content.database}" for part in listed.manifest.postgres]
    names += [f"volume of {part.content.service}" for part in listed.manifest.volumes]
    return ", ".join(names) + ("" if listed.manifest.complete else " (not the whole tier)")


def _verified(listed: ListedArchive, now: Any) -> str:
    if listed.damage:
        return f"failed {listed.damage}"
    if listed.verified_at is None:
        return "never"
    return f"{_age(now - listed.verified_at)} ago" + (", deep" if listed.deep else "")


def _when(listed: ListedArchive) -> str:
    if listed.verified_at is None:
        return "never verified"
    return f"verified {listed.verified_at:%F %T} UTC" + (", deep" if listed.deep else "")


def _age(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    if seconds < 0:
        return f"-{_age(-age)}"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


TASKS = (backup_list, show, verify, key)
