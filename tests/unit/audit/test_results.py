"""Results of audits are kept per image, and say what they don't know."""

from __future__ import annotations

from pathlib import Path

from autobot_ops.audit.results import AuditResult, Flaw, Severity, Unreached, Update, load_audits, save_audit
from autobot_ops.audit.table import fixable_rows, rows, sentences

IMAGE = "autobot/redis:0123456789ab"


def flaw(severity: Severity = "high", fixed_in: str = "2") -> Flaw:
    return Flaw(source="debsecan", id="CVE-1", package="p", version="1", severity=severity, fixed_in=fixed_in)


def result(
    *flaws: Flaw,
    image: str = IMAGE,
    unreached: tuple[Unreached, ...] = (),
    updates: tuple[Update, ...] | None = (),
) -> AuditResult:
    return AuditResult(
        image=image,
        day="2026-11-28",
        components={"deb": 103, "pypi": 0},
        flaws=flaws,
        unreached=unreached,
        updates=updates,
    )


AWAY = Unreached(source="debsecan", reason="no name service")


def test_what_was_saved_is_known_by_the_image(tmp_path: Path) -> None:
    save_audit(tmp_path, result(flaw(), unreached=(AWAY,)))
    audit = load_audits(tmp_path)[IMAGE]
    assert audit.day == "2026-11-28"
    assert audit.fixable == ("p 1 has CVE-1 (high), fixed in 2",)
    assert audit.unreached == ("debsecan",)


def test_a_later_audit_of_the_image_replaces_the_earlier(tmp_path: Path) -> None:
    save_audit(tmp_path, result(flaw()))
    path = save_audit(tmp_path, result())
    assert load_audits(tmp_path)[IMAGE].fixable == ()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_broken_file_is_no_audit(tmp_path: Path) -> None:
    path = save_audit(tmp_path, result())
    path.write_text("{}")
    assert load_audits(tmp_path) == {}


def test_nothing_is_known_before_the_first_audit(tmp_path: Path) -> None:
    assert load_audits(tmp_path) == {}


def test_an_unrated_flaw_with_a_cure_must_be_fixed_a_lesser_one_need_not() -> None:
    kept = result(flaw("unrated"), flaw("medium"), flaw("low"), flaw("critical"), flaw("high", fixed_in=""))
    assert len(kept.facts.fixable) == 2


def test_a_figure_is_unknown_where_a_source_did_not_answer() -> None:
    cells = rows(
        [result(), result(unreached=(AWAY,)), result(flaw(), unreached=(AWAY,)), result(updates=None)]
    )
    assert [row[3:] for row in cells] == [
        ("0", "0", "0"),
        ("unknown", "unknown", "0"),
        ("1, the rest unknown", "1, the rest unknown", "0"),
        ("0", "0", "unknown"),
    ]


def test_a_security_update_that_is_offered_is_fixable_another_update_is_none() -> None:
    updates = (
        Update(package="u", version="1", offered="2", security=True),
        Update(package="v", version="1", offered="2", security=False),
    )
    assert result(updates=updates).facts.fixable == ("u 1 has a security update, 2",)


def test_a_mirror_that_does_not_answer_is_said() -> None:
    (sentence,) = sentences([result(updates=None)])
    assert sentence.startswith("unknown, updates, every image: no mirror")


def test_what_is_fixable_has_a_row_each() -> None:
    update = Update(package="u", version="1", offered="2", security=True)
    table = fixable_rows([result(flaw("low"), flaw(fixed_in=""), updates=(update,))])
    assert table == [
        (IMAGE, "p", "1", "2", "CVE-1 (low)"),
        (IMAGE, "u", "1", "2", "security update"),
    ]


def test_the_same_reason_is_said_once() -> None:
    other = "autobot/postgres:0123456789ab"
    assert list(sentences([result(unreached=(AWAY,)), result(image=other, unreached=(AWAY,))])) == [
        "unknown, debsecan, every image: no name service"
    ]
    assert list(sentences([result(unreached=(AWAY,)), result(image=other)])) == [
        f"unknown, debsecan, {IMAGE}: no name service"
    ]
