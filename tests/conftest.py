"""What every kind of test shares."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a copy of the project's configuration, to be spoilt."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path
