"""What a server's refusal means, in words, and what to do about it."""

from __future__ import annotations

from autobot_ops.rdb.errors import StreamRefused, StreamUnavailable

_RIGHTS = "The stream's user needs exactly these rights: -@all +replconf +sync."
_PASSWORD = "Check the user's name and password, and that the server has them: ACL LIST."  # noqa: S105

# (what the answer contains, in lower case) → (error, message, hint); the first that fits counts.
_MEANINGS: tuple[tuple[str, type[StreamRefused | StreamUnavailable], str, str], ...] = (
    ("noperm", StreamRefused, "the user may not ask {server} for its stream", _RIGHTS),
    (
        "noauth",
        StreamRefused,
        "{server} wants a password",
        "Give the user and password of the stream's account.",
    ),
    ("wrongpass", StreamRefused, "{server} refuses the user name or password", _PASSWORD),
    ("invalid password", StreamRefused, "{server} refuses the password", _PASSWORD),
    ("auth", StreamRefused, "{server} has no password and was given one", _PASSWORD),
    (
        "denied",
        StreamRefused,
        "{server} is in protected mode",
        "Give the server a password, or connect locally.",
    ),
    (
        "unknown command",
        StreamRefused,
        "{server} doesn't offer its replication stream",
        "Managed servers withhold it; read with SCAN instead, which is slower and not one point in time.",
    ),
    ("loading", StreamUnavailable, "{server} is still loading its data", "Try again when it has started."),
    (
        "can't sync",
        StreamUnavailable,
        "{server} is a replica whose link to its master is down",
        "Ask the master, or wait until INFO replication says master_link_status:up.",
    ),
    (
        "background save",
        StreamUnavailable,
        "{server} can't start its child process",
        "Look into the server's log; often vm.overcommit_memory or a full disk.",
    ),
    (
        "bgsave",
        StreamUnavailable,
        "{server} can't save",
        "Look into the server's log; often vm.overcommit_memory or a full disk.",
    ),
    (
        "max number of clients",
        StreamUnavailable,
        "{server} takes no more clients",
        "Raise maxclients, or wait.",
    ),
)


def refusal(answer: str, server: object) -> StreamRefused | StreamUnavailable:
    """The error for an answer that is neither OK nor a stream."""
    lowered = answer.lower()
    if answer.startswith("-"):
        for part, error, message, hint in _MEANINGS:
            if part in lowered:
                return error(message.format(server=server), hint=f"{hint} It said: {answer[1:]}")
        return StreamUnavailable(f"{server} answers: {answer[1:]}", hint="Look into the server's log.")
    return StreamUnavailable(
        f"{server} doesn't speak the redis protocol: {answer[:60]!r}", hint="Check host and port."
    )
