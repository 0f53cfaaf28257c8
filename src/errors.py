"""Errors of the runtime that a person can act on: a lowercase message and a hint that is a sentence.

They mirror the operator library's tree without importing it; each is also the builtin that callers
of such a function would catch (`ValueError`, `LookupError`), so no caller needs this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RuntimeFault(Exception):
    """Base of the runtime's own errors; `str()` gives message and hint in one line."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message = message
        self.hint = hint


class ConfigurationInvalid(RuntimeFault, ValueError):
    """A file or an environment variable is wrong; nothing was opened because of it."""


class UnknownDatabase(RuntimeFault, LookupError):
    """A name or number that no database of the catalog has. It never falls back to database 0."""


def nearest_match_hint(wanted: str, known: Iterable[str]) -> str:
    """A sentence that offers the known name nearest to `wanted`, or else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(wanted.lower(), names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Use one of {', '.join(names)}." if names else "None is configured."
