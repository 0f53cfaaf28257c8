"""Requests at a steady rate while something else happens, and what became of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

Request = Callable[[httpx.Client], httpx.Response]
TIMEOUT_SECONDS = 30.0


@dataclass
class Load:
    """Answers so far. A request fails that gets no answer, or one that isn't a success."""

    answered: list[int]
    """Answers by request, in the order of the requests; none stays at 0 that was sent at all."""
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, request: int, seconds: float, failure: str | None) -> None:
        """Take in the answer to the request at that place."""
        with self._lock:
            self.answered[request] += 1
            self.slowest_seconds = max(self.slowest_seconds, seconds)
            if failure is not None:
                self.failures.append(failure)


@contextmanager
def steady_load(requests: Sequence[Request], *, per_second: float, workers: int = 8) -> Iterator[Load]:
    """Send the requests in turn, `per_second` altogether, until the block ends."""
    load, over = Load([0] * len(requests)), threading.Event()

    def work(number: int) -> None:
        due = time.monotonic() + number / per_second
        with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
            turn = number
            while not over.wait(max(0.0, due - time.monotonic())):
                began = time.monotonic()
                place = turn % len(requests)
                load.count(place, *_send(client, requests[place], began))
                turn += workers
                due = max(due + workers / per_second, time.monotonic())

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)


def _send(client: httpx.Client, request: Request, began: float) -> tuple[float, str | None]:
    try:
        response = request(client)
    except httpx.HTTPError as error:
        return time.monotonic() - began, f"{type(error).__name__}: {error}"
    failure = (
        None if response.is_success else f"{response.request.url}: {response.status_code} {response.text}"
    )
    return time.monotonic() - began, failure
