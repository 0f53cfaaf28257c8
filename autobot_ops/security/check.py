"""A check: its number, what it asks for, and the function that answers. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autobot_ops.security.answers import Answer
from autobot_ops.security.facts import Container, StackFacts

Judge = Callable[[Container, StackFacts], Answer]


@dataclass(frozen=True)
class Check:
    """One row of the table. `title` states what holds where the answer is yes."""

    number: str
    title: str
    judge: Judge
