"""What is read out of a page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.agents.extraction import MOST_LINKS, extract, extract_plain

URL = "https://example.com/a/page.html"


def test_main_text_has_a_line_per_block_and_no_furniture() -> None:
    content = extract(
        "<html lang=en><title> Tides &amp; sea </title><nav>menu</nav><main><h1>Tides</h1>"
        "<p>The moon pulls\n the <b>oceans</b>.</p>and<p>more</p><!-- no --><script>no()</script></main>"
        "<footer>imprint</footer></html>",
        URL,
    )
    assert content.title == "Tides & sea"
    assert content.language == "en"
    assert content.text == "Tides\nThe moon pulls the oceans.\nand\nmore"


def test_without_a_main_part_the_whole_body_is_read() -> None:
    assert extract("<body><div>one</div><div>two</div></body>", URL).text == "one\ntwo"


def test_with_two_articles_neither_is_the_main_part() -> None:
    assert extract("<body><article>one</article><article>two</article></body>", URL).text == "one\ntwo"


def test_links_are_absolute_unique_and_of_the_web() -> None:
    content = extract(
        '<a href="b#x">B</a><a href="b">again</a><a href="//other.org/">O</a><a href="mailto:a@b.c">M</a>'
        '<a href="javascript:x()">J</a><a href="http://[broken">?</a><a>none</a>',
        URL,
    )
    assert [(link.url, link.text) for link in content.links] == [
        ("https://example.com/a/b", "B"),
        ("https://other.org/", "O"),
    ]


def test_a_base_element_is_what_links_start_from() -> None:
    page = '<head><base href="/docs/"></head><a href="x">X</a>'
    assert extract(page, URL).links[0].url == "https://example.com/docs/x"


def test_the_number_of_links_is_bounded() -> None:
    page = "".join(f'<a href="/{number}">x</a>' for number in range(MOST_LINKS + 50))
    assert len(extract(page, URL).links) == MOST_LINKS


@pytest.mark.parametrize("charset", ["iso-8859-1", None])
def test_the_charset_of_the_server_or_of_the_page_is_used(charset: str | None) -> None:
    page = '<meta charset="iso-8859-1"><title>Käse</title>'.encode("iso-8859-1")
    assert extract(page, URL, charset).title == "Käse"


def test_a_first_heading_stands_in_for_a_missing_title() -> None:
    assert extract("<h1>Only this</h1>", URL).title == "Only this"


def test_a_page_nested_deeper_than_pythons_stack_is_read() -> None:
    assert extract("<div>" * 5000 + "deep", URL).text == "deep"


@given(st.text(max_size=300))
def test_no_markup_makes_it_fail(markup: str) -> None:
    extract(markup, URL)
    extract(f"<main>{markup}</main><a href='{markup}'>{markup}</a>", URL)


def test_plain_text_keeps_its_lines() -> None:
    content = extract_plain("\nfirst\n\nsecond")
    assert (content.title, content.text) == ("first", "\nfirst\n\nsecond")
