"""For `nox -s coverage`: child processes are measured too, also those that get an environment of their own.

Loaded with `-p tests.measured_children`, by that session alone. Coverage announces itself to children
by a variable; a test that starts an agent with the variables of its container would lose it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any

VARIABLE = "COVERAGE_PROCESS_CONFIG"


def pytest_configure() -> None:
    """From here on every child process has coverage's variable."""
    start = subprocess.Popen.__init__

    def start_measured(self: subprocess.Popen[Any], *arguments: Any, **options: Any) -> None:
        environment: Mapping[str, str] | None = options.get("env")
        if environment is not None:
            options["env"] = {**environment, VARIABLE: os.environ[VARIABLE]}
        start(self, *arguments, **options)

    subprocess.Popen.__init__ = start_measured  # type: ignore[method-assign]
