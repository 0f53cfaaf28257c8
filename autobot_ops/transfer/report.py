"""What a plan and a run that brings keys from another server say to a person and to a program. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from autobot_ops.migration.looking import Found
from autobot_ops.migration.plan import Part
from autobot_ops.migration.run_folder import DONE, PARTLY
from autobot_ops.transfer.applying import Brought
from autobot_ops.transfer.survey import Content, Fate, Fates
from autobot_ops.transfer.verifying import Verified

PLAN_COLUMNS = ("target", "keys", "bytes", "with TTL", "there already", "another value", "largest")
REPORT_COLUMNS = ("target", "keys", "there before", "fingerprint")
SHOWN = 10


def plan_document(
    content: Content, fates: Fates, names: Mapping[int, str], by_stream: bool
) -> dict[str, Any]:
    """The plan as JSON takes it; `names` are the targets' by number."""
    return {
        "origin": "stream" if by_stream else "scan",
        "rdb_version": content.version,
        "targets": [
            {
                "database": names[number],
                "number": number,
                "keys": part.keys,
                "bytes": part.bytes,
                "keys_with_expiry": part.keys_with_expiry,
                "there_already": fates.counts[number][Fate.DONE],
                "another_value": fates.counts[number][Fate.CONFLICT],
                "largest": _largest(part),
            }
            for number, part in sorted(content.parts.items())
        ],
        "expired": content.expired,
        "staged_before": fates.count(Fate.STAGED),
        "unrouted": [each.model_dump() for each in content.unrouted],
        "garbage": list(content.garbage),
    }


def _largest(part: Part) -> str:
    first = part.largest[0] if part.largest else None
    return f"{first.key} ({first.kind}, {first.bytes:,} bytes)" if first else ""


def plan_rows(plan: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row per target."""
    return [
        (
            f"{each['database']} ({each['number']})", f"{each['keys']:,}", f"{each['bytes']:,}",
            f"{100 * each['keys_with_expiry'] / each['keys']:.0f} %",
            f"{each['there_already']:,}", f"{each['another_value']:,}", each["largest"],
        )
        for each in plan["targets"]
    ]  # fmt: skip


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """What else one should know before."""
    lines = []
    if plan["origin"] == "scan":
        lines.append("read with SCAN and DUMP: not one point in time")
    for each in plan["unrouted"][:SHOWN]:
        lines.append(
            f"unrouted: {each['keys']:,} keys begin with '{each['prefix']}', such as "
            f"{', '.join(each['examples'])}; they are left out"
        )
    if len(plan["unrouted"]) > SHOWN:
        lines.append(f"unrouted: {len(plan['unrouted']) - SHOWN} more prefixes, see --json")
    lines += [f"garbage of an old health check: {key}; left out" for key in plan["garbage"]]
    if plan["expired"]:
        lines.append(f"{plan['expired']:,} keys whose time is over are left out")
    if plan["staged_before"]:
        lines.append(f"{plan['staged_before']:,} keys were loaded by a run that was interrupted")
    return lines


def report_document(
    plan: Mapping[str, Any],
    brought: Brought,
    verified: Verified,
    *,
    run_id: str,
    source: str,
    target: str,
    left: Mapping[bytes, str],
    whole: bool,
    aside: int | None,
    deleted: Counter[str] | None,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The report as JSON takes it. `left` are keys that weren't brought, and why."""
    targets = []
    for each in plan["targets"]:
        verdict = verified.verdicts[each["number"]]
        targets.append(
            {
                **{name: each[name] for name in ("database", "number", "keys", "there_already")},
                "expected": "{}:{:016x}".format(*verdict.expected),
                "found": "{}:{:016x}".format(*verdict.found),
                "fingerprint_agrees": verdict.agrees,
            }
        )
    return {
        **plan,
        "id": run_id,
        "result": PARTLY if left or verified.differing else DONE,
        "source": source,
        "server": target,
        "written": "whole" if whole else "in pieces",
        "targets": targets,
        "loaded": brought.loaded,
        "in_pieces": brought.in_pieces,
        "moved": brought.moved,
        "equal_later": brought.found[Found.EQUAL],
        "replaced": brought.found[Found.REPLACED],
        "replaced_are_in": aside if brought.found[Found.REPLACED] else None,
        "left": [{"key": _text(key), "why": why} for key, why in left.items()],
        "verified": not verified.differing,
        "differing": verified.differing,
        "differences": [{"key": _text(key), "what": what} for key, what in verified.differences.items()],
        "expired_meanwhile": verified.expired,
        "source_keys": None if deleted is None else dict(deleted),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "others_slowest_ms": round(brought.slowest_ping * 1000, 2),
    }


def report_rows(document: Mapping[str, Any]) -> list[Sequence[str]]:
    """A row per target."""
    return [
        (
            f"{each['database']} ({each['number']})",
            f"{each['keys']:,}",
            f"{each['there_already']:,}",
            "agrees" if each["fingerprint_agrees"] else "differs",
        )
        for each in document["targets"]
    ]


def report_lines(document: Mapping[str, Any]) -> list[str]:
    """The report in sentences."""
    how = (
        "by RESTORE" if document["written"] == "whole" else "with native commands, for its version is another"
    )
    lines = [
        f"{document['id']}: {document['result']}; {document['moved']:,} keys were brought from "
        f"{document['source']}, loaded {how} ({document['in_pieces']:,} in pieces)"
    ]
    if document["replaced"]:
        lines.append(
            f"{document['replaced']:,} values gave way and are kept in database {document['replaced_are_in']}"
        )
    lines += [f"left out: {each['key']}: {each['why']}" for each in document["left"][:SHOWN]]
    if len(document["left"]) > SHOWN:
        lines.append(f"left out: {len(document['left']) - SHOWN:,} more, see report.json")
    lines += [f"{each['what']}: {each['key']}" for each in document["differences"][:SHOWN]]
    if document["differing"] > SHOWN:
        lines.append(f"{document['differing'] - SHOWN:,} more differ, see report.json")
    if document["expired_meanwhile"]:
        lines.append(f"{document['expired_meanwhile']:,} keys expired meanwhile")
    if document["source_keys"] is None:
        lines.append("the source has all its keys still")
    else:
        lines += [f"in the source, {what}: {count:,} keys" for what, count in document["source_keys"].items()]
    return lines


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
