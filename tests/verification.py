"""docs/verification.md: what was verified, as the commands that verified it wrote it, each part with its day.

A plain run of tests leaves the file alone; with `--record` each table goes into its own part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "verification.md"


class UnknownPart(LookupError):
    """The document has no place for such a part."""


def record(part: str, body: str, *, document: Path = DOCUMENT) -> None:
    """Replace one part of the document by this Markdown, under the day it was made. Raises UnknownPart."""
    begin, end = f"<!-- begin {part} -->", f"<!-- end {part} -->"
    text = document.read_text()
    place = re.compile(rf"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if not place.search(text):
        raise UnknownPart(f"{document.name} has no part '{part}'")
    day = datetime.now(UTC).date().isoformat()
    document.write_text(place.sub(lambda _: f"{begin}\nMade on {day}.\n\n{body.strip()}\n{end}", text))


def markdown_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown; cells hold no line breaks, pipes are escaped."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
