"""What a page says: title, main text, links. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup, CData, NavigableString, Tag

MOST_LINKS = 200
LONGEST_TEXT = 200_000

# Parts of a page that aren't what it says.
_FURNITURE = (
    "script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form", "button",
    "iframe", "svg", "canvas", "dialog", "title",
)  # fmt: skip
_MAIN = ("main", "[role=main]", "article")
_BLOCKS = [
    *("address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "li", "main", "ol", "p", "pre", "section", "table", "td"),
    *("th", "tr", "ul"),
]
# No page has it in its text: it is a control character.
_BLOCK_EDGE = "\x1e"
_BLANKS = re.compile(r"[^\S\x1e]+")
_EDGES = re.compile(r"[ \x1e]*\x1e[ \x1e]*")


@dataclass(frozen=True, slots=True)
class Link:
    """An absolute http or https URL without fragment, and the words it stands under."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class PageContent:
    """`text` has one line per block of the page; `truncated` is whether its end was cut off."""

    title: str
    description: str
    language: str
    text: str
    truncated: bool
    links: list[Link]


def extract(markup: str | bytes, url: str, charset: str | None = None) -> PageContent:
    """Read an HTML page; `url` is its own, which relative links start from."""
    page = BeautifulSoup(markup, "html.parser", from_encoding=charset if isinstance(markup, bytes) else None)
    title = _title(page)
    description = page.select_one('meta[name="description"], meta[property="og:description"]')
    language = page.html.get("lang", "") if page.html else ""
    # Before the furniture goes: navigation is where most links are.
    links = _links(page, url)
    for part in page.find_all(_FURNITURE):
        part.decompose()
    text = _text(_main_part(page))
    return PageContent(
        title=title,
        description=_one_line(str(description.get("content", ""))) if description else "",
        language=str(language),
        text=text[:LONGEST_TEXT],
        truncated=len(text) > LONGEST_TEXT,
        links=links,
    )


def extract_plain(text: str) -> PageContent:
    """A page of plain text: its first line stands for the title."""
    lines = text.strip().splitlines()
    return PageContent(
        title=lines[0][:200].strip() if lines else "",
        description="",
        language="",
        text=text[:LONGEST_TEXT],
        truncated=len(text) > LONGEST_TEXT,
        links=[],
    )


def _title(page: BeautifulSoup) -> str:
    for found in (page.title, page.find("h1")):
        if found and (text := _one_line(found.get_text(" "))):
            return text
    return ""


def _main_part(page: BeautifulSoup) -> Tag:
    """The part that calls itself the main one, if there is exactly one; else everything."""
    for selector in _MAIN:
        found = page.select(selector)
        if len(found) == 1 and found[0].get_text(strip=True):
            return found[0]
    return page.body or page


def _text(part: Tag) -> str:
    # Marks instead of a walk by recursion: pages are nested deeper than Python's stack.
    for block in part.find_all(_BLOCKS):
        block.insert_before(_BLOCK_EDGE)
        block.insert_after(_BLOCK_EDGE)
    # Comments, declarations and processing instructions are strings of other types.
    strings = (node for node in part.descendants if type(node) in (NavigableString, CData))
    text = _BLANKS.sub(" ", "".join(str(node) for node in strings))
    return _EDGES.sub("\n", text).strip()


def _links(page: BeautifulSoup, url: str) -> list[Link]:
    base = page.find("base", href=True)
    start = urljoin(url, str(base["href"])) if isinstance(base, Tag) else url
    links: dict[str, Link] = {}
    for anchor in page.find_all("a", href=True):
        try:
            target = urldefrag(urljoin(start, str(anchor["href"]).strip())).url
            scheme = urlsplit(target).scheme
        except ValueError:  # such as an unclosed bracket of an IPv6 address
            continue
        if scheme in ("http", "https") and target not in links:
            links[target] = Link(target, _one_line(anchor.get_text(" "))[:300])
            if len(links) == MOST_LINKS:
                break
    return list(links.values())


def _one_line(text: str) -> str:
    return " ".join(text.split())
