"""Heavy preparation in the background: models, migrations, indexes. The server answers meanwhile.

A failure is logged and tried again with growing pauses, so an agent whose database comes up late
becomes ready with no hand.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

State = Literal["loading", "ready", "failed", "stopped"]


class BackgroundLoad:
    """Runs `load` in a thread until it succeeds once or `stop` is called."""

    def __init__(self, load: Callable[[], None], *, first_pause: float = FIRST_PAUSE_SECONDS) -> None:
        self._load = load
        self._first_pause = first_pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agent-load", daemon=True)
        self.state: State = "loading"
        self.error: str | None = None
        self.seconds: float | None = None

    @property
    def ready(self) -> bool:
        """Whether `load` has succeeded."""
        return self.state == "ready"

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """No further attempt. One that runs isn't waited for: torch can't be interrupted, the process can."""
        self._stopping.set()

    def join(self, timeout: float) -> None:
        """Wait until the thread is done, at most `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        pause = self._first_pause
        while not self._stopping.is_set():
            began = time.perf_counter()
            try:
                self._load()
            except Exception as error:
                self.state, self.error = "failed", f"{type(error).__name__}: {error}"
                logger.exception("preparation failed; next attempt in %.0f s", pause)
            else:
                self.state, self.error = "ready", None
                self.seconds = round(time.perf_counter() - began, 3)
                logger.info("ready to serve", extra={"seconds": self.seconds})
                return
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self.state = "stopped"
