"""The secret files of a stack: made once, readable by containers, never printed, never overwritten.

Compose mounts single files, so a running container keeps seeing the file that it was started with.
A file is therefore either complete under its name or not there at all.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from autobot_ops.catalog import Catalogs
from autobot_ops.errors import ConfigurationError
from autobot_ops.isolation.data_keys import DATA_KEYS_SECRET, new_key_ring

ROOTS_SECRETS_GROUP = 10999
"""Group of the files where root runs the stack; containers join it (`group_add`). It has no other members."""

OPERATOR_ROLES = ("operator", "monitor", "backup", "migrate", "restore")
"""Redis users that aren't agents; isolation/roles.py says what each may do."""

FILE_MODE = 0o440
UNMOUNTED_MODE = 0o400
UNMOUNTED_ENDINGS = ("_ca_key", ".next", ".previous")
"""Files that no container gets: the authority's key, and what a rotation keeps for a while."""

OPERATORS_MODE = 0o600
OPERATORS_FILES = ("backup_key", "backup_key.new")
"""Files that no container's group may read either; autobot_ops/backup/key_file.py makes them."""

FOLDER_MODE = 0o700
PASSWORD_BYTES = 32


class SecretUnreadable(ConfigurationError):
    """A secret file exists and can't be used."""


def redis_password_name(user: str) -> str:
    """The file of a Redis user's password."""
    return f"redis_{user}_password"


def postgres_password_name(role: str) -> str:
    """The file of a PostgreSQL role's password."""
    return f"postgres_{role}_password"


def password_names(catalogs: Catalogs) -> tuple[str, ...]:
    """Every password that the stack needs, by file name."""
    redis_users = (*catalogs.agents, *OPERATOR_ROLES)
    return (
        *map(redis_password_name, redis_users),
        *map(postgres_password_name, postgres_roles(catalogs)),
    )


def postgres_roles(catalogs: Catalogs) -> tuple[str, ...]:
    """Roles of PostgreSQL that have a password."""
    return ("superuser", *(name for name, agent in catalogs.agents.items() if agent.postgres))


def secret_names(catalogs: Catalogs) -> tuple[str, ...]:
    """Every secret that is random: passwords, and the ring of data keys where a level asks for encryption."""
    keys = (DATA_KEYS_SECRET,) if agents_with_encryption(catalogs) else ()
    return (*password_names(catalogs), *keys)


def agents_with_encryption(catalogs: Catalogs) -> tuple[str, ...]:
    """Agents that are granted a database whose security level asks for encryption."""
    encrypted = {
        name
        for name, database in catalogs.databases.items()
        if catalogs.security_levels[database.security_level].encryption
    }
    return tuple(name for name, agent in catalogs.agents.items() if encrypted & set(agent.databases))


def secrets_group() -> int:
    """The group that secret files get and containers join: root may choose it, others have their own."""
    return ROOTS_SECRETS_GROUP if os.geteuid() == 0 else os.getegid()


def file_mode(name: str) -> int:
    """The permissions that a secret file must have."""
    if name in OPERATORS_FILES:
        return OPERATORS_MODE
    return UNMOUNTED_MODE if name.endswith(UNMOUNTED_ENDINGS) else FILE_MODE


def missing_secrets(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the files that don't exist yet."""
    return tuple(name for name in names if not (folder / name).exists())


def make_secrets(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Make the missing ones, each 43 random characters or a ring of data keys; returns which were made.

    A crash leaves complete files and at most one file with a `.new-` prefix that nothing reads.
    """
    prepare_folder(folder)
    return tuple(name for name in names if make_once(folder / name, _random_secret(name)))


def read_secret(folder: Path, name: str) -> str:
    """A secret's text. Raises SecretUnreadable; the message never holds the secret."""
    path = folder / name
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise SecretUnreadable(
            f"the secret {path} is missing", hint="Make what is missing: inv config.init"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(
            f"the secret {path} can't be read", hint=f"Check its owner and permissions, or remove {path}."
        ) from error
    if not text:
        raise SecretUnreadable(f"the secret {path} is empty", hint=f"Remove {path} and run: inv config.init")
    return text


def secrets_with_wrong_access(folder: Path) -> tuple[str, ...]:
    """Files whose mode or group isn't what containers need and nobody else may have."""
    if not folder.is_dir():
        return ()
    group = secrets_group()
    return tuple(
        path.name
        for path in sorted(folder.iterdir())
        if stat.S_IMODE(path.stat().st_mode) != file_mode(path.name)
        or (path.stat().st_gid != group and path.name not in OPERATORS_FILES)
    )


def correct_access(folder: Path, names: Sequence[str]) -> None:
    """Give files their mode and group again. Raises SecretUnreadable where they belong to somebody else."""
    for path in (folder / name for name in names):
        try:
            os.chown(path, -1, secrets_group())
            path.chmod(file_mode(path.name))
        except PermissionError as error:
            raise SecretUnreadable(
                f"the secret {path} belongs to another user",
                hint=f"Run inv as the user who made it, or give it back: chown -R $(id -un) {folder}",
            ) from error


def write_derived(folder: Path, name: str, text: str) -> bool:
    """Write a file that follows from others or is rotated; returns whether its content changed.

    In place, on the same inode: the file is mounted into a running container, which shall see the
    new content. A crash in the middle leaves a file that the next run writes again.
    """
    prepare_folder(folder)
    path = folder / name
    if make_once(path, text):
        return True
    path.chmod(file_mode(name) | stat.S_IWUSR)
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
        with path.open("r+", encoding="utf-8") as file:
            file.write(text)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.chmod(file_mode(name))
    return True


def prepare_folder(folder: Path) -> None:
    """Make the folder for secrets, closed to others. The folder above it stays as it is, if it exists."""
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    folder.chmod(FOLDER_MODE)


def _random_secret(name: str) -> str:
    return new_key_ring() if name == DATA_KEYS_SECRET else new_password()


def new_password() -> str:
    """43 random characters that need no quoting anywhere."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def make_once(path: Path, text: str) -> bool:
    """Make a secret file with its content and permissions at one stroke; False if it exists."""
    if path.exists():
        return False
    complete = path.with_name(f".new-{path.name}-{os.getpid()}")
    descriptor = os.open(complete, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchown(file.fileno(), -1, secrets_group())
            os.fchmod(file.fileno(), file_mode(path.name))
            os.fsync(file.fileno())
        # A link fails where the name exists: a secret that somebody else made meanwhile stays.
        os.link(complete, path)
    except FileExistsError:
        return False
    finally:
        complete.unlink()
    return True
