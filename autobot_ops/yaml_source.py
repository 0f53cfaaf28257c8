"""Read YAML and remember the line of every value, so that an error can name it.

Only reads text; it knows nothing of what the values mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autobot_ops.errors import ConfigurationError

Location = tuple[str | int, ...]
"""Where a value stands: mapping keys and list indexes from the root, as pydantic's `loc`."""


class InvalidYaml(ConfigurationError):
    """A configuration file is missing, unreadable or no YAML mapping."""


@dataclass(frozen=True)
class YamlSource:
    """One parsed file: its data, and the line of each value in it."""

    name: str
    data: dict[str, Any]
    lines: Mapping[Location, int]

    def place(self, location: Sequence[str | int]) -> str:
        """`file:line` of a value, or of the nearest thing around it that the file contains."""
        path = tuple(location)
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"


def load_yaml(path: Path, *, name: str | None = None) -> YamlSource:
    """Parse a file that holds one mapping. `name` is how errors call it (default: its file name).

    Raises InvalidYaml with file and line, also for a key that appears twice: YAML would silently
    keep the last one.
    """
    shown = name or path.name
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidYaml(
            f"{shown} is missing", hint=f"Restore it, for example with: git checkout -- {shown}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidYaml(
            f"{shown} can't be read: {error}", hint="Check its permissions and encoding."
        ) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        lines: dict[Location, int] = {}
        if node is not None:
            _record_lines(node, (), lines, shown)
        data = loader.construct_document(node) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidYaml(
            f"{shown}:{line}: not valid YAML: {error.problem}", hint=f"Correct line {line} of {shown}."
        ) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise InvalidYaml(
            f"{shown}:1: expected a mapping, found a {type(data).__name__}",
            hint=f"{shown} must consist of `name: value` lines.",
        )
    return YamlSource(shown, data, lines)


def _record_lines(node: yaml.Node, path: Location, lines: dict[Location, int], name: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            child = (*path, key_node.value)
            line = key_node.start_mark.line + 1
            if child in lines:
                raise InvalidYaml(
                    f"{name}:{line}: '{key_node.value}' appears twice, first on line {lines[child]}",
                    hint="Remove or rename one of the two.",
                )
            lines[child] = line
            _record_lines(value_node, child, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _record_lines(item, (*path, index), lines, name)
