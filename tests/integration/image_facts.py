"""What is known of an image: what the engine says, and what one container of it found inside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import docker

INSIDE = Path(__file__).with_name("inside_image.py")
TIMEOUT_SECONDS = 300
RIGHTS = ("DAC_READ_SEARCH", "SETUID", "SETGID")
"""What the shell inside needs: to read every folder, and to become the image's own user for Python."""

LOOK_AROUND = r"""
set -eu
user=$1 group=$2
shift 2
find / -xdev \( -type f -o -type l \) -printf '%y %m %s %Ts %p\n'
if [ -x /opt/venv/bin/python ]; then
    setpriv --reuid="$user" --regid="$group" --clear-groups --no-new-privs python - "$@"
fi
"""
"""Every file as a line: type, mode, bytes, time, path; then what inside_image.py prints, where Python is."""


class File(NamedTuple):
    """A file of an image or a link (`kind` is `f` or `l`); `time` is in seconds since 1970."""

    kind: str
    mode: int
    size: int
    time: int


@dataclass(frozen=True)
class Facts:
    """One image. `layers` are the sizes of its history's steps in bytes, the oldest first."""

    reference: str
    size_bytes: int
    user: str
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    layers: tuple[int, ...]
    files: Mapping[str, File]
    python: Mapping[str, Any]
    """What inside_image.py found; empty where there is no Python."""


def gather_facts(
    engine: docker.DockerClient, reference: str, *, packages: Sequence[str], modules: Sequence[str]
) -> Facts:
    """Inspect the image and run one container of it; `packages` and `modules` are imported there."""
    image = engine.images.get(reference)
    config = image.attrs["Config"]
    user, _, group = config["User"].partition(":")
    lines = _look_around(reference, [user or "0", group or "0", *packages, "--", *modules])
    return Facts(
        reference=reference,
        size_bytes=image.attrs["Size"],
        user=config["User"],
        entrypoint=tuple(config["Entrypoint"] or ()),
        environment=dict(entry.split("=", 1) for entry in config["Env"]),
        labels=config["Labels"] or {},
        layers=tuple(step["Size"] for step in reversed(image.history())),
        files=parse_files(line for line in lines if line[1:2] == " "),
        python=json.loads(lines[-1]) if lines[-1].startswith("{") else {},
    )


def parse_files(lines: Iterable[str]) -> dict[str, File]:
    """Files by path, from what LOOK_AROUND prints."""
    files: dict[str, File] = {}
    for line in lines:
        kind, mode, size, time, path = line.split(" ", 4)
        files[path] = File(kind, int(mode, 8), int(size), int(time))
    return files


def _look_around(reference: str, arguments: list[str]) -> list[str]:
    """What a container prints that has a read-only root, no network, and /tmp alone to write to."""
    rights = [f"--cap-add={right}" for right in RIGHTS]
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", "--read-only", "--network=none", "--cap-drop=ALL", *rights,
         "--user=0:0", "--tmpfs=/tmp", "--entrypoint=/bin/sh", reference,
         "-c", LOOK_AROUND, "sh", *arguments],
        input=INSIDE.read_text(), capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, f"{reference}: {done.stderr}"
    return done.stdout.splitlines()
