"""`inv` called in this process, on a project whose state and archives are in the test's own folder."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from invoke import Program

import tasks
from autobot_ops import frontend
from autobot_ops.backup.key_file import KEY_FILE
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.command import ROOT
from autobot_ops.settings import Settings, load_settings
from tests.unit.backup.archives import KEYS

PROJECT = "verbs"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    exit_code: int
    output: str
    remarks: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.output)


Inv = Callable[..., Ended]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a project of the test's own; the environment says the same to `inv`."""
    monkeypatch.setenv("AUTOBOT_PROJECT", PROJECT)
    monkeypatch.setenv("AUTOBOT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AUTOBOT_BACKUP_DIR", str(tmp_path / "backups"))
    return load_settings(
        ROOT,
        {
            "AUTOBOT_PROJECT": PROJECT,
            "AUTOBOT_STATE_DIR": str(tmp_path / "state"),
            "AUTOBOT_BACKUP_DIR": str(tmp_path / "backups"),
        },
    )


@pytest.fixture
def place(settings: Settings) -> LocalPlace:
    """Where the project's archives are."""
    return LocalPlace(settings.archives_dir)


@pytest.fixture
def key_file(settings: Settings) -> Path:
    """The key that opens archives which tests write."""
    path = settings.secrets_dir / KEY_FILE
    path.parent.mkdir(parents=True)
    path.write_text(f"{KEYS.identities[0]}\n")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


@pytest.fixture
def inv(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inv:
    """Call a verb as the command line does."""

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(frontend, "emitted_json", [])
        capsys.readouterr()
        exit_code = 0
        try:
            Program(namespace=tasks.namespace).run(["inv", *arguments])
        except SystemExit as end:
            exit_code = int(end.code or 0)
        said = capsys.readouterr()
        return Ended(exit_code, said.out, said.err)

    return call
