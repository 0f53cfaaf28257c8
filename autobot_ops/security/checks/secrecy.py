"""Where secrets are and where they must not be: S22, S23. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from autobot_ops.security.answers import Answer, judged, not_applicable, unknown
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, StackFacts, Unseen

MOST_MODE = 0o440
SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)(_|$)",
    re.I,
)
SECRET_TEXT = re.compile(r"://[^/\s:@'\"]+:[^/\s:@'\"]+@|-----BEGIN [A-Z ]*PRIVATE KEY-----")
ASSIGNMENT = re.compile(r"\b([A-Za-z][A-Za-z0-9_]*)=(\"[^\"]*\"|'[^']*'|[^\s;&|]*)")
IS_A_FILE = ("_FILE", "_PATH", "_DIR")


def no_secret_shown(container: Container, facts: StackFacts) -> Answer:
    """S22. The stack's own secrets are looked for by value, others by how they are called or written."""
    shown = {
        "container's documents": json.dumps(container.inspect, ensure_ascii=False),
        "image's documents": json.dumps(container.image, ensure_ascii=False),
        "image's history": json.dumps(list(container.history), ensure_ascii=False),
    }
    found = [
        f"the secret {name} stands in the {where}"
        for where, text in shown.items()
        for name, value in facts.secrets.items()
        if value and value in text
    ]
    return judged([*found, *_by_name(container), *_by_text(shown)])


def secret_files_are_closed(container: Container, _: StackFacts) -> Answer:
    """S23."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    files = container.inside.secret_files
    if not files:
        return not_applicable("it gets no secret files")
    return judged(f"{each.path} has mode {each.mode:04o}" for each in files if each.mode & ~MOST_MODE)


def _by_name(container: Container) -> Iterator[str]:
    for where, document in (("container", container.inspect), ("image", container.image)):
        configuration = document["Config"]
        for each in configuration.get("Env") or ():
            name, _, value = each.partition("=")
            if _gives_a_secret(name, value):
                yield f"the variable {name} of the {where}"
        for name, value in (configuration.get("Labels") or {}).items():
            if _gives_a_secret(re.sub(r"[.-]", "_", name), value):
                yield f"the label {name} of the {where}"
    for step in container.history:
        for name, value in ASSIGNMENT.findall(step.get("CreatedBy") or ""):
            if _gives_a_secret(name, value.strip("\"'")):
                yield f"the variable {name} in the image's history"


def _by_text(shown: dict[str, str]) -> Iterator[str]:
    for where, text in shown.items():
        if SECRET_TEXT.search(text):
            yield f"an address with a password, or a private key, in the {where}"


def _gives_a_secret(name: str, value: str) -> bool:
    is_a_file = name.upper().endswith(IS_A_FILE)
    # `$password` in a recipe's step is a shell variable of that step.
    return bool(value) and not value.startswith("$") and not is_a_file and bool(SECRET_NAME.search(name))


CHECKS = (
    Check("S22", "no secret in environment, labels or history", no_secret_shown),
    Check("S23", "secret files are 0440 at most", secret_files_are_closed),
)
