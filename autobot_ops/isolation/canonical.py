"""One spelling for users that mean the same, whether the server or our file wrote them. Pure.

The server prints its users in an order of its own and leaves out what an earlier rule was overruled by;
other servers do it in other ways. `canonical_users` brings both sides into one form, so that equal
texts are equal rights. It follows the rules' order where order matters: `+@read -keys` is not
`-keys +@read`, while `+get +set` is `+set +get`.

The grammar is that of `ACL SETUSER` in Redis 7.0 to 8.0 and Valkey 9.1. An unknown rule is kept as it
stands, so a server that prints something new differs, and is never taken for equal by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

EVERYTHING, NOTHING = "+@all", "-@all"

ALIASES: Mapping[str, str] = {
    "allkeys": "~*",
    "allchannels": "&*",
    "allcommands": EVERYTHING,
    "nocommands": NOTHING,
}


@dataclass
class Permissions:
    """What the root of a user, or one selector, holds after the rules so far."""

    keys: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    databases: str = "alldbs"
    commands: list[str] = field(default_factory=lambda: [NOTHING])

    def apply(self, rule: str) -> bool:
        """Take one rule over; False if it is none of keys, channels, databases or commands."""
        match rule:
            case "resetkeys":
                self.keys.clear()
            case "resetchannels":
                self.channels.clear()
            case "alldbs" | "resetdbs":
                self.databases = rule
            case "+@all" | "-@all":
                self.commands = [rule]
            case _ if rule.startswith("db="):
                self.databases = "db=" + ",".join(sorted(set(rule[3:].split(",")), key=_by_number))
            case _ if rule.startswith(("~", "%")):
                self.keys.add(_key_pattern(rule))
            case _ if rule.startswith("&"):
                self.channels.add(rule)
            case _ if rule.startswith(("+", "-")):
                self._apply_command(rule.lower())
            case _:
                return False
        return True

    def _apply_command(self, rule: str) -> None:
        name = rule[1:]
        # A rule overrules every earlier one on the same command and on its subcommands.
        self.commands = [
            each for each in self.commands if each[1:] != name and not each[1:].startswith(name + "|")
        ]
        self.commands.append(rule)

    def text(self) -> str:
        """In a fixed order; rules in a row that all allow, or all deny, are sorted."""
        runs = (sorted(run) for _, run in groupby(self.commands[1:], key=lambda rule: rule[0]))
        commands = [self.commands[0], *(rule for run in runs for rule in run)]
        # `alldbs` is what every server without database rules means.
        databases = [] if self.databases == "alldbs" else [self.databases]
        return " ".join((*_widest(self.keys, "~*"), *_widest(self.channels, "&*"), *databases, *commands))


@dataclass
class _User:
    """A user while its rules are read from left to right."""

    enabled: bool = False
    passwords: set[str] = field(default_factory=set)
    root: Permissions = field(default_factory=Permissions)
    selectors: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    def apply(self, rule: str) -> None:
        rule = ALIASES.get(rule.lower(), rule)
        actions: Mapping[str, Callable[[], object]] = {
            "on": lambda: setattr(self, "enabled", True),
            "off": lambda: setattr(self, "enabled", False),
            "nopass": lambda: setattr(self, "passwords", {"nopass"}),
            "resetpass": self.passwords.clear,
            "clearselectors": self.selectors.clear,
            # How the payload of RESTORE is checked; every server's default is to check it.
            "sanitize-payload": lambda: None,
        }
        if rule in actions:
            actions[rule]()
        elif rule.startswith("#"):
            self.passwords.discard("nopass")
            self.passwords.add(rule.lower())
        elif rule.startswith("!"):
            self.passwords.discard("#" + rule[1:].lower())
        elif rule.startswith("("):
            self.selectors.append(_selector(rule))
        elif not self.root.apply(rule):
            self.others.add(rule)

    def text(self) -> str:
        state = "on" if self.enabled else "off"
        parts = (state, *sorted(self.passwords), *sorted(self.others), self.root.text())
        return " ".join((*parts, *sorted(self.selectors)))


def canonical_users(lines: Iterable[str]) -> dict[str, str]:
    """Each user's rights in one spelling, from lines of an ACL file or of `ACL LIST`.

    Equal texts mean equal rights. Passwords are in it as hashes, so don't show it to anybody.
    Raises ValueError for a line that isn't a user's.
    """
    users: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            continue
        name, rules = split_user(line)
        user = _User()
        for rule in rules:
            if rule.lower() == "reset":
                user = _User()
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


def _selector(rule: str) -> str:
    permissions = Permissions()
    words = (ALIASES.get(word.lower(), word) for word in rule[1:-1].split())
    others = [word for word in words if not permissions.apply(word)]
    return f"({' '.join((permissions.text(), *sorted(others)))})"


def _key_pattern(rule: str) -> str:
    if not rule.startswith("%"):
        return rule
    flags, _, pattern = rule[1:].partition("~")
    flags = "".join(sorted(set(flags.upper())))
    return f"~{pattern}" if flags == "RW" else f"%{flags}~{pattern}"


def _widest(patterns: set[str], all_of_them: str) -> list[str]:
    """What matters of a set of patterns: one that matches everything makes the others meaningless."""
    return [all_of_them] if all_of_them in patterns else sorted(patterns)


def _by_number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (-1, text)
