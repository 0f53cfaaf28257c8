"""The two lists that everything is derived from: databases and agents."""

from autobot_ops.catalog.load import Catalogs, load_catalogs
from autobot_ops.catalog.models import AccessRight, Agent, Database

__all__ = ["AccessRight", "Agent", "Catalogs", "Database", "load_catalogs"]
