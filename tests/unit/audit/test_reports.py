"""What programs print becomes flaws, and what they didn't answer is never taken for clean."""

from __future__ import annotations

import json

import pytest

from autobot_ops.audit.reports import UnreadableReport, parse_debsecan, parse_pip_audit, parse_upgrade
from autobot_ops.audit.results import Flaw, Update
from autobot_ops.audit.sources import read_pip_audit

DEBSECAN_OUTPUT = """\
CVE-2026-0003
  glibc unrated not fixed
  installed: libc6 2.36-9+deb12u14
             (built from glibc 2.36-9+deb12u14)
  fixed in unstable: glibc 2.50-1 (source package)

CVE-2026-0001 (fixed, remotely exploitable, high urgency)
  openssl has a bad flaw
  installed: libssl3 3.0.22-1~deb12u2
             (built from openssl 3.0.22-1~deb12u2)
  fixed in unstable: openssl 3.5.1-1 (source package)
  fixed on branch:   openssl 3.9.0-1~deb12u1 (source package)
  fix is available for the selected suite (bookworm)

CVE-2026-0002 (fixed, low urgency)
  zlib has a small flaw, with comma
  installed: zlib1g 1:1.2.13.dfsg-1
             (built from zlib 1:1.2.13.dfsg-1)
  fix is available for the selected suite (bookworm)

"""
APT_OUTPUT = """\
Reading package lists...
Inst libssl3 [3.0.1-1] (3.0.22-1~deb12u2 Debian-Security:12/stable-security [amd64])
Inst tzdata [2024a-0] (2026a-0+deb12u1 Debian:12.9/stable, Debian:12-updates/stable-updates [all])
Conf libssl3 (3.0.22-1~deb12u2 Debian-Security:12/stable-security [amd64])
Inst new-one (1.0 Debian:12.9/stable [amd64])
"""


def pip_report(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


CLEAN = {"name": "anyio", "version": "4.9", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI"}
FLAWED = {
    "name": "urllib3",
    "version": "1.26.0",
    "vulns": [
        {"id": "PYSEC-2021-108", "aliases": ["GHSA-q2q7", "CVE-2021-33503"], "fix_versions": ["1.26.5"]},
        {"id": "PYSEC-2026-1", "aliases": [], "fix_versions": []},
    ],
}


def test_flaws_of_debian_packages_with_weight_and_cure() -> None:
    assert [
        (each.id, each.package, each.severity, each.fixed_in) for each in parse_debsecan(DEBSECAN_OUTPUT)
    ] == [
        ("CVE-2026-0003", "libc6", "unrated", ""),
        ("CVE-2026-0001", "libssl3", "high", "3.9.0-1~deb12u1"),
        ("CVE-2026-0002", "zlib1g", "low", "the suite"),
    ]


def test_only_what_has_weight_and_a_cure_must_be_fixed() -> None:
    assert [each.id for each in parse_debsecan(DEBSECAN_OUTPUT) if each.must_be_fixed] == ["CVE-2026-0001"]


def test_no_output_of_debsecan_is_no_flaw() -> None:
    assert parse_debsecan("") == ()


@pytest.mark.parametrize("text", ["error: something\n", "CVE-1 (fixed)\n  words\n"])
def test_another_output_of_debsecan_is_refused(text: str) -> None:
    with pytest.raises(UnreadableReport):
        parse_debsecan(text)


def test_flaws_of_python_packages_are_named_by_their_cve_and_unrated() -> None:
    flaws, skipped = parse_pip_audit(pip_report(CLEAN, FLAWED))
    assert skipped == ()
    assert flaws == (
        Flaw(
            source="pip-audit",
            id="CVE-2021-33503",
            package="urllib3",
            version="1.26.0",
            severity="unrated",
            fixed_in="1.26.5",
        ),
        Flaw(source="pip-audit", id="PYSEC-2026-1", package="urllib3", version="1.26.0", severity="unrated"),
    )
    assert [flaw.must_be_fixed for flaw in flaws] == [True, False]


def test_every_package_answered_for_is_reached() -> None:
    found = read_pip_audit(pip_report(CLEAN), 1)
    assert (found.flaws, found.unreached) == ((), ())


def test_a_mirror_without_advisories_is_not_clean() -> None:
    (unreached,) = read_pip_audit(pip_report(SKIPPED), 1).unreached
    assert unreached.reason == "the index answers without advisories, as mirrors do"


def test_a_package_that_was_skipped_is_named() -> None:
    found = read_pip_audit(pip_report(CLEAN, FLAWED, SKIPPED), 3)
    assert len(found.flaws) == 2
    assert found.unreached[0].reason == "the index has no advisories for torch (1 of 3 packages)"


@pytest.mark.parametrize("text", ["", "[]", '{"fixes": []}'])
def test_a_broken_report_of_pip_audit_is_not_clean(text: str) -> None:
    with pytest.raises(UnreadableReport):
        parse_pip_audit(text)
    assert read_pip_audit(text, 1).unreached


def test_updates_are_what_replaces_something() -> None:
    assert parse_upgrade(APT_OUTPUT) == (
        Update(package="libssl3", version="3.0.1-1", offered="3.0.22-1~deb12u2", security=True),
        Update(package="tzdata", version="2024a-0", offered="2026a-0+deb12u1", security=False),
    )
