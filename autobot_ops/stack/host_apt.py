"""This host's apt sources for Debian bookworm, so that builds fetch packages from where the host does.

apt itself resolves its configuration; nothing here reads its files. A host without apt, or with
another release, gives empty texts, and the root image's own sources hold.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from autobot_ops.adapters import process

_SUITE = re.compile(r"^bookworm(-updates|-security)?$")
_ACCESS = re.compile(
    r"^Acquire::(https?::([\w.-]+::)?(Proxy|Timeout|Verify-Peer|Verify-Host|Pipeline-Depth)"
    r"|Check-Valid-Until|Check-Date|Retries) "
)
"""Options that mean the same inside a build; the others name files and programs of the host."""


@dataclass(frozen=True)
class HostApt:
    """Texts for apt: `sources` in the one-line format, `options` as an apt.conf."""

    sources: str = ""
    options: str = ""


def load_host_apt() -> HostApt:
    """Ask apt; empty where there is none."""
    if shutil.which("apt-get") is None:
        return HostApt()
    targets = process.query(
        [
            "apt-get",
            # What is configured, whether or not it was ever fetched; reading the lists takes seconds.
            "--option=Dir::State::lists=/nonexistent",
            "indextargets",
            "--no-release-info",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ]
    )
    return parse_host_apt(targets, process.query(["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"]))


def parse_host_apt(targets: str, acquire: str) -> HostApt:
    """Keep bookworm's main component from http(s) mirrors, and how mirrors are reached (proxies, dates)."""
    sources = [
        f"deb {fields[0]} {fields[1]} {fields[2]}\n"
        for fields in sorted({tuple(line.split()) for line in targets.splitlines()})
        if len(fields) == 3
        and fields[0].startswith(("http://", "https://"))
        and _SUITE.match(fields[1])
        and fields[2] == "main"
    ]
    if not sources:
        return HostApt()
    options = [f"{line}\n" for line in acquire.splitlines() if _ACCESS.match(line)]
    return HostApt("".join(sources), "".join(options))
