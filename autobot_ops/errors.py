"""The one tree of errors: each class knows its exit code, each error says what to do next.

Library code raises these and nothing else for what a user can cause; it never prints and never
exits. `docs/exit-codes.md` carries the same table, and a test compares the two.
"""


class OpsError(Exception):
    """Anything a user can read and act on: a lowercase message, and a hint that is a sentence."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(OpsError):
    """A file, setting or argument is wrong; nothing was changed."""

    exit_code = 2


class ExternalCommandFailed(OpsError):
    """A program that we call ended with an error."""

    exit_code = 3


class ServiceUnreachable(OpsError):
    """Docker, Redis, PostgreSQL or an agent does not answer or does not become healthy."""

    exit_code = 4


class RefusedForSafety(OpsError):
    """The request is understood and would endanger data or a running stack, so nothing was done."""

    exit_code = 5


class PartlyDone(OpsError):
    """Some of the work is done and verified, the rest is named in the message."""

    exit_code = 6


class Interrupted(OpsError):
    """Ctrl-C or a termination signal; what was done so far is consistent."""

    exit_code = 130
    go_on_hint = "What was done so far is consistent; repeat the command to go on."
