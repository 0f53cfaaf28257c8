"""Probes run at the same time, each bounded; the worst decides."""

from __future__ import annotations

import asyncio
import time

from src.agents.checks import Check, run_probes, worst_status


async def test_a_probe_that_hangs_fails_within_the_limit_and_holds_up_none() -> None:
    async def hang() -> Check:
        await asyncio.Event().wait()
        raise AssertionError

    async def answer() -> Check:
        return Check("pass", "datastore")

    began = time.monotonic()
    checks = await run_probes({"a": hang, "b": answer, "c": hang}, timeout=0.2)
    assert time.monotonic() - began < 1.0
    assert {name: check.status for name, check in checks.items()} == {"a": "fail", "b": "pass", "c": "fail"}
    assert checks["a"].output == "no answer within 0.2 s"


async def test_whatever_a_probe_raises_is_its_finding_on_one_line() -> None:
    async def explode() -> Check:
        raise ZeroDivisionError("one\n\ttwo")

    assert (await run_probes({"a": explode}))["a"].output == "ZeroDivisionError: one two"


def test_the_most_severe_status_decides() -> None:
    assert worst_status([]) == "pass"
    assert worst_status(["pass", "warn", "pass"]) == "warn"
    assert worst_status(["warn", "fail"]) == "fail"


def test_a_document_leaves_empty_members_out_and_keeps_zero() -> None:
    document = Check("pass", "system", observed_value=0, observed_unit="percent").as_document()
    assert set(document) == {"componentType", "observedValue", "observedUnit", "status", "time"}
