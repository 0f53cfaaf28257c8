"""One check of a health document, and how several make one status.

The format is draft-inadarei-api-health-check-06, `application/health+json`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Status = Literal["pass", "warn", "fail"]
Probe = Callable[[], Awaitable["Check"]]

PROBE_TIMEOUT_SECONDS = 1.0
_SEVERITY: dict[Status, int] = {"pass": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Check:
    """What one probe saw. `output` says in words why the status isn't pass."""

    status: Status
    component_type: Literal["datastore", "system", "component"]
    component_id: str = ""
    observed_value: float | int | str | None = None
    observed_unit: str = ""
    output: str = ""

    def as_document(self) -> dict[str, Any]:
        """The check in the names of the health format; empty members are left out."""
        document: dict[str, Any] = {
            "componentId": self.component_id,
            "componentType": self.component_type,
            "observedValue": self.observed_value,
            "observedUnit": self.observed_unit,
            "status": self.status,
            "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "output": self.output,
        }
        return {name: value for name, value in document.items() if value not in ("", None)}


def worst_status(statuses: Iterable[Status]) -> Status:
    """The most severe of them; pass for none."""
    return max(statuses, key=_SEVERITY.__getitem__, default="pass")


async def run_probes(
    probes: Mapping[str, Probe],
    timeout: float = PROBE_TIMEOUT_SECONDS,
) -> dict[str, Check]:
    """All probes at the same time; one that hangs or raises is a failed check after `timeout` seconds."""
    results = await asyncio.gather(*(_run_probe(probe, timeout) for probe in probes.values()))
    return dict(zip(probes, results, strict=True))


async def _run_probe(probe: Probe, timeout: float) -> Check:
    try:
        return await asyncio.wait_for(probe(), timeout)
    except TimeoutError:
        return Check("fail", "datastore", output=f"no answer within {timeout:g} s")
    except Exception as error:  # a probe's failure, whatever it is, is its finding
        # libpq and others put several lines into one message.
        words = " ".join(str(error).split())
        return Check("fail", "datastore", output=f"{type(error).__name__}: {words}")


class Stopwatch:
    """Milliseconds since it was made, for `observed_value`."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def milliseconds(self) -> float:
        """Rounded to microseconds."""
        return round((time.perf_counter() - self._began) * 1000, 3)
