"""What a plan and a run say to a person and to a program. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from autobot_ops.migration.comparing import EXPIRED, Differences
from autobot_ops.migration.duration import moving_seconds, reading_seconds
from autobot_ops.migration.looking import Found
from autobot_ops.migration.pace import Pace
from autobot_ops.migration.plan import MigrationPlan
from autobot_ops.migration.rolling_back import BACK, TakenBack
from autobot_ops.migration.routes import SOURCE_NUMBER
from autobot_ops.migration.run_folder import DONE, PARTLY, RunState
from autobot_ops.migration.running import Outcome

PLAN_COLUMNS = ("target", "keys", "bytes", "with TTL", "largest")
REPORT_COLUMNS = ("target", "planned", "moved", "stayed", "fingerprint")
SHOWN_PREFIXES = 10
SHOWN_KEYS = 10
SHOWN_LARGEST = 3


def plan_rows(plan: MigrationPlan) -> list[tuple[str, ...]]:
    """A row per target, and one for what stays."""
    rows = []
    for number, name in sorted(plan.target_names.items()):
        part = plan.moving_to(number)
        if part.keys:
            rows.append(
                _plan_row(f"{name} ({number})", part.keys, part.bytes, part.keys_with_expiry, part.largest)
            )
    stays = plan.stays
    rows.append(_plan_row("stays in 0", stays.keys, stays.bytes, stays.keys_with_expiry, stays.largest))
    return rows


def _plan_row(name: str, keys: int, size: int, expiring: int, largest: Any) -> tuple[str, ...]:
    first = "\n".join(f"{each.key} ({each.kind}, {each.bytes:,} bytes)" for each in largest[:SHOWN_LARGEST])
    share = f"{100 * expiring / keys:.0f} %" if keys else ""
    return (name, f"{keys:,}", f"{size:,}" if size else "", share if size else "", first)


def plan_remarks(plan: MigrationPlan, max_rate: float | None = None) -> list[str]:
    """What else one should know before moving, at `max_rate` keys a second at most."""
    lines = []
    if plan.origin == "scan":
        lines.append("planned with SCAN: no sizes, no fingerprints, not one point in time")
    for each in plan.unrouted[:SHOWN_PREFIXES]:
        lines.append(
            f"unrouted: {each.keys:,} keys begin with '{each.prefix}', "
            f"such as {', '.join(each.examples)}; they stay"
        )
    if len(plan.unrouted) > SHOWN_PREFIXES:
        lines.append(f"unrouted: {len(plan.unrouted) - SHOWN_PREFIXES} more prefixes, see --json")
    lines += [
        f"garbage of an old health check: {key}; it stays, delete it at leisure" for key in plan.garbage
    ]
    for collision in plan.collisions:
        what = f"{collision.different:,} keys exist in '{collision.database_name}' with another value"
        if collision.different:
            lines.append(f"collision: {what}, such as {', '.join(collision.examples)}")
        if collision.equal:
            lines.append(f"already there: {collision.equal:,} equal keys in '{collision.database_name}'")
    lines.append(_expected_duration(plan, max_rate) if plan.keys else "nothing is to be moved")
    return lines


def _expected_duration(plan: MigrationPlan, max_rate: float | None) -> str:
    held_back = f" with --max-rate {max_rate:.0f}" if max_rate else ""
    return (
        f"plan and safety archive take about {_at_least_one(reading_seconds(plan))} s, "
        f"moving and verifying {_at_least_one(moving_seconds(plan, max_rate))} s more{held_back}"
    )


def _at_least_one(seconds: float) -> str:
    return f"{max(1, round(seconds)):,}"


def stayed_by_target(state: RunState) -> Mapping[int, Counter[str]]:
    """By target's number: why how many keys were not moved."""
    found: dict[int, Counter[str]] = {}
    for (_, number), reason in state.stayed.items():
        found.setdefault(number, Counter())[reason] += 1
    return found


def report_document(
    run_id: str,
    plan: MigrationPlan,
    state: RunState,
    outcome: Outcome,
    pace: Pace,
    *,
    changes_by_others: int | None,
    swept: Collection[int] = (),
    legacy_clients: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The report as JSON takes it.

    `changes_by_others`: writes of other clients while this ran, None where the server's count began anew. As
    many differences as that are what live clients did; more, or any where nobody wrote, are not.
    `swept` are databases of keys that sweeps found, so they can't be as planned.
    """
    stayed = stayed_by_target(state)
    verdicts = {each.number: each for each in outcome.verdicts}
    seconds = outcome.seconds.get("moving", 0.0)
    targets = []
    for number, name in sorted(plan.target_names.items()):
        planned = plan.moving_to(number).keys
        if not planned and number not in stayed:
            continue
        reasons = stayed.get(number, Counter[str]())
        verdict = verdicts.get(number)
        targets.append(
            {
                "database": name,
                "number": number,
                "planned": planned,
                "moved": planned - sum(reasons.values()),
                "stayed": dict(reasons),
                "fingerprint_agrees": None if verdict is None else verdict.agrees,
            }
        )
    problems = (Found.BOTH.value, Found.SOURCE.value)
    in_the_way = [_text(key) for (key, _), reason in state.stayed.items() if reason in problems]
    differing = [each.number for each in outcome.verdicts if not each.agrees]
    differences = outcome.differences or Differences()
    named = [each for each in differences.named if each[:2] not in state.stayed and each[2] != EXPIRED]
    unnamed = sum(differences.counts.values()) - len(differences.named)
    # A database that differs though none of its planned keys does: its other keys were written.
    touched = {number for _, number, _ in differences.named}
    if touched:
        touched.add(SOURCE_NUMBER)
    for (_, number), (aside, _) in state.displaced.items():
        touched |= {number, aside}
    elsewhere = [number for number in differing if number not in {*touched, *swept}]
    unexplained = len(named) + unnamed + len(elsewhere) > (changes_by_others or 0)
    return {
        "id": run_id,
        "result": PARTLY if in_the_way or unexplained else DONE,
        "origin": plan.origin,
        "server": plan.server.address,
        "archive": state.archive_id or None,
        "planned": plan.keys,
        "moved": outcome.moved,
        "swept": outcome.swept,
        "sweeps": outcome.sweeps,
        "already_moved": outcome.found[Found.TARGET],
        "targets": targets,
        "differing": differing,
        "differences": [{"key": _text(key), "database": number, "what": what} for key, number, what in named],
        "written_by_others": elsewhere,
        "changes_by_others": changes_by_others,
        "unexplained": unexplained,
        "verified": outcome.verified,
        "unrouted": [each.model_dump() for each in plan.unrouted],
        "garbage": list(plan.garbage),
        "in_the_way": in_the_way,
        "legacy_clients": list(legacy_clients),
        "seconds": {name: round(value, 3) for name, value in outcome.seconds.items()},
        "keys_per_second": round(outcome.moved / seconds) if seconds else None,
        "others_p99_ms": round(pace.percentile(0.99) * 1000, 2),
    }


def report_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row per target."""
    words = {True: "agrees", False: "differs", None: ""}
    return [
        (
            f"{each['database']} ({each['number']})",
            f"{each['planned']:,}",
            f"{each['moved']:,}",
            ", ".join(f"{count:,} {reason}" for reason, count in each["stayed"].items()),
            words[each["fingerprint_agrees"]],
        )
        for each in document["targets"]
    ]


def report_lines(document: Mapping[str, Any]) -> list[str]:
    """The report in sentences."""
    rate = f", {document['keys_per_second']:,} keys/s" if document["keys_per_second"] else ""
    lines = [
        f"{document['id']}: {document['result']}; {document['moved']:,} keys moved{rate}, "
        f"{document['swept']:,} more by {document['sweeps']} sweeps; "
        f"others waited {document['others_p99_ms']} ms (p99)"
    ]
    if document["archive"]:
        lines.append(f"safety archive: {document['archive']}")
    else:
        lines.append("no safety archive was made: --no-backup was asked for")
    keys = document["in_the_way"]
    lines += [f"not moved: {key}" for key in keys[:SHOWN_KEYS]]
    if len(keys) > SHOWN_KEYS:
        lines.append(f"not moved: {len(keys) - SHOWN_KEYS:,} more, see report.json")
    changes = document["changes_by_others"]
    if changes and document["differing"]:
        lines.append(f"other clients wrote {changes:,} times meanwhile")
    if document["written_by_others"]:
        numbers = ", ".join(map(str, document["written_by_others"]))
        lines.append(f"keys besides the planned ones have changed in database {numbers}")
    kinds = Counter(each["what"] for each in document["differences"])
    lines += [f"{count:,} planned keys: {what}" for what, count in kinds.items()]
    for each in document["differences"][:SHOWN_KEYS]:
        lines.append(f"{each['what']}: {each['key']} (database {each['database']})")
    return lines


def what_is_left(document: Mapping[str, Any]) -> str:
    """Why a report says that it is partly done, in a line."""
    found = []
    if document["in_the_way"]:
        found.append(f"{len(document['in_the_way']):,} keys were left")
    if document["unexplained"] and document["differences"]:
        found.append(f"{len(document['differences']):,} differ from the plan")
    if document["unexplained"] and document["written_by_others"]:
        numbers = ", ".join(map(str, document["written_by_others"]))
        found.append(f"keys besides the planned ones have changed in database {numbers}")
    return ", ".join(found)


def rollback_document(
    run_id: str, result: TakenBack, changed: Sequence[tuple[bytes, int, str]]
) -> dict[str, Any]:
    """What a rollback did, as JSON takes it."""
    return {
        "id": run_id,
        "result": "rolled back",
        "back": result.counts[BACK],
        "counts": dict(result.counts),
        "changed": [{"key": _text(key), "database": number} for key, number, _ in changed],
        "left": [{"key": _text(key), "database": number, "why": why} for key, number, why in result.named],
    }


def rollback_plan_document(
    run_id: str, keys: int, changed: Sequence[tuple[bytes, int, str]]
) -> dict[str, Any]:
    """What a rollback would do, as JSON takes it. `keys` may have been moved, by the journal."""
    return {
        "id": run_id,
        "result": "dry run",
        "keys": keys,
        "changed": [{"key": _text(key), "database": number} for key, number, _ in changed],
    }


def rollback_lines(document: Mapping[str, Any]) -> list[str]:
    """The same in sentences."""
    lines = [f"{document['id']}: rolled back; {document['back']:,} keys are in database 0 again"]
    if document["changed"]:
        lines.append(f"{len(document['changed']):,} of them have changed since they were moved")
    lines += [
        f"{each['why']}: {each['key']} (database {each['database']})"
        for each in document["left"][:SHOWN_KEYS]
    ]
    return lines


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
