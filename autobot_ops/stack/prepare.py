"""What a stack needs on disk before it starts: environment files, secrets, certificates, Redis' users, .env.

`observe_files` looks, `apply_files` writes. Nothing that exists is overwritten, but for what is
derived: the numbers in redis.env, the users, the .env of the same project, and certificates that end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autobot_ops.isolation import secrets, tls_files
from autobot_ops.isolation.acl import ACL_FILE, render_acl
from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.stack.environment import (
    DOTENV,
    dotenv_project,
    own_environment_files,
    render_dotenv,
    write_private_file,
)
from autobot_ops.stack.stack import Stack


@dataclass(frozen=True)
class FileWork:
    """Files to write (path → text, and path → why), secrets to make or to correct, and Redis' users.

    `certificates` maps a certificate's secret to why it has to be made.
    """

    texts: Mapping[Path, str]
    causes: Mapping[str, str]
    missing_secrets: tuple[str, ...]
    wrong_access: tuple[str, ...]
    certificates: Mapping[str, str]
    users_differ: bool


def observe_files(stack: Stack, environment: Mapping[str, str]) -> FileWork:
    """What differs from what must be there. Raises ExampleMissing or SecretUnreadable."""
    root, folder = stack.settings.root, stack.settings.secrets_dir
    wanted = own_environment_files(root, stack.catalogs)
    dotenv = root / DOTENV
    present = dotenv.read_text(encoding="utf-8") if dotenv.exists() else None
    # .env stands for one stack; a second one in the same clone leaves it alone.
    if present is None or dotenv_project(present) in {None, stack.settings.project}:
        wanted[dotenv] = render_dotenv(environment)
    texts = {path: text for path, text in wanted.items() if _text_of(path) != text}
    causes = {
        str(path.relative_to(root)): "it is out of date" if path.exists() else "it is missing"
        for path in texts
    }
    missing = secrets.missing_secrets(folder, secrets.secret_names(stack.catalogs))
    certificates = tls_files.plan_certificates(
        tls_files.read_tls_files(folder), stack.settings.project, datetime.now(UTC)
    )
    wrong_access = secrets.secrets_with_wrong_access(folder)
    users_differ = bool(missing) or _text_of(folder / ACL_FILE) != render_users(stack)
    return FileWork(texts, causes, missing, wrong_access, certificates, users_differ)


def apply_files(stack: Stack, work: FileWork) -> None:
    """Write what `observe_files` found. A crash leaves each file whole, old or new; a second run goes on."""
    folder = stack.settings.secrets_dir
    secrets.make_secrets(folder, work.missing_secrets)
    secrets.correct_access(folder, work.wrong_access)
    tls_files.apply_certificates(folder, stack.settings.project, work.certificates, datetime.now(UTC))
    if work.users_differ:
        secrets.write_derived(folder, ACL_FILE, render_users(stack))
    for path, text in work.texts.items():
        write_private_file(path, text)


def render_users(stack: Stack, *, database_rules: bool = False) -> str:
    """The ACL file with this stack's passwords: two for a user whose password is being rotated.

    Raises SecretUnreadable for one that is missing. Without `database_rules` every server understands
    it: that is what lies on disk.
    """
    return render_acl(
        stack.catalogs,
        valid_passwords(stack),
        server_databases=stack.settings.redis_databases,
        database_rules=database_rules,
    )


def valid_passwords(stack: Stack) -> dict[str, tuple[str, ...]]:
    """Every password that Redis must accept now, by user. Raises SecretUnreadable for a missing one."""
    folder = stack.settings.secrets_dir
    users = (*stack.catalogs.agents, *secrets.OPERATOR_ROLES)
    return {user: RotatingSecret(folder, secrets.redis_password_name(user)).valid for user in users}


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
