"""What can keep a migration from beginning, or from ending well, by name."""

from __future__ import annotations

from autobot_ops.errors import (
    ConfigurationError,
    Interrupted,
    PartlyDone,
    RefusedForSafety,
    ServiceUnreachable,
)

RESUME = (
    "Every key is where the journal says. The same command goes on; inv migrate --rollback takes it back."
)


class InvalidRoute(ConfigurationError):
    """A route of the command line or of a rules file that can't be followed."""


class ServerLost(ServiceUnreachable):
    """The server went away, or stopped answering, while keys were moved."""


class MoveRefused(ServiceUnreachable):
    """The server answers a MOVE with an error: no right, no memory, a replica."""


class InvalidPlanFile(ConfigurationError):
    """A file that is no plan, or a damaged one."""


class PlanDoesNotFit(RefusedForSafety):
    """A plan that was made for another server, or before the data changed beyond recognition."""


class KeysCollide(RefusedForSafety):
    """Keys of database 0 exist in their target with another value."""


class AlreadyRunning(RefusedForSafety):
    """Another process migrates at the moment."""


class NoSafetyArchive(RefusedForSafety):
    """No archive was made of what is about to move."""


class UnknownRun(ConfigurationError):
    """No migration of this id is known here."""


class BroughtFromElsewhere(RefusedForSafety):
    """A run whose keys came from another server; nothing can be moved back there."""


class AlreadyRolledBack(RefusedForSafety):
    """A run that was taken back before."""


class JournalFailed(RefusedForSafety):
    """The journal can't be kept, so nothing more moves."""


class NotAllMoved(PartlyDone):
    """Some keys stayed where they were, or differ from what was planned; the report names them."""


class MigrationInterrupted(Interrupted):
    """Ctrl-C: the windows under way were finished."""
