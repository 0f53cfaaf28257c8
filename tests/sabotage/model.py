"""What a sabotage is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.integration.live import Stack

Act = Callable[[Stack], None]


@dataclass(frozen=True)
class Sabotage:
    """One thing that is spoilt on the running stack, and how that is undone.

    Each of the obligations must notice by itself: at least one of its tests fails. `only` narrows them to
    those whose names match (pytest's -k), where others would take long and can't notice.
    """

    obligations: tuple[int, ...]
    what: str
    apply: Act
    mend: Act
    only: str = ""
