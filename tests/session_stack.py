"""The stack of a session of live tests: its own, or one that runs already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from autobot_ops.catalog import load_catalogs
from tests.conftest import KEPT
from tests.integration import live
from tests.integration.claims import CheckoutInUse, NoFreePorts

REFUSED = 4
"""pytest's exit status for a command line that can't be carried out."""


@contextmanager
def session_stack(config: pytest.Config, root: Path, name: str | None) -> Iterator[live.Stack]:
    """The stack of that name; without one the session's own, removed at the end unless `--keep`."""
    catalogs = load_catalogs(root)
    engine = docker.from_env()
    keep = config.getoption("--keep")
    try:
        if name is None:
            with live.own_stack(engine, catalogs, keep=keep) as made:
                if keep:
                    config.stash[KEPT] = made.take_down_command
                yield made
        else:
            existing = live.existing_stack(engine, catalogs, name)
            if existing is None:
                pytest.exit(f"there is no stack '{name}': docker compose ls --all", REFUSED)
            yield existing
    except (CheckoutInUse, NoFreePorts) as error:
        pytest.exit(str(error), REFUSED)
    finally:
        engine.close()
