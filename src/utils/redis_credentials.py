"""User and password for a connection, read from the secret file each time one is opened.

A pool asks again for every new connection and for every retry of a refused one, so a rotated
password is picked up without a restart. The password is never kept, logged or shown in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError


class FileCredentialProvider(CredentialProvider):
    """Password from `password_file` if given (the file wins, as in Docker's images), else `password`."""

    def __init__(
        self, *, username: str | None = None, password: str | None = None, password_file: str | None = None
    ) -> None:
        self._username = username
        self._password = password
        self._password_file = Path(password_file) if password_file else None

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """`(username, password)`, or `(password,)` for Redis' default user.

        Raises redis' own `AuthenticationError` when the file can't be read: to callers that is one
        more way of not getting in, and it is retried like a refused password.
        """
        password = self._read_password()
        return (self._username, password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same; reading a secret of a few bytes from tmpfs doesn't hold up an event loop."""
        return self.get_credentials()

    def _read_password(self) -> str:
        if self._password_file is None:
            return self._password or ""
        try:
            # Editors and `echo` end a file with a newline that isn't part of the password.
            return self._password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise AuthenticationError(f"cannot read the password file {self._password_file}") from error

    def __repr__(self) -> str:
        return (
            f"FileCredentialProvider(username={self._username!r}, password_file={str(self._password_file)!r})"
        )


def credentials_from(values: Mapping[str, str], prefix: str = "REDIS_") -> FileCredentialProvider | None:
    """The provider that an environment describes by `<prefix>USERNAME`, `PASSWORD` and `PASSWORD_FILE`.

    None without a password: then nobody authenticates.
    """
    password = values.get(f"{prefix}PASSWORD") or None
    password_file = values.get(f"{prefix}PASSWORD_FILE") or None
    if password is None and password_file is None:
        return None
    return FileCredentialProvider(
        username=values.get(f"{prefix}USERNAME") or None, password=password, password_file=password_file
    )
