"""When a change of the catalog counts as one, and what becomes of a wrong one."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.agents.live_catalog import refuse_wrong_grants
from src.errors import ConfigurationInvalid
from src.utils.catalog_watch import CatalogWatch


class Adopter:
    """Reads a file; refuses whatever begins with `wrong`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.adopted: list[str] = []

    def __call__(self) -> None:
        text = self.path.read_text()
        if text.startswith("wrong"):
            raise ConfigurationInvalid(f"{text} number", hint="Correct it.")
        self.adopted.append(text)


@pytest.fixture
def adopter(tmp_path: Path) -> Adopter:
    path = tmp_path / "catalog.yaml"
    path.write_text("first")
    return Adopter(path)


@pytest.fixture
def watch(adopter: Adopter) -> CatalogWatch:
    return CatalogWatch([adopter.path, adopter.path.with_name("missing")], adopter)


def test_adopts_nothing_while_nothing_changes(watch: CatalogWatch, adopter: Adopter) -> None:
    assert not any(watch.look() for _ in range(3))
    assert adopter.adopted == []


def test_adopts_a_change_at_the_second_look_and_once(watch: CatalogWatch, adopter: Adopter) -> None:
    before = watch.digest
    adopter.path.write_text("second")
    assert [watch.look() for _ in range(4)] == [False, True, False, False]
    assert adopter.adopted == ["second"]
    assert watch.digest != before


def test_waits_until_nobody_is_writing_any_more(watch: CatalogWatch, adopter: Adopter) -> None:
    for text in ("sec", "secon", "second"):
        adopter.path.write_text(text)
        assert not watch.look()
    assert watch.look()
    assert adopter.adopted == ["second"]


def test_sees_a_file_that_is_replaced_by_rename_with_the_same_size_and_time(
    watch: CatalogWatch, adopter: Adopter
) -> None:
    status = adopter.path.stat()
    other = adopter.path.with_name("other")
    other.write_text("fresh")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(adopter.path)
    watch.look()
    assert watch.look()


def test_a_touched_file_is_no_new_version(watch: CatalogWatch, adopter: Adopter) -> None:
    os.utime(adopter.path, ns=(1, 1))
    assert not any(watch.look() for _ in range(3))
    assert adopter.adopted == []


def test_keeps_the_former_version_and_says_why_in_one_line(
    watch: CatalogWatch, adopter: Adopter, caplog: pytest.LogCaptureFixture
) -> None:
    before = watch.digest
    with caplog.at_level(logging.INFO):
        adopter.path.write_text("wrong")
        assert not any(watch.look() for _ in range(5))
    assert watch.digest == before
    assert watch.refusal == "wrong number. Correct it."
    assert len(caplog.records) == 1
    assert "wrong number" in caplog.text
    assert "\n" not in caplog.records[0].getMessage()
    assert caplog.records[0].exc_info is None


def test_a_corrected_version_and_a_return_to_the_former_one_end_the_refusal(
    watch: CatalogWatch, adopter: Adopter
) -> None:
    before = watch.digest
    for text, digest_changes in (("first", False), ("second", True)):
        adopter.path.write_text("wrong")
        watch.look(), watch.look()
        assert watch.refusal
        adopter.path.write_text(text)
        watch.look(), watch.look()
        assert watch.refusal == ""
        assert (watch.digest != before) == digest_changes


def test_survives_whatever_the_reader_stumbles_over(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"

    def stumble() -> None:
        raise AttributeError("'list' object has no attribute 'get'")

    watch = CatalogWatch([path], stumble)
    path.write_text("anything")
    watch.look(), watch.look()
    assert "'list' object" in watch.refusal
    path.unlink()
    watch.look(), watch.look()
    assert watch.refusal == ""


def write_agents(folder: Path, text: str) -> Path:
    path = folder / "agents.yaml"
    path.write_text(text)
    return path


def test_accepts_grants_on_known_databases(tmp_path: Path) -> None:
    path = write_agents(tmp_path, "agents: {chat: {databases: {main: read, logs: write}}}")
    refuse_wrong_grants(path, {"main": 0, "logs": 1})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("agents: {chat: {databases: {mian: read}}}", "Did you mean 'main'"),
        (
            "agents: {chat: {databases: {main: write}}, rag: {databases: {main: all}}}",
            "right 'all' on 'main'",
        ),
        ("agents: {chat: {databases: [main]}}", "no mapping 'databases'"),
        ("agents: {chat: null}", "no mapping 'databases'"),
        ("agents: []", "no mapping 'agents'"),
    ],
)
def test_refuses_wrong_grants_of_any_agent(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=reason):
        refuse_wrong_grants(write_agents(tmp_path, text), {"main": 0})


@given(text=st.text(alphabet="adbcefghinmorstw: {}[],-\n'", max_size=60))
def test_no_text_passes_for_grants_or_breaks_the_reader(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_agents(tmp_path_factory.mktemp("agents"), text)
    with pytest.raises(ConfigurationInvalid):
        refuse_wrong_grants(path, {"main": 0})
