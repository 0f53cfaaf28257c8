"""`inv restore --all`: an empty Redis of this stack from the newest archives, the fast way.

The agents are stopped, then Redis; the joint RDB goes through a container of Redis' image into its volume;
Redis loads it when it starts. What was running before runs again at the end, whatever happened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from autobot_ops.adapters import process
from autobot_ops.backup.manifest import DatabasePart, FilePart
from autobot_ops.backup.parts import open_part
from autobot_ops.rdb.fingerprint import Fingerprinter
from autobot_ops.restore.archive import ArchivePart, PlainFile
from autobot_ops.restore.choice import Choice, choose_all
from autobot_ops.restore.lock import restoring_alone
from autobot_ops.restore.whole import (
    INSTALL,
    KEEP,
    TAKE_BACK,
    WholePart,
    compare_whole,
    merge_parts,
    refuse_keys,
)
from autobot_ops.stack.archives import listed_archives, stack_keys
from autobot_ops.stack.compose import Compose
from autobot_ops.stack.references import images_to_run
from autobot_ops.stack.restore import place_of, restore_server
from autobot_ops.stack.stack import DATA_SERVICES, Stack

REDIS = "redis"
Say = Callable[[str], object]


@dataclass(frozen=True)
class WholePlan:
    """Which archive each database comes from; `missing` are databases of which there is none."""

    choices: dict[str, Choice[DatabasePart]]
    missing: tuple[str, ...]

    @property
    def archives(self) -> list[str]:
        """The archives that are needed, the oldest first."""
        return sorted({choice.archive.id for choice in self.choices.values()})

    @property
    def steps(self) -> tuple[str, ...]:
        """The plan in words."""
        return (
            *(f"take '{name}' from {choice.archive.id}: {choice.part.keys:,} keys"
              for name, choice in self.choices.items()),
            *(f"leave '{name}' empty: no archive has it" for name in self.missing),
            "stop the agents and redis, which must be empty",
            "put all into redis' volume, start it, and compare every database with its archive",
            "start again what was running",
        )  # fmt: skip


def plan_whole(stack: Stack, before: datetime | None) -> WholePlan:
    """The newest usable archive of each database. Raises NoSuchArchive, KeyFileUnusable, StorageFailed."""
    tiers = stack.catalogs.tiers
    names = [name for name, row in stack.catalogs.databases.items() if tiers[row.tier].frequency != "never"]
    stack_keys(stack)  # without them the manifests' seals would go unchecked
    choices = choose_all(listed_archives(stack).archives, names, before=before)
    return WholePlan(choices, tuple(name for name in names if name not in choices))


def restore_whole(stack: Stack, plan: WholePlan, say: Say) -> dict[str, int]:
    """Do it; keys by database name. Raises NotEmpty and ContentDiffers; the former state is then back."""
    compose = stack.compose(images_to_run(stack, os.environ))
    with ExitStack() as held:
        held.enter_context(restoring_alone(stack.settings.project_state_dir))
        for choice in plan.choices.values():
            held.enter_context(place_of(stack, choice.archive).reading(choice.archive.id))
        held.enter_context(_agents_stopped(stack, compose))
        _start(stack, compose)
        refuse_keys(restore_server(stack).observe())
        say("stopping redis")
        compose.query("stop", REDIS)
        try:
            began_at = int(time.time() * 1000)
            contents = _install(stack, compose, plan, began_at, say)
            say("starting redis")
            _start(stack, compose)
            server = restore_server(stack)
            compare_whole(server.stream, contents, began_at, server.clock()())
        except BaseException:
            say("putting the former, empty content back")
            compose.query("stop", REDIS)
            _in_volume(compose, TAKE_BACK)
            _start(stack, compose)
            raise
        _in_volume(compose, KEEP)
    return {name: choice.part.keys for name, choice in plan.choices.items()}


def _install(
    stack: Stack, compose: Compose, plan: WholePlan, began_at: int, say: Say
) -> dict[int, Fingerprinter]:
    parts, instance, header = _parts(stack, plan)

    def report(size: int) -> None:
        say(f"{size:,} bytes")

    argv = compose.command(*_run_words(INSTALL))
    with process.converse(argv, env=compose.environment, cwd=compose.root) as child:
        contents = merge_parts(
            parts, instance, child, header=header, began_at=began_at,
            report=report,
        )  # fmt: skip
        child.end_input()
        child.finish()
    return contents


def _parts(stack: Stack, plan: WholePlan) -> tuple[list[WholePart], PlainFile | None, bytes]:
    keys = stack_keys(stack)

    def opener(choice: Choice[DatabasePart], part: FilePart) -> PlainFile:
        place = place_of(stack, choice.archive)
        return lambda: open_part(place, choice.archive.id, part, keys.identities)

    parts, headers, instance = [], [b""], None
    for name, choice in plan.choices.items():
        archive_id, manifest = choice.archive.id, choice.archive.manifest
        assert manifest is not None  # noqa: S101 - choose_archive passes over those without
        number = stack.catalogs.databases[name].number
        parts.append(WholePart(ArchivePart(archive_id, choice.part, opener(choice, choice.part)), number))
        headers.append(manifest.server.rdb_header.encode())
        if manifest.instance is not None:
            instance = opener(choice, manifest.instance)
    return parts, instance, max(headers)


@contextmanager
def _agents_stopped(stack: Stack, compose: Compose) -> Iterator[None]:
    """Without the agents, which write as soon as they run; those that ran are started again."""
    running = [
        service
        for service, state in stack.observe().items()
        if state.status == "running" and service not in DATA_SERVICES
    ]
    if running:
        compose.query("stop", "--timeout", str(stack.settings.stop_timeout), *running)
    try:
        yield
    finally:
        if running:
            compose.query("start", *running)


def _start(stack: Stack, compose: Compose) -> None:
    seconds = stack.settings.up_timeout
    compose.query("up", "--detach", "--no-deps", "--wait", "--wait-timeout", str(seconds), REDIS)


def _in_volume(compose: Compose, script: str) -> None:
    compose.query(*_run_words(script))


def _run_words(script: str) -> Sequence[str]:
    return ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "sh", REDIS, "-c", script)
