"""Every way in which a restore is refused or fails, by name.

Whatever is raised before the exchange leaves the live database as it was.
"""

from __future__ import annotations

from autobot_ops.errors import ConfigurationError, RefusedForSafety, ServiceUnreachable

UNTOUCHED = "The live database was not touched."


class RestoreUnderWay(RefusedForSafety):
    """Another command is restoring at this moment, on this machine."""


class RestoreStillOpen(RefusedForSafety):
    """The database was restored before, and its former content is still kept."""


class NoOpenRestore(ConfigurationError):
    """Nothing is there to be committed or undone."""


class NotEnoughMemory(RefusedForSafety):
    """The server has no room for the database a second time."""


class NothingMatches(ConfigurationError):
    """The archive has no key of that pattern, or none whose time isn't over."""


class NoStagingDatabase(RefusedForSafety):
    """Every number that is set aside for staging is taken."""


class NotEmpty(RefusedForSafety):
    """A whole restore is for an empty server, and this one has keys."""


class ContentDiffers(RefusedForSafety):
    """What was loaded isn't what the archive holds; it was thrown away."""


class LoadRefused(RefusedForSafety):
    """The server refuses a key of the archive."""


class ServerLost(ServiceUnreachable):
    """The server went away, or stopped answering, in the middle."""
