"""Ask the programs that know about vulnerabilities and updates: pip-audit, debsecan, apt.

Each answers, or is Unreached with the reason: no answer is never taken for a clean one.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.adapters import process
from autobot_ops.audit.packages import Contents
from autobot_ops.audit.reports import (
    DEBSECAN,
    PIP_AUDIT,
    UnreadableReport,
    parse_debsecan,
    parse_pip_audit,
    parse_upgrade,
)
from autobot_ops.audit.results import Flaw, Unreached, Update
from autobot_ops.errors import ExternalCommandFailed
from autobot_ops.stack.host_apt import HostApt

SECONDS = 300
SUITE = "bookworm"
EXAMPLES = 3


@dataclass(frozen=True)
class Found:
    """What one source said of one image."""

    flaws: tuple[Flaw, ...] = ()
    unreached: tuple[Unreached, ...] = ()


def ask_pip_audit(program: Path | None, contents: Contents) -> Found:
    """Known flaws of an image's Python packages. `program` is None where pip-audit isn't installed.

    pip-audit ends well, with no flaw, where the index has no page for a package: a mirror without
    advisories would look clean. What it skipped is therefore counted as not reached.
    """
    if not contents.python:
        return Found()
    if program is None or not program.exists():
        return _unreached(PIP_AUDIT, "it isn't installed; nox -s audit makes an environment for it")
    with tempfile.TemporaryDirectory(prefix="autobot-audit-") as folder:
        pins, output = Path(folder, "requirements.txt"), Path(folder, "report.json")
        pins.write_text(contents.pins)
        command = [
            *(str(program), "--requirement", str(pins), "--no-deps", "--disable-pip"),
            *("--format", "json", "--output", str(output), "--progress-spinner", "off"),
        ]
        try:
            process.query(command, timeout=SECONDS)
        except process.CommandFailed as error:
            # With flaws it fails as well, after it has written its report.
            if not output.exists():
                return _unreached(PIP_AUDIT, f"its advisories don't answer: {_kind(error)}")
        except ExternalCommandFailed as error:
            return _unreached(PIP_AUDIT, error.message)
        return read_pip_audit(output.read_text(), len(contents.python))


def read_pip_audit(report: str, packages: int) -> Found:
    """Its report on so many packages. Pure."""
    try:
        flaws, skipped = parse_pip_audit(report)
    except UnreadableReport as error:
        return _unreached(PIP_AUDIT, str(error))
    if not skipped:
        return Found(flaws)
    some = ", ".join(sorted(skipped)[:EXAMPLES]) + (", …" if len(skipped) > EXAMPLES else "")
    reason = (
        "the index answers without advisories, as mirrors do"
        if len(skipped) == packages
        else f"the index has no advisories for {some} ({len(skipped)} of {packages} packages)"
    )
    return Found(flaws, (Unreached(source=PIP_AUDIT, reason=reason),))


def ask_debsecan(program: Path | None, contents: Contents) -> Found:
    """Known flaws of an image's Debian packages, from Debian's security tracker; see find_debsecan."""
    if not contents.debian:
        return Found()
    if program is None:
        return _unreached(DEBSECAN, "it isn't installed, and no mirror has it: apt-get install debsecan")
    with tempfile.NamedTemporaryFile("w", prefix="autobot-audit-", suffix=".status") as status:
        status.write(contents.status)
        status.flush()
        command = [str(program), "--suite", SUITE, "--status", status.name, "--format", "detail"]
        try:
            return Found(parse_debsecan(process.query(command, timeout=SECONDS)))
        except process.CommandFailed as error:
            return _unreached(DEBSECAN, f"Debian's security tracker doesn't answer: {_last_line(error)}")
        except (ExternalCommandFailed, UnreadableReport) as error:
            return _unreached(DEBSECAN, str(error))


class PackageMirror:
    """The host's own mirror of Debian, as image builds use it, with lists of its own in a folder."""

    def __init__(self, folder: Path, apt: HostApt) -> None:
        self._folder = folder
        self._apt = apt

    def refresh(self) -> bool:
        """Fetch the mirror's lists; False where the host has no mirror, or it doesn't answer."""
        if not self._apt.sources:
            return False
        for name in ("lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "sources.list").write_text(self._apt.sources)
        (self._folder / "apt.conf").write_text(self._apt.options)
        try:
            # Without the first option a mirror that is away is only a warning.
            self._query("--option=APT::Update::Error-Mode=any", "update")
        except ExternalCommandFailed:
            return False
        return True

    def updates(self, contents: Contents) -> tuple[Update, ...]:
        """What a new build would install in place of an image's packages. Raises ExternalCommandFailed."""
        status = self._folder / "status"
        status.write_text(contents.status)
        return parse_upgrade(
            self._query(f"--option=Dir::State::status={status}", "--simulate", "--quiet", "upgrade")
        )

    def program(self, package: str) -> Path | None:
        """A program out of the package of its name, unpacked, not installed; None where it can't be had."""
        target = self._folder / package
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            self._query("--quiet", "download", package, folder=target)
            (archive,) = target.glob("*.deb")
            process.query(["dpkg-deb", "--extract", str(archive), str(target)])
        except (ExternalCommandFailed, ValueError):
            return None
        found = target / "usr/bin" / package
        return found if found.exists() else None

    def _query(self, *arguments: str, folder: Path | None = None) -> str:
        folders = {
            "Dir::State::lists": "lists",
            "Dir::Cache": "cache",
            "Dir::Etc::SourceList": "sources.list",
        }
        options = [f"--option={name}={self._folder / place}" for name, place in folders.items()]
        # The folder may lie where apt's own user can't go.
        fixed = ("--option=Dir::Etc::SourceParts=/dev/null", "--option=APT::Sandbox::User=root")
        variables = {"APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C"}
        return process.query(
            ["apt-get", *options, *fixed, *arguments], env=variables, cwd=folder, timeout=SECONDS
        )


def find_debsecan(mirror: PackageMirror | None) -> Path | None:
    """The host's debsecan, else the mirror's, else None."""
    installed = shutil.which(DEBSECAN)
    if installed is not None:
        return Path(installed)
    return mirror.program(DEBSECAN) if mirror is not None else None


def _unreached(source: str, reason: str) -> Found:
    return Found(unreached=(Unreached(source=source, reason=reason),))


def _last_line(error: process.CommandFailed) -> str:
    lines = [line.strip().removeprefix("error: ") for line in error.output.splitlines() if line.strip()]
    return lines[-1] if lines else error.message


def _kind(error: process.CommandFailed) -> str:
    """What kind of error a Python program ended with: the rest of the line may hold an index's address."""
    return _last_line(error).partition(":")[0].rpartition(".")[2]
