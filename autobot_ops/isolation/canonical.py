"""One spelling for users that mean the same, whether the server or our file wrote them. Pure.

A server doesn't print the rules that it was given: Redis 7.0 describes the resulting set of commands
in words of its own (`+@read -keys …`), newer ones drop what was overruled, and each has its order. So
rules are worked out to the commands that they allow, by the server's own categories, and equal texts are
equal rights.

The grammar is that of `ACL SETUSER` in Redis 7.0 to 8.0 and Valkey 9.1. A rule or command that is not
known is kept as it stands, so that it makes a difference and is never taken for equal by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

ALIASES: Mapping[str, str] = {
    "allkeys": "~*",
    "allchannels": "&*",
    "allcommands": "+@all",
    "nocommands": "-@all",
}


@dataclass(frozen=True)
class CommandTable:
    """A server's commands by category, as `ACL CAT` gives them; subcommands as `config|get`."""

    categories: Mapping[str, frozenset[str]]

    @cached_property
    def commands(self) -> frozenset[str]:
        """Every command and subcommand."""
        return frozenset().union(*self.categories.values())

    @cached_property
    def subcommands(self) -> Mapping[str, frozenset[str]]:
        """Those of each command that has some."""
        found: dict[str, set[str]] = {}
        for command in self.commands:
            parent, separator, _ = command.partition("|")
            if separator:
                found.setdefault(parent, set()).add(command)
        return {parent: frozenset(names) for parent, names in found.items()}

    def named_by(self, rule: str) -> frozenset[str]:
        """The commands that a rule without its sign is about; none if it is unknown."""
        if rule == "@all":
            return self.commands
        if rule.startswith("@"):
            named = self.categories.get(rule[1:], frozenset())
        else:
            named = frozenset({rule} & self.commands)
        # A rule about a command with subcommands is one about all of them.
        return named.union(*(self.subcommands.get(name, frozenset()) for name in named))


@dataclass
class Permissions:
    """What the root of a user, or one selector, holds after the rules so far."""

    table: CommandTable
    keys: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    databases: str = ""
    """Empty: all, which is what every server without rules for databases means."""
    commands: set[str] = field(default_factory=set)
    first_arguments: set[str] = field(default_factory=set)
    """`select|1`: a command that is allowed with this first argument only."""
    unknown: set[str] = field(default_factory=set)

    def apply(self, rule: str) -> None:
        """Take over one rule."""
        match ALIASES.get(rule.lower(), rule):
            case "resetkeys":
                self.keys.clear()
            case "resetchannels":
                self.channels.clear()
            case "alldbs":
                self.databases = ""
            case "resetdbs":
                self.databases = "resetdbs"
            case numbers if numbers.startswith("db="):
                self.databases = "db=" + ",".join(sorted(set(numbers[3:].split(","))))
            case pattern if pattern.startswith(("~", "%")):
                self.keys.add(_key_pattern(pattern))
            case pattern if pattern.startswith("&"):
                self.channels.add(pattern)
            case command if command.startswith(("+", "-")):
                self._apply_command(command[0], command[1:].lower())
            case other:
                self.unknown.add(other)

    def _apply_command(self, sign: str, rule: str) -> None:
        named = self.table.named_by(rule)
        if named:
            self.commands = self.commands | named if sign == "+" else self.commands - named
            self.first_arguments = {
                each for each in self.first_arguments if each.partition("|")[0] not in named
            }
        elif sign == "+" and rule.partition("|")[0] in self.table.commands:
            self.first_arguments.add(rule)
        elif not rule.startswith("@"):
            self.unknown.add(sign + rule)

    def text(self) -> str:
        """Everything in a fixed order; patterns beside one that matches everything mean nothing."""
        keys = {"~*"} if "~*" in self.keys else self.keys
        channels = {"&*"} if "&*" in self.channels else self.channels
        first = {each for each in self.first_arguments if each.partition("|")[0] not in self.commands}
        # What a command with subcommands allows is its subcommands; by itself it does nothing.
        allowed = {*self.commands, *first} - self.table.subcommands.keys()
        commands = ("+" + command for command in sorted(allowed))
        databases = (self.databases,) if self.databases else ()
        return " ".join((*sorted(keys), *sorted(channels), *databases, *sorted(self.unknown), *commands))


@dataclass
class _User:
    """A user while its rules are read from left to right."""

    root: Permissions
    enabled: bool = False
    passwords: set[str] = field(default_factory=set)
    selectors: list[str] = field(default_factory=list)

    def apply(self, rule: str) -> None:
        match rule.lower():
            case "on" | "off":
                self.enabled = rule.lower() == "on"
            case "nopass":
                self.passwords = {"nopass"}
            case "resetpass":
                self.passwords.clear()
            case "clearselectors":
                self.selectors.clear()
            case "sanitize-payload":
                pass  # how RESTORE's payload is checked; every server's default is to check it
            case password if password.startswith("#"):
                self.passwords = self.passwords - {"nopass"} | {password}
            case password if password.startswith("!"):
                self.passwords.discard("#" + password[1:])
            case selector if selector.startswith("("):
                permissions = Permissions(self.root.table)
                for each in rule[1:-1].split():
                    permissions.apply(each)
                self.selectors.append(f"({permissions.text()})")
            case _:
                self.root.apply(rule)

    def text(self) -> str:
        state = "on" if self.enabled else "off"
        parts = (state, *sorted(self.passwords), self.root.text(), *sorted(self.selectors))
        return " ".join(part for part in parts if part)


def canonical_users(lines: Iterable[str], table: CommandTable) -> dict[str, str]:
    """Each user's rights in one spelling, from lines of an ACL file or of `ACL LIST`.

    Equal texts mean equal rights on the server that `table` was read from. Passwords are in it as
    hashes, so don't show it to anybody. Raises ValueError for a line that isn't a user's.
    """
    users: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            continue
        name, rules = split_user(line)
        user = _User(Permissions(table))
        for rule in rules:
            if rule.lower() == "reset":
                user = _User(Permissions(table))
            else:
                user.apply(rule)
        users[name] = user.text()
    return users


def split_user(line: str) -> tuple[str, tuple[str, ...]]:
    """A line's user and rules; a selector is one rule, in its parentheses. Raises ValueError."""
    words = line.split()
    if len(words) < 2 or words[0].lower() != "user":
        raise ValueError("a line of users must begin with 'user' and a name")
    rules: list[str] = []
    selector: list[str] = []
    for word in words[2:]:
        if not (selector or word.startswith("(")):
            rules.append(word)
            continue
        selector.append(word)
        if word.endswith(")"):
            rules.append(" ".join(selector))
            selector = []
    if selector:
        raise ValueError(f"a selector of user '{words[1]}' has no end")
    return words[1], tuple(rules)


def _key_pattern(rule: str) -> str:
    if not rule.startswith("%"):
        return rule
    flags, _, pattern = rule[1:].partition("~")
    flags = "".join(sorted(set(flags.upper())))
    return f"~{pattern}" if flags == "RW" else f"%{flags}~{pattern}"
