"""Full-text search over knowledge entries with Whoosh, in a folder of the data volume.

The index can be thrown away at any time: `synchronise` makes it again from the store. Blocking; one
writer at a time, readers never wait.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from whoosh import index
from whoosh.analysis import StemmingAnalyzer
from whoosh.fields import ID, KEYWORD, STORED, TEXT, Schema
from whoosh.highlight import ContextFragmenter, Formatter, get_text
from whoosh.qparser import MultifieldParser, OrGroup

logger = logging.getLogger(__name__)

# Raise it when the schema changes: an index of another version is made anew.
INDEX_VERSION = 1
# A term in the title says more about an entry than one in its text.
_BOOSTS = {"title": 2.0, "tags": 1.5, "content": 1.0}


class Searchable(Protocol):
    """What the index needs of an entry."""

    id: Any
    title: Any
    content: Any
    tags: Any


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found: BM25F score (higher is better) and the place where the words stand."""

    id: int
    score: float
    snippet: str


class _Plain(Formatter):  # type: ignore[misc]  # Whoosh has no types
    """Marks what was found with asterisks: no HTML leaves an API that answers in JSON."""

    between = " … "

    def format_token(self, text: str, token: Any, replace: bool = False) -> str:
        return f"*{get_text(text, token, replace)}*"


class EntryIndex:
    """The index in `folder`; opened, or made, by `open`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / f"v{INDEX_VERSION}"
        self._writing = threading.Lock()
        self._index: Any = None
        self._schema = Schema(
            id=ID(stored=True, unique=True),
            title=TEXT(analyzer=StemmingAnalyzer(), stored=False),
            tags=KEYWORD(lowercase=True, commas=True),
            content=TEXT(analyzer=StemmingAnalyzer(), stored=False),
            text=STORED,
        )

    def open(self) -> None:
        """Open the index; a missing or damaged one becomes an empty one."""
        try:
            self._index = index.open_dir(str(self._folder))
            self._index.doc_count()
        except Exception as error:  # Whoosh meets damage with whatever its parser runs into
            if self._folder.exists():
                logger.warning("the search index can't be read and is made anew: %s", error)
                shutil.rmtree(self._folder)
            self._folder.mkdir(parents=True)
            self._index = index.create_in(str(self._folder), self._schema)

    def synchronise(
        self, wanted: Sequence[int], entries: Callable[[], Iterable[Searchable]]
    ) -> tuple[int, int]:
        """Add what `wanted` has and the index lacks, take out what it has too much; how many of each."""
        with self._writing, self._index.searcher() as searcher:
            present = {int(fields["id"]) for fields in searcher.all_stored_fields()}
            missing, superfluous = set(wanted) - present, present - set(wanted)
            if not missing and not superfluous:
                return 0, 0
            with self._index.writer() as writer:
                for identifier in superfluous:
                    writer.delete_by_term("id", str(identifier))
                for entry in entries() if missing else ():
                    if entry.id in missing:
                        writer.update_document(**_document(entry))
        return len(missing), len(superfluous)

    def add(self, entry: Searchable) -> None:
        """Add or replace one entry; it can be found when this returns."""
        with self._writing, self._index.writer() as writer:
            writer.update_document(**_document(entry))

    def remove(self, identifier: int) -> None:
        """Take one entry out; nothing happens if it isn't there."""
        with self._writing, self._index.writer() as writer:
            writer.delete_by_term("id", str(identifier))

    def search(self, query_text: str, limit: int) -> list[Hit]:
        """The best entries for a query in Whoosh's syntax (words, "phrases", title:word, -without).

        Words are joined by OR; entries with more of them score higher.
        """
        parser = MultifieldParser(
            list(_BOOSTS), self._schema, fieldboosts=_BOOSTS, group=OrGroup.factory(0.9)
        )
        with self._index.searcher() as searcher:
            results = searcher.search(parser.parse(query_text), limit=limit)
            results.fragmenter = ContextFragmenter(maxchars=200, surround=60)
            results.formatter = _Plain()
            return [
                Hit(
                    id=int(found["id"]),
                    score=round(float(found.score), 4),
                    snippet=found.highlights("content", text=found["text"], top=2) or found["text"][:200],
                )
                for found in results
            ]

    def close(self) -> None:
        """Release the files."""
        if self._index is not None:
            self._index.close()


def _document(entry: Searchable) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "title": entry.title,
        "tags": ",".join(entry.tags),
        "content": entry.content,
        "text": entry.content,
    }
