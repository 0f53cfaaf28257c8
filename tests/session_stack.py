"""The stack of a session that changes it as it likes: faults, load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from autobot_ops.catalog import load_catalogs
from tests.integration import live
from tests.integration.claims import CheckoutInUse, NoFreePorts

REFUSED = 4
"""pytest's exit status for a command line that can't be carried out."""


@contextmanager
def session_stack(config: pytest.Config, root: Path) -> Iterator[live.Stack]:
    """A stack of the session's own, removed at the end unless `--keep`; with `--reuse NAME` that one."""
    catalogs = load_catalogs(root)
    engine = docker.from_env()
    name = config.getoption("--reuse")
    live.PERMISSION.granted = True
    try:
        if name is None:
            with live.own_stack(engine, catalogs, keep=config.getoption("--keep")) as made:
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
