"""What was seen of a running stack, as plain data: all that a check may know. Pure types.

`inspect`, `image`, `history`, `networks` and `engine` are the Docker engine's own documents, unaltered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Mount:
    """One line of /proc/self/mountinfo. `options` are the mount's and the file system's together.

    `shared` says that mounts below it propagate to others.
    """

    path: str
    filesystem: str
    options: frozenset[str]
    shared: bool


@dataclass(frozen=True)
class SecretFile:
    """A file in /run/secrets: its permission bits and the numbers of its user and group."""

    path: str
    mode: int
    user: int
    group: int


@dataclass(frozen=True)
class Inside:
    """What a container looks like from inside.

    `status` and `limits` are those of its first process (limits: soft and hard, as the kernel words them).
    The paths are what root could write to of the root file system, setuid and setgid files, programs that
    have no place at run time, files of package caches, and folders of the root file system that could not be
    looked into.
    """

    status: Mapping[str, str]
    limits: Mapping[str, tuple[str, str]]
    mounts: tuple[Mount, ...]
    secret_files: tuple[SecretFile, ...]
    writable: tuple[str, ...]
    setuid_files: tuple[str, ...]
    programs: tuple[str, ...]
    package_caches: tuple[str, ...]
    closed_folders: tuple[str, ...]


@dataclass(frozen=True)
class Unseen:
    """Something that could not be looked at, and why."""

    reason: str


@dataclass(frozen=True)
class Role:
    """What the catalogs say of a service. `agent` is empty for what is no agent."""

    agent: str = ""
    stores_data: bool = False
    egress: bool = False
    postgres: bool = False


@dataclass(frozen=True)
class Container:
    """One container of the stack; `networks` are the documents of those it is attached to, by name."""

    service: str
    role: Role
    inspect: Document
    image: Document
    history: tuple[Document, ...]
    networks: Mapping[str, Document]
    inside: Inside | Unseen


@dataclass(frozen=True)
class RedisUsers:
    """Who may do what on the running Redis, by the server's own word.

    `passwordless` are users that are on and need no password; `default_rights` are those of the user
    `default` in the spelling of isolation/canonical.py. `dangerous` maps each user to the commands of
    security/dangerous_commands.py that the server would let it run.
    """

    names: frozenset[str]
    passwordless: frozenset[str]
    default_rights: str
    dangerous: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class LoginRule:
    """One line of pg_hba.conf as the server has loaded it; `databases` and `users` as lists of words."""

    kind: str
    databases: str
    users: str
    method: str

    @property
    def text(self) -> str:
        """The line as a person writes it."""
        return f"{self.kind} {self.databases} {self.users} {self.method}"


@dataclass(frozen=True)
class PostgresRole:
    """A role that may log in. `powers` are its attributes beyond that (superuser, createdb, …).

    `reads` are schemas of other roles that it may use.
    """

    name: str
    powers: tuple[str, ...]
    scram_password: bool
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class PostgresLogins:
    """How one logs in to the running PostgreSQL."""

    password_encryption: str
    rules: tuple[LoginRule, ...]
    roles: tuple[PostgresRole, ...]


@dataclass(frozen=True)
class Audit:
    """What the last audit of an image found: packages with a known flaw of weight that has a cure.

    `unreached` names the sources of vulnerability data that did not answer: with one of them missing, no
    finding is not the same as nothing to find.
    """

    day: str
    fixable: tuple[str, ...]
    unreached: tuple[str, ...]


@dataclass(frozen=True)
class StackFacts:
    """Everything that was seen. `secrets` maps names of secret files to what must appear nowhere."""

    containers: Mapping[str, Container]
    engine: Document
    agents: frozenset[str]
    secrets: Mapping[str, str] = field(repr=False)
    redis: RedisUsers | Unseen
    postgres: PostgresLogins | Unseen
    audits: Mapping[str, Audit]
    """By image reference."""
