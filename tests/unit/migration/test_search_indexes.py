"""What FT.INFO says of an index, in the form that the module documents."""

from __future__ import annotations

from autobot_ops.migration.search_indexes import prefixes_of


def information(*prefixes: bytes) -> list[object]:
    definition = [b"key_type", b"HASH", b"prefixes", list(prefixes), b"default_score", b"1"]
    return [
        b"index_name",
        b"documents",
        b"index_options",
        [],
        b"index_definition",
        definition,
        b"num_docs",
        b"3",
    ]


def test_finds_the_prefixes_of_an_index() -> None:
    assert list(prefixes_of(information(b"doc:", b"fact:"))) == ["doc:", "fact:"]


def test_an_index_without_prefixes_covers_every_key() -> None:
    assert list(prefixes_of(information())) == [""]
    assert list(prefixes_of([b"index_name", b"x"])) == [""]
