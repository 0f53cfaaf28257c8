"""`inv` called in this process, on a project whose state and archives are in the test's own folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from autobot_ops.backup.key_file import KEY_FILE
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.command import ROOT
from autobot_ops.settings import Settings, load_settings
from tests.inv_in_process import Inv, call_inv
from tests.unit.backup.archives import KEYS

PROJECT = "verbs"


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
def inv(settings: Settings) -> Inv:
    """Call a verb as the command line does."""
    return call_inv
