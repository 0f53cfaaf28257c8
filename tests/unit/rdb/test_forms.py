"""The canonical form: one for all encodings of a value, another for every other value."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobot_ops.rdb.forms import forms_of
from autobot_ops.rdb.layout import DIALECTS, REDIS, VALKEY
from autobot_ops.rdb.quick_forms import QUICK_FORMS
from autobot_ops.rdb.tokens import BadPacking, integer_token, number_of, text_of, token
from autobot_ops.rdb.window import Window
from tests import rdb_bytes as b
from tests.unit.rdb import values
from tests.unit.rdb.values import strings, texts

Store = Callable[[bytes], bytes]

chunks = st.sampled_from([1, 7, 100, 1 << 18])
scores = st.one_of(
    st.floats(allow_nan=False),
    st.integers(-(1 << 60), 1 << 60).map(float),
    st.sampled_from([0.0, -0.0, 0.1, 1e300]),
)


def form_of(code: int, value: bytes, chunk: int = 1 << 18, *, dialect: object = REDIS) -> bytes:
    """The form by the way that can do every size; it must read exactly the value."""
    window = Window(BytesIO(value + b"after"), chunk)
    form = forms_of(VALKEY if dialect is VALKEY else REDIS)[code](window)
    assert window.offset == len(value)
    return form


def only_form(forms: Mapping[int, bytes], chunk: int = 1 << 18) -> bytes:
    """The one form that all encodings have, the quick way included."""
    found = {form_of(code, value, chunk) for code, value in forms.items()}
    for code, value in forms.items():
        quick = (
            QUICK_FORMS[code](b"before" + value + b"after", 6, 6 + len(value))
            if code in QUICK_FORMS
            else None
        )
        if quick is not None:
            found.add(quick)
    assert len(found) == 1
    return found.pop()


@given(texts)
def test_a_token_is_what_a_listpack_has(text: bytes) -> None:
    assert token(text) == b.listpack_element(text)
    assert text_of(token(text)) == text


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_an_integer_is_read_back_from_its_token(number: int) -> None:
    assert number_of(integer_token(number)) == number
    assert integer_token(number) == b.listpack_element(b"%d" % number)


@given(texts)
def test_a_string_has_one_form(text: bytes) -> None:
    assert len({only_form({0: store(text)}) for store in (b.string, b.raw, b.lzf)}) == 1


@given(
    st.lists(texts, min_size=1, max_size=20), strings, strings, st.integers(1, 7), st.integers(1, 7), chunks
)
def test_a_list_has_one_form(
    elements: list[bytes], store: Store, other: Store, cut: int, other_cut: int, chunk: int
) -> None:
    first = only_form(values.lists(elements, store, cut), chunk)
    assert first == only_form(values.lists(elements, other, other_cut))


@given(st.lists(texts, min_size=1, max_size=20, unique=True), strings, st.randoms(), chunks)
def test_a_set_has_one_form_in_any_order(
    members: list[bytes], store: Store, shuffler: random.Random, chunk: int
) -> None:
    first = only_form(values.sets(members, store), chunk)
    shuffler.shuffle(members)
    assert first == only_form(values.sets(members, b.string))


@given(st.sets(st.integers(-(1 << 62), 1 << 62), min_size=1), strings)
def test_a_set_of_integers_has_the_form_of_any_set(numbers: set[int], store: Store) -> None:
    forms = values.sets([b"%d" % number for number in numbers], store)
    assert set(forms) == {2, 11, 20}
    only_form(forms)


@given(st.dictionaries(texts, texts, min_size=1, max_size=20), strings, st.randoms(), chunks)
def test_a_hash_has_one_form_in_any_order(
    fields: dict[bytes, bytes], store: Store, shuffler: random.Random, chunk: int
) -> None:
    pairs = list(fields.items())
    forms = values.hashes(pairs, store)
    first = only_form(forms, chunk)
    shuffler.shuffle(pairs)
    assert first == only_form(values.hashes(pairs, b.string))
    valkey = b.counted([store(name) + store(value) + b.milliseconds(-1) for name, value in pairs])
    assert form_of(22, valkey, chunk, dialect=VALKEY) == first


@given(
    st.dictionaries(texts, st.tuples(texts, st.integers(1, 1 << 45)), min_size=1, max_size=10),
    strings,
    chunks,
)
def test_field_expiry_has_one_form(fields: dict[bytes, tuple[bytes, int]], store: Store, chunk: int) -> None:
    least = min(expires_at for _, expires_at in fields.values())
    strip = [(store(name) + store(value), expires_at) for name, (value, expires_at) in fields.items()]
    triples = store(
        b.listpack([each for name, (value, at) in fields.items() for each in (name, value, b"%d" % at)])
    )
    forms = {
        22: b.counted([b.length(at) + pair for pair, at in strip]),
        23: triples,
        24: b.milliseconds(least) + b.counted([b.length(at - least + 1) + pair for pair, at in strip]),
        25: b.milliseconds(least) + triples,
    }
    first = only_form(forms, chunk)
    valkey = b.counted([pair + b.milliseconds(at) for pair, at in strip])
    assert form_of(22, valkey, chunk, dialect=VALKEY) == first
    assert first != only_form(values.hashes([(name, value) for name, (value, _) in fields.items()], store))


@given(st.dictionaries(texts, scores, min_size=1, max_size=20), strings, st.randoms(), chunks)
def test_a_sorted_set_has_one_form_in_any_order(
    members: dict[bytes, float], store: Store, shuffler: random.Random, chunk: int
) -> None:
    pairs = list(members.items())
    first = only_form(values.sorted_sets(pairs, store), chunk)
    shuffler.shuffle(pairs)
    assert first == only_form(values.sorted_sets(pairs, b.string))


@pytest.mark.parametrize("count", [512, 513, 3000])
@pytest.mark.parametrize("chunk", [100, 1 << 18])
def test_the_form_is_the_same_on_both_sides_of_big(count: int, chunk: int) -> None:
    names = [b"%d" % number if number % 3 else b"name %d " % number * 3 for number in range(count)]
    pairs = [(name, float(len(name)) / 8 - 3) for name in names[1:]] + [(b"-", -0.0)]
    for store in (b.string, b.lzf):
        only_form(values.sets(names, store), chunk)
        only_form(values.sets([b"%d" % number for number in range(count)], store), chunk)
        only_form(values.hashes([(name, name * 2) for name in names], store), chunk)
        only_form(values.sorted_sets(pairs, store), chunk)


@pytest.mark.parametrize("size", [4095, 4096, 65_536, 65_537, 400_000])
@pytest.mark.parametrize("chunk", [100, 1 << 18])
def test_the_form_is_the_same_for_elements_of_any_size(size: int, chunk: int) -> None:
    big = (b"%d bytes, " % size * (size // 8))[:size]
    for store in (b.raw, b.lzf):
        only_form({0: store(big)}, chunk)
        only_form(values.lists([b"1", big, b"tail"], store, 2), chunk)
        only_form(values.sets([b"1", big, b"tail"], store), chunk)
        only_form(values.hashes([(b"name", big), (big, b"5")], store), chunk)
        only_form(values.sorted_sets([(b"1", 1.0), (big, -2.5)], store), chunk)


@given(st.lists(texts, min_size=1, max_size=6), st.lists(texts, min_size=1, max_size=6))
def test_different_values_have_different_forms(first: list[bytes], second: list[bytes]) -> None:
    if first != second:
        assert only_form(values.lists(first, b.string, 3)) != only_form(values.lists(second, b.string, 3))
    if set(first) != set(second):
        one, other = (values.sets(sorted(set(each)), b.string) for each in (first, second))
        assert only_form(one) != only_form(other)


def test_every_type_has_a_form() -> None:
    for dialect in DIALECTS:
        assert set(forms_of(dialect)) >= set(dialect.types)


@pytest.mark.parametrize(
    ("code", "blob"),
    [
        (16, b""),
        (16, b.listpack([b"a", b"b"])[:-1]),
        (16, b.listpack([b"a", b"b"]) + b"x"),
        (16, b.listpack([b"half a record"])),
        (16, b.listpack([b"a", b"b"])[:-1] + b"\xf5\xff"),
        (17, b.listpack([b"member", b"no number"])),
        (20, b.listpack([b"a" * 5000])[:300] + b"\xff"),
        (10, b.ziplist([b"a", b"b"])[:-1]),
        (10, b.ziplist([b"a"]) + b"x"),
        (12, b.ziplist([b"half a record"])),
        (11, b.intset([1, 2, 3])[:-1]),
        (11, b.intset([1, 2, 3]) + b"x"),
        (11, b"\x03" + b.intset([1])[1:]),
        (25, b.listpack([b"a", b"b", b"no number"])),
    ],
)
def test_refuses_a_packed_value_that_no_server_writes(code: int, blob: bytes) -> None:
    prefix = b.milliseconds(0) if code == 25 else b""
    with pytest.raises(BadPacking):
        form_of(code, prefix + b.raw(blob))
    if code in QUICK_FORMS:
        with suppress(BadPacking):
            assert QUICK_FORMS[code](b.raw(blob), 0, len(b.raw(blob))) is None, (
                "neither refused nor left to the other way"
            )
