"""Turn what a model refuses into problems with a file, a line and a fix.

Pure: no files, no printing. One problem is one line for a person; a file's problems are reported
together, so that one run is enough to mend them all.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from autobot_ops.errors import ConfigurationError
from autobot_ops.yaml_source import Location, YamlSource


@dataclass(frozen=True)
class Problem:
    """Something wrong in a configuration: where, what, and how to mend it."""

    place: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class InvalidConfiguration(ConfigurationError):
    """One or more problems in the configuration files; the message is the first, `problems` are all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first, more = problems[0], len(problems) - 1
        count = f" (and {more} more: inv config.check)" if more else ""
        super().__init__(f"{first}{count}", hint=first.fix)
        self.problems = tuple(problems)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint's ending: the nearest known name if there is one, else all of them."""
    names = sorted(known)
    return did_you_mean(name, names) or f"Use one of: {', '.join(names)}."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question for the nearest known name; empty if none is near."""
    match = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean '{match[0]}'?" if match else ""


def problems_of(error: ValidationError, model: type[BaseModel], source: YamlSource) -> list[Problem]:
    """What pydantic found, in our words and with the file's lines."""
    return [_problem_of(dict(detail), model, source) for detail in error.errors(include_url=False)]


def _problem_of(detail: dict[str, Any], model: type[BaseModel], source: YamlSource) -> Problem:
    location: Location = tuple(detail["loc"])
    place = source.place(location)
    field = str(location[-1]) if location else "the file"
    owner = " of ".join(str(part) for part in reversed(location[:-1]))
    named = f"'{field}' of {owner}" if owner else f"'{field}'"
    match detail["type"]:
        case "extra_forbidden":
            return Problem(place, f"unknown field {named}", nearest(field, _fields_at(model, location[:-1])))
        case "missing":
            return Problem(place, f"{named} is missing", f"Add a line '{field}: …' there.")
        case _:
            reason = str(detail["msg"]).removeprefix("Value error, ")
            reason = reason[:1].lower() + reason[1:]
            return Problem(
                place, f"{named}: {reason}, found {detail['input']!r}", f"Correct {named} at {place}."
            )


def _fields_at(model: type[BaseModel], location: Location) -> Iterable[str]:
    """The field names that the model allows at a place: walks through nested models and mappings."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            info = current.model_fields.get(str(part))
            current = info.annotation if info else None
        elif hasattr(current, "__args__"):
            current = current.__args__[-1]
        if current is None:
            return []
    if isinstance(current, type) and issubclass(current, BaseModel):
        return current.model_fields
    candidates = getattr(current, "__args__", ())
    models = [each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)]
    return models[-1].model_fields if models else []
