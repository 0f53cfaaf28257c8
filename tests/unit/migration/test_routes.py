"""Routes: one expression says what the router's loop says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.catalog import load_catalogs
from autobot_ops.catalog.load import UnknownName
from autobot_ops.catalog.routing import Router
from autobot_ops.migration.errors import InvalidRoute
from autobot_ops.migration.routes import Routes, Section, make_routes, parse_route, parse_rules, read_rules

CATALOGS = load_catalogs(Path(__file__).parents[3])
HINT = "Write it as PATTERN=DATABASE, such as --route 'old:*=knowledge'."

letters = st.text(alphabet="ab:", max_size=4)
pieces = st.one_of(letters, st.sampled_from(["*", "?", "[ab]", "[^a]", "[", "\\*", "\\", "ä", "."]))
patterns = st.lists(pieces, min_size=1, max_size=4).map("".join)
names = st.sampled_from(sorted(CATALOGS.databases))
keys = st.one_of(
    st.binary(max_size=8),
    st.text(alphabet="ab:*äx.\n", max_size=8).map(str.encode),
    st.text(max_size=6).map(str.encode),
)


def routed(routes: Routes, key: bytes) -> str | None:
    section = routes.section_of(key)
    return None if section is None else routes.sections[section].database_name


@given(st.lists(st.tuples(patterns, names), max_size=8), st.lists(keys, max_size=20))
def test_says_what_the_router_says(extra: list[tuple[str, str]], some: list[bytes]) -> None:
    routes = make_routes(CATALOGS.databases, extra)
    for key in some:
        assert routed(routes, key) == routes.router.route(key)


@given(st.lists(st.tuples(patterns, names), max_size=8), patterns)
def test_says_so_for_keys_that_look_like_patterns(extra: list[tuple[str, str]], pattern: str) -> None:
    routes = make_routes(CATALOGS.databases, extra)
    assert routed(routes, pattern.encode()) == routes.router.route(pattern.encode())


@pytest.fixture
def routes() -> Routes:
    """The catalog's."""
    return make_routes(CATALOGS.databases)


def test_the_router_of_the_catalog_is_the_same(routes: Routes) -> None:
    assert isinstance(routes.router, Router)
    for key in (
        b"fact:1",
        b"facts_by_x",
        b"x:stats",
        b"fact:stats",
        b"cache:1",
        b"ping",
        b"autobot:models:x",
    ):
        assert routed(routes, key) == routes.router.route(key)


def test_keys_that_name_each_other_are_one_section(routes: Routes) -> None:
    sections = {
        routes.section_of(key)
        for key in (b"fact:1", b"facts_by_category:x", b"atomic_fact:1", b"fact_id_counter")
    }
    assert len(sections) == 1
    assert routes.section_of(b"doc:1") not in sections


def test_a_section_says_where_its_keys_go_and_which_of_them_go_together(routes: Routes) -> None:
    fact, document = (routes.sections[routes.section_of(key) or 0] for key in (b"fact:1", b"doc:1"))
    assert fact == Section("knowledge", CATALOGS.databases["knowledge"].number, "facts")
    assert document == Section("knowledge", CATALOGS.databases["knowledge"].number, "")


def test_a_shorter_prefix_is_not_passed_over_on_the_way_to_a_longer_one() -> None:
    routes = make_routes(CATALOGS.databases, [("zz*", "models"), ("zzz:*", "knowledge")])
    assert [routed(routes, key) for key in (b"zzz:1", b"zzy", b"zy")] == ["knowledge", "models", None]


def test_a_line_end_in_a_key_is_a_character() -> None:
    routes = make_routes(CATALOGS.databases, [("zz?1", "models")])
    assert routed(routes, b"zz\n1") == "models"
    assert routed(routes, b"zzz1\n") is None


def test_refuses_a_database_that_the_catalog_does_not_have() -> None:
    with pytest.raises(UnknownName, match=r"^unknown database 'modles'$") as caught:
        make_routes(CATALOGS.databases, [("a:*", "modles")])
    assert "Did you mean 'models'?" in caught.value.hint


def test_pinned_prefixes_stay_whatever_claims_them() -> None:
    routes = make_routes(CATALOGS.databases, [("doc:special*", "models")], pinned=["doc:special*x"])
    assert routed(routes, b"doc:special*x:1") == "main"
    assert routed(routes, b"doc:special:1") == "models"
    assert routed(routes, b"doc:special and x:1") == "models"
    routes = make_routes(CATALOGS.databases, [("doc:special*", "models")], pinned=["doc:"])
    assert routed(routes, b"doc:special:1") == "main"


@pytest.mark.parametrize("text", ["", "x", "=knowledge", "x=", "x= "])
def test_refuses_what_is_no_route(text: str) -> None:
    with pytest.raises(InvalidRoute, match=f"^'{text}' is no route$") as caught:
        parse_route(text)
    assert caught.value.hint == HINT


def test_a_pattern_may_hold_an_equals_sign() -> None:
    assert parse_route("a=b*=knowledge") == ("a=b*", "knowledge")


def test_rules_name_the_line_that_is_none() -> None:
    assert parse_rules("# old\n\n  # older\nx:*=models\n", "f") == [("x:*", "models")]
    with pytest.raises(InvalidRoute, match="f:2: 'nothing' is no route") as caught:
        parse_rules("x:*=models\nnothing\n", "f")
    assert caught.value.hint == HINT


def test_reads_rules_of_a_file(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("ä:*=models\nnothing\n", encoding="utf-8")
    with pytest.raises(InvalidRoute, match=f"^{rules}:2: "):
        read_rules(str(rules))
    rules.write_text("ä:*=models\n", encoding="utf-8")
    assert read_rules(str(rules)) == [("ä:*", "models")]


@pytest.mark.parametrize("content", [None, b"\xff=models\n"], ids=["missing", "no text"])
def test_rules_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None) -> None:
    rules = tmp_path / "rules"
    if content is not None:
        rules.write_bytes(content)
    with pytest.raises(InvalidRoute, match=f"^can't read the rules {rules}: .+") as caught:
        read_rules(str(rules))
    assert caught.value.hint == "A line is PATTERN=DATABASE."
