"""A whole server from its archives: one RDB that it loads when it starts, put under its append-only file.

Redis with `appendonly yes` ignores a dump file; what it loads is named by the manifest in `appendonlydir`. So
the RDB becomes the base file of such a folder, with an empty file of commands behind it. The folder gets its
name when the RDB has been checked, and the former one (of a server without keys) is kept beside it until
the content was compared: a crash leaves one or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autobot_ops.rdb.fingerprint import Fingerprinter, KeyDigests
from autobot_ops.rdb.merging import Merger
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Output
from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from autobot_ops.rdb.window import Source
from autobot_ops.restore.archive import ArchivePart, PlainFile
from autobot_ops.restore.errors import ContentDiffers, NotEmpty
from autobot_ops.restore.plan import ServerFigures
from autobot_ops.restore.survey import compare

BASE_FILE = "appendonly.aof.1.base.rdb"
COMMANDS_FILE = "appendonly.aof.1.incr.aof"
MANIFEST = f"file {BASE_FILE} seq 1 type b\nfile {COMMANDS_FILE} seq 1 type i\n"

INSTALL = f"""
set -eu
umask 077
new=appendonlydir.restoring
rm -rf "$new" && mkdir "$new"
cat >"$new/{BASE_FILE}"
redis-check-rdb "$new/{BASE_FILE}" >/dev/null || {{ echo 'the file did not arrive whole' >&2; exit 1; }}
: >"$new/{COMMANDS_FILE}"
printf '{MANIFEST.encode("unicode_escape").decode()}' >"$new/appendonly.aof.manifest"
sync
rm -rf appendonlydir.former
[ ! -e appendonlydir ] || mv appendonlydir appendonlydir.former
mv "$new" appendonlydir
sync
"""
"""For a shell in the server's data folder while the server is stopped, with the RDB on its standard input."""

TAKE_BACK = """
set -eu
[ ! -e appendonlydir.former ] || { rm -rf appendonlydir && mv appendonlydir.former appendonlydir; }
"""
"""The former folder in its place again; for a stopped server too."""

KEEP = "rm -rf appendonlydir.former"
"""The end of a restore that was compared."""


@dataclass(frozen=True)
class WholePart:
    """A database in its archive, and its number in the catalog of today."""

    part: ArchivePart
    number: int


def refuse_keys(figures: ServerFigures) -> None:
    """Raise NotEmpty where any database holds keys."""
    filled = {number: keys for number, keys in figures.keys.items() if keys}
    if filled:
        shown = ", ".join(f"{keys} in {number}" for number, keys in sorted(filled.items()))
        raise NotEmpty(
            f"the server holds keys: {shown}",
            hint="This is for an empty server; inv restore --database NAME is for one in use. Agents "
            "write as soon as they run: on a new machine run this before inv up.",
        )


def merge_parts(
    parts: Sequence[WholePart],
    instance: PlainFile | None,
    output: Output,
    *,
    header: bytes,
    began_at: int,
    report: Callable[[int], None] = lambda size: None,
) -> dict[int, Fingerprinter]:
    """Write the joint RDB; what each database must hold then, by number.

    `header` is the newest of the files' (their manifests have it); `began_at` is now, in milliseconds.
    The end mark is written only if every part is what its manifest says: otherwise ContentDiffers or
    what a damaged archive raises, and no server loads the output. `report` gets the bytes so far.
    """
    merger = Merger(output, header)
    if instance is not None:
        with instance() as source:
            for _ in merger.add(source):
                pass
    contents = {}
    for each in parts:
        with each.part.open() as source:
            contents[each.number] = _add(merger, source, each, began_at)
        report(merger.size)
    merger.finish()
    return contents


def _add(merger: Merger, source: Source, each: WholePart, began_at: int) -> Fingerprinter:
    content, figures = Fingerprinter(began_at), each.part.figures
    digests = KeyDigests(merger.dialect)
    keys = 0
    for entry in merger.add(source):
        if entry.database != each.number:
            raise ContentDiffers(
                f"'{figures.name}' was number {entry.database} and is {each.number} now",
                hint=f"Restore it by itself, later: inv restore --database {figures.name}.",
            )
        content.add(digests.of(entry), entry.expires_at)
        keys += 1
    if (keys, str(content.fingerprint)) != (figures.keys, figures.fingerprint):
        raise ContentDiffers(
            f"'{figures.name}' of {each.part.archive} isn't what its manifest says",
            hint="Nothing was changed. Take another archive: inv backup.list.",
        )
    return content


def compare_whole(stream: Endpoint, contents: dict[int, Fingerprinter], began_at: int, now: int) -> None:
    """Compare every database of the running server with what was merged. Raises ContentDiffers."""
    found = {number: Fingerprinter(began_at) for number in contents}
    with ReplicationStream(stream) as source:
        reader = Reader(source)
        digests = None
        for entry in reader:
            digests = digests or KeyDigests(reader.dialect)
            found.setdefault(entry.database, Fingerprinter(began_at)).add(digests.of(entry), entry.expires_at)
    for number, content in found.items():
        expected = contents.get(number, Fingerprinter(began_at))
        compare(expected, content, now, what=f"database {number}")
