"""Programs that know of flaws and updates, as processes: what they say, and each way of saying nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autobot_ops.audit.packages import Contents, PythonPackage, parse_records
from autobot_ops.audit.sources import PackageMirror, ask_debsecan, ask_pip_audit
from autobot_ops.stack.host_apt import HostApt

STANZA = """\
Package: {name}
Status: install ok installed
Architecture: all
Version: {version}
Maintainer: nobody
Description: nothing
"""
OFFER = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: nobody
Filename: ./{name}.deb
Size: 1
SHA256: {digest}
Description: nothing
"""


@pytest.fixture
def contents() -> Contents:
    """An image with two Debian packages and one of Python."""
    packages = "\n".join(STANZA.format(name=name, version="1.0") for name in ("autobot-one", "autobot-two"))
    records = f"== release\nID=debian\n== debian\n{packages}\n== python\nName: anyio\nVersion: 4.9\n== end\n"
    return parse_records(records)


def program(folder: Path, *lines: str) -> Path:
    path = folder / "program"
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


def report(**dependency: object) -> str:
    return json.dumps({"dependencies": [{"name": "anyio", "version": "4.9", **dependency}], "fixes": []})


# pip-audit is given its output's name after --output.
WRITES = 'while [ "$1" != --output ]; do shift; done; cat >"$2" <<"END"'
FLAWED = report(vulns=[{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["5"]}])


def test_pip_audits_report_counts_although_it_ends_with_1(tmp_path: Path, contents: Contents) -> None:
    found = ask_pip_audit(program(tmp_path, WRITES, FLAWED, "END", "exit 1"), contents)
    assert [flaw.id for flaw in found.flaws] == ["CVE-1"]
    assert found.unreached == ()


def test_pip_audit_gets_the_images_packages(tmp_path: Path, contents: Contents) -> None:
    copy = tmp_path / "copy"
    ask_pip_audit(program(tmp_path, f'cp "$2" {copy}', WRITES, report(vulns=[]), "END"), contents)
    assert copy.read_text() == "anyio==4.9\n"


def test_a_report_without_advisories_is_not_clean(tmp_path: Path, contents: Contents) -> None:
    found = ask_pip_audit(program(tmp_path, WRITES, report(skip_reason="not found"), "END"), contents)
    assert found.unreached[0].reason == "the index answers without advisories, as mirrors do"


def test_pip_audit_without_a_network_is_unreached_and_shows_no_address(
    tmp_path: Path, contents: Contents
) -> None:
    line = "requests.exceptions.ConnectionError: HTTPSConnectionPool(host=internal.example)"
    found = ask_pip_audit(program(tmp_path, f"echo '{line}' >&2; exit 1"), contents)
    assert found.unreached[0].reason == "its advisories don't answer: ConnectionError"


def test_a_program_that_is_missing_is_unreached(tmp_path: Path, contents: Contents) -> None:
    for found in (
        ask_pip_audit(None, contents),
        ask_pip_audit(tmp_path / "absent", contents),
        ask_debsecan(None, contents),
        ask_debsecan(tmp_path / "absent", contents),
    ):
        assert "installed" in found.unreached[0].reason


def test_nobody_is_asked_about_packages_that_are_not_there(contents: Contents) -> None:
    nothing = Contents(release={}, debian=(), python=(), status="")
    assert ask_debsecan(None, nothing).unreached == ()
    assert ask_pip_audit(None, nothing).unreached == ()


def test_debsecan_reads_the_images_own_status(tmp_path: Path, contents: Contents) -> None:
    copy = tmp_path / "copy"
    script = f'cp "$4" {copy}; printf "CVE-1 (fixed, high urgency)\\n  installed: autobot-one 1.0\\n\\n"'
    found = ask_debsecan(program(tmp_path, script), contents)
    assert copy.read_text() == contents.status
    assert [(flaw.package, flaw.must_be_fixed) for flaw in found.flaws] == [("autobot-one", True)]


def test_debsecan_without_its_data_is_unreached(tmp_path: Path, contents: Contents) -> None:
    script = "echo 'error: while downloading:' >&2; echo 'error: no name service' >&2; exit 1"
    (unreached,) = ask_debsecan(program(tmp_path, script), contents).unreached
    assert unreached.reason == "Debian's security tracker doesn't answer: no name service"


def test_words_that_are_no_report_are_unreached(tmp_path: Path, contents: Contents) -> None:
    assert ask_debsecan(program(tmp_path, "echo hello"), contents).unreached


def mirror(tmp_path: Path, **offers: str) -> PackageMirror:
    repository = tmp_path / "repository"
    repository.mkdir()
    stanzas = (
        OFFER.format(name=f"autobot-{name}", version=version, digest="0" * 64)
        for name, version in offers.items()
    )
    (repository / "Packages").write_text("\n".join(stanzas))
    return PackageMirror(tmp_path / "apt", HostApt(f"deb [trusted=yes] file:{repository} ./\n"))


def test_apt_says_what_a_new_build_would_replace(tmp_path: Path, contents: Contents) -> None:
    offering = mirror(tmp_path, one="2.0", two="1.0", three="1.0")
    assert offering.refresh()
    assert [(each.package, each.version, each.offered) for each in offering.updates(contents)] == [
        ("autobot-one", "1.0", "2.0")
    ]


def test_a_mirror_that_does_not_answer_is_none(tmp_path: Path) -> None:
    assert not PackageMirror(tmp_path / "apt", HostApt()).refresh()
    assert not PackageMirror(tmp_path / "apt", HostApt("deb file:/nonexistent ./\n")).refresh()


def test_a_program_that_no_mirror_has_is_none(tmp_path: Path) -> None:
    offering = mirror(tmp_path, one="2.0")
    assert offering.refresh()
    assert offering.program("autobot-absent") is None


def test_a_python_version_of_our_own_is_asked_about_without_its_local_part() -> None:
    torch = Contents(release={}, debian=(), python=(PythonPackage("torch", "2.9.1+cpu"),), status="")
    assert torch.pins == "torch==2.9.1\n"
