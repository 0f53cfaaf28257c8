"""Requests that arrive at a steady rate, whatever becomes of the ones before, and how long each took.

Open loop: a request is sent when it is due. Its seconds count from then, so a server that falls behind can't
hide it by slowing the client down.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx

OUTSTANDING = 64
"""Requests to one endpoint that may wait for their answer; one more than that is an error."""

ANSWER_SECONDS = 60.0
Send = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Endpoint:
    """One kind of request; `send` gets its number, counted from 0."""

    name: str
    per_second: float
    send: Send


@dataclass
class Answers:
    """What became of one endpoint's requests."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    outstanding: int = 0


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent don't exceed. ValueError where there is none. Pure."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


async def drive(endpoints: Sequence[Endpoint], seconds: float) -> dict[str, Answers]:
    """Send for so many seconds, and wait for the last answers."""
    answers = {endpoint.name: Answers() for endpoint in endpoints}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=OUTSTANDING)
    async with (
        httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for endpoint in endpoints:
            tasks.create_task(_arrivals(client, endpoint, answers[endpoint.name], seconds))
    return answers


async def _arrivals(client: httpx.AsyncClient, endpoint: Endpoint, answers: Answers, seconds: float) -> None:
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(seconds * endpoint.per_second)):
            due = began + number / endpoint.per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if answers.outstanding >= OUTSTANDING:
                answers.errors.append(f"{OUTSTANDING} requests wait for their answer already")
                continue
            answers.outstanding += 1
            tasks.create_task(_send(client, endpoint, answers, number, due))


async def _send(
    client: httpx.AsyncClient, endpoint: Endpoint, answers: Answers, number: int, due: float
) -> None:
    try:
        response = await endpoint.send(client, number)
    except httpx.HTTPError as error:
        answers.errors.append(f"{type(error).__name__}: {error}")
    else:
        if not response.is_success:
            answers.errors.append(f"{response.status_code} {response.text}")
    finally:
        answers.seconds.append(time.perf_counter() - due)
        answers.outstanding -= 1
