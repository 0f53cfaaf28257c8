"""Indexes of a search module: they index database 0 alone, so the keys that they index stay there.

Replies as the module gives them over RESP2; a server without the module doesn't know the command.
"""

from __future__ import annotations

from collections.abc import Iterable

import hiredis

from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import MoveRefused

_DEFINITION, _PREFIXES = b"index_definition", b"prefixes"


def indexed_prefixes(connection: Connection) -> list[str]:
    """Prefixes of keys that some index covers. Raises MoveRefused where the user may not ask."""
    names = connection.ask("FT._LIST")
    if isinstance(names, hiredis.ReplyError):
        if "unknown command" in str(names).lower():
            return []
        raise MoveRefused(
            f"{connection.endpoint} doesn't say which keys its search indexes cover: {names}",
            hint="The user needs +ft._list and +ft.info.",
        )
    assert isinstance(names, list)  # noqa: S101 (for the type checker: FT._LIST answers with a list)
    found = dict.fromkeys(
        prefix
        for reply in connection.ask_all([("FT.INFO", name) for name in names])
        for prefix in prefixes_of(reply)
    )
    return list(found)


def prefixes_of(information: object) -> Iterable[str]:
    """The prefixes in an answer to FT.INFO; an index without any covers every key."""
    definition = _value_of(information, _DEFINITION)
    prefixes = _value_of(definition, _PREFIXES)
    texts = [each.decode() for each in prefixes] if isinstance(prefixes, list) else []
    return texts or [""]


def _value_of(pairs: object, name: bytes) -> object:
    if not isinstance(pairs, list):
        return None
    for index in range(0, len(pairs) - 1, 2):
        if pairs[index] == name:
            return pairs[index + 1]
    return None
