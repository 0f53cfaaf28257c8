"""All sabotages: what the modules of this folder name SABOTAGES, in the order of their names."""

from __future__ import annotations

import importlib
import pkgutil

from tests import sabotage
from tests.sabotage.model import Sabotage


def _sabotages() -> list[Sabotage]:
    found: list[Sabotage] = []
    for module in pkgutil.iter_modules(sabotage.__path__):
        # Not the program itself: it imports this.
        if not module.name.startswith("_") and module.name != "catalogue":
            found += getattr(importlib.import_module(f"{sabotage.__name__}.{module.name}"), "SABOTAGES", ())
    return found


SABOTAGES: tuple[Sabotage, ...] = tuple(_sabotages())
