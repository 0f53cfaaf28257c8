"""What can keep keys of another server from being brought here, by name.

Whatever is raised before keys go from staging to their databases leaves these as they were.
"""

from __future__ import annotations

from autobot_ops.errors import ConfigurationError, PartlyDone, RefusedForSafety, ServiceUnreachable

UNTOUCHED = "The source was not written to, and no key of a target."
AGAIN = "The same command goes on; a key that is there already is not written again."


class SourceLost(ServiceUnreachable):
    """The source can't be reached, or went away."""


class SourceRefuses(ConfigurationError):
    """The source gives its user neither the stream nor SCAN and DUMP."""


class NoSuchNumber(ConfigurationError):
    """The source has no database of that number."""


class SameServer(RefusedForSafety):
    """Source and target are one server, or one is the other's replica."""


class UnknownSource(RefusedForSafety):
    """The source doesn't say who it is, so nothing may be deleted there."""


class NowhereToStage(RefusedForSafety):
    """The target has no empty database above the catalog's."""


class CannotBeWritten(RefusedForSafety):
    """Values that the target understands neither whole nor in pieces."""


class StagedDiffers(RefusedForSafety):
    """What was loaded isn't what the source holds; it was thrown away."""


class NotAllBrought(PartlyDone):
    """Some keys were left out, or differ from the source's; the report names them."""
