"""All sabotages, in the order of their subjects."""

from __future__ import annotations

from tests.sabotage import containers, health, isolation
from tests.sabotage.model import Sabotage

SABOTAGES: tuple[Sabotage, ...] = (*health.SABOTAGES, *isolation.SABOTAGES, *containers.SABOTAGES)
