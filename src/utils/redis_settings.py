"""Where Redis is and which databases it has: the YAML catalog, then the environment over it.

Nothing here opens a connection. Order of precedence, the later one wins:
the catalog's numbers → `REDIS_DB_<NAME>`; defaults → `REDIS_HOST`, `REDIS_PORT`, `REDIS_USERNAME`,
`REDIS_PASSWORD`, `REDIS_PASSWORD_FILE`, `REDIS_CLIENT_NAME`, `REDIS_MAX_CONNECTIONS`, `REDIS_TLS`,
`REDIS_TLS_CA_FILE`, `REDIS_TLS_CERT_FILE`, `REDIS_TLS_KEY_FILE`, `REDIS_TLS_CHECK_HOSTNAME`,
`DATA_KEYS_FILE`, `DATA_KEYS_ALLOW_PLAINTEXT`, and `REDIS_SENTINEL_*` (see redis_sentinel).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from src.errors import ConfigurationInvalid, UnknownDatabase, nearest_match_hint
from src.utils.key_ring import DEFAULT_DATA_KEYS_FILE
from src.utils.redis_cluster_refusal import refuse_cluster_setting
from src.utils.redis_credentials import FileCredentialProvider, credentials_from
from src.utils.redis_sentinel import SentinelSettings, load_sentinel_settings
from src.utils.redis_tuning import tuning_for

# The repository's root, or /app in a container.
DEFAULT_CATALOG = Path(__file__).resolve().parents[2] / "config" / "redis-databases.yaml"
DATABASE_VARIABLE_PREFIX = "REDIS_DB_"

# Of the connections that a database may have before its alert, these are left to the operator:
# the metrics exporter, a backup or restore, and a person at `inv database.cli`.
CONNECTIONS_LEFT_TO_THE_OPERATOR = 3
# With fewer than two, one blocked reader would stop everything else of its agent.
SMALLEST_POOL = 2
# Who shares a database isn't known without agents.yaml: assume every agent of the stack.
SHARERS_IF_UNKNOWN = 5

_CHECK_ON_THE_HOST = "Run `inv config.check` on the host."
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


@dataclass(frozen=True, slots=True)
class DatabaseEntry:
    """One row of the catalog as the runtime needs it; `ttl_default` is in seconds."""

    name: str
    number: int
    description: str = ""
    key_patterns: tuple[str, ...] = ()
    access_patterns: tuple[str, ...] = ()
    security_level: str = ""
    encrypted: bool = False
    ttl_default: int | None = None
    connections_alert: int = 15
    sharers: int = SHARERS_IF_UNKNOWN

    @property
    def pool_bound(self) -> int:
        """Connections that one process's pool may hold: its share of what the alert leaves.

        Where reads are cached, one of the share is the connection on which changes are announced.
        """
        share = (self.connections_alert - CONNECTIONS_LEFT_TO_THE_OPERATOR) // max(1, self.sharers)
        return max(SMALLEST_POOL, share - tuning_for(self.access_patterns).read_cache)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS towards Redis; the files are read again at each new connection, so rotation needs no restart."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    check_hostname: bool = True


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Everything a pool is made from. `max_connections` overrides the bound of every pool."""

    databases: Mapping[str, DatabaseEntry]
    source: str
    host: str = "localhost"
    port: int = 6379
    credentials: FileCredentialProvider | None = field(default=None, repr=False)
    username: str | None = None
    client_name: str | None = None
    tls: TlsSettings | None = None
    sentinel: SentinelSettings | None = None
    max_connections: int | None = None
    data_keys_file: str = DEFAULT_DATA_KEYS_FILE
    allow_plaintext: bool = False

    def entry(self, database: str) -> DatabaseEntry:
        """The row of a database by name. Raises `UnknownDatabase` with the nearest match."""
        try:
            return self.databases[database]
        except KeyError:
            raise UnknownDatabase(
                f"unknown database '{database}'", hint=nearest_match_hint(database, self.databases)
            ) from None

    def encrypts(self, database: str) -> bool:
        """Whether values of this database are to be encrypted; False for one that isn't there."""
        return database in self.databases and self.databases[database].encrypted


def load_redis_settings(
    config_path: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> RedisSettings:
    """Read the catalog and the environment. Raises `ConfigurationInvalid`, naming file and field.

    `config_path` wins over `REDIS_DATABASES_FILE`, which wins over config/redis-databases.yaml of
    the repository (in a container: of /app).
    """
    values = os.environ if environment is None else environment
    path = Path(config_path or values.get("REDIS_DATABASES_FILE") or DEFAULT_CATALOG)
    agents_path = Path(values.get("AGENTS_FILE") or path.parent / "agents.yaml")
    databases = _read_catalog(path)
    # Before the variables as well: they would hide a file that `inv` refuses.
    _refuse_shared_numbers(databases)
    databases = _with_environment_numbers(databases, values)
    _refuse_shared_numbers(databases)
    sharers = count_sharers(agents_path)
    databases = {
        name: replace(entry, sharers=sharers.get(name, SHARERS_IF_UNKNOWN))
        for name, entry in databases.items()
    }
    refuse_cluster_setting(_switch(values, "REDIS_CLUSTER", default=False))
    return RedisSettings(
        databases=databases,
        source=str(path),
        host=values.get("REDIS_HOST") or "localhost",
        port=_integer(values, "REDIS_PORT", 6379, low=1, high=65535),
        credentials=credentials_from(values),
        username=values.get("REDIS_USERNAME") or None,
        client_name=_client_name(values),
        tls=_tls(values),
        sentinel=load_sentinel_settings(values),
        max_connections=_integer(values, "REDIS_MAX_CONNECTIONS", 0, low=0, high=10_000) or None,
        data_keys_file=values.get("DATA_KEYS_FILE") or DEFAULT_DATA_KEYS_FILE,
        allow_plaintext=_switch(values, "DATA_KEYS_ALLOW_PLAINTEXT", default=False),
    )


def read_yaml_mapping(path: Path, key: str) -> dict[str, Any]:
    """The mapping under `key` of a YAML file. Raises `ConfigurationInvalid` for anything else."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationInvalid(
            f"cannot read {path}: {error.strerror}",
            hint="Mount the config folder or point REDIS_DATABASES_FILE and AGENTS_FILE at the files.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"{path} is not valid YAML: {error}", hint="Correct the file.") from error
    rows = document.get(key) if isinstance(document, dict) else None
    if not isinstance(rows, dict) or not rows:
        raise ConfigurationInvalid(f"{path} has no mapping '{key}'", hint=_CHECK_ON_THE_HOST)
    return rows


def count_sharers(agents_path: Path) -> dict[str, int]:
    """How many agents of agents.yaml have a right on each database; empty where the file is missing."""
    if not agents_path.is_file():
        return {}
    counts: dict[str, int] = {}
    for name, row in read_yaml_mapping(agents_path, "agents").items():
        granted = row.get("databases") if isinstance(row, dict) else None
        if not isinstance(granted, dict):
            raise ConfigurationInvalid(
                f"{agents_path}: agent '{name}' has no mapping 'databases'", hint=_CHECK_ON_THE_HOST
            )
        for database in granted:
            counts[database] = counts.get(database, 0) + 1
    return counts


def _read_catalog(path: Path) -> dict[str, DatabaseEntry]:
    rows = read_yaml_mapping(path, "databases")
    uses_levels = any(isinstance(row, dict) and row.get("security_level") for row in rows.values())
    levels = read_yaml_mapping(path, "security_levels") if uses_levels else {}
    return {str(name): _entry(path, str(name), row, levels) for name, row in rows.items()}


def _entry(path: Path, name: str, row: object, levels: Mapping[str, Any]) -> DatabaseEntry:
    if not isinstance(row, dict):
        raise ConfigurationInvalid(f"{path}: database '{name}' is not a mapping", hint="Give it a number.")
    alerts = row.get("alerts") or {}
    ttl_default = row.get("ttl_default")
    level_name = str(row.get("security_level") or "")
    return DatabaseEntry(
        name=name,
        number=_field(path, name, "number", row.get("number")),
        description=str(row.get("description", "")),
        key_patterns=tuple(str(pattern) for pattern in row.get("key_patterns") or ()),
        access_patterns=tuple(str(pattern) for pattern in row.get("access_patterns") or ()),
        security_level=level_name,
        encrypted=_asks_for_encryption(path, name, level_name, levels),
        ttl_default=None if ttl_default is None else _field(path, name, "ttl_default", ttl_default),
        connections_alert=_field(path, name, "alerts.connections", alerts.get("connections", 15)),
    )


def _asks_for_encryption(path: Path, name: str, level_name: str, levels: Mapping[str, Any]) -> bool:
    if not level_name:
        return False
    level = levels.get(level_name)
    answer = level.get("encryption") if isinstance(level, dict) else None
    if not isinstance(answer, bool):
        # A guess would store in the clear what was meant to be encrypted.
        raise ConfigurationInvalid(
            f"{path}: security level '{level_name}' of '{name}' has no encryption: true or false",
            hint=nearest_match_hint(level_name, levels),
        )
    return answer


def _field(path: Path, name: str, field_name: str, value: object) -> int:
    # bool is an int in Python, and YAML turns a bare `yes` into one.
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationInvalid(
            f"{path}: database '{name}' needs a whole number, 0 or more, as {field_name}, not {value!r}",
            hint="Correct the row and run `inv config.check` on the host.",
        )
    return value


def _with_environment_numbers(
    databases: dict[str, DatabaseEntry], values: Mapping[str, str]
) -> dict[str, DatabaseEntry]:
    merged = dict(databases)
    for variable in values:
        if not variable.startswith(DATABASE_VARIABLE_PREFIX):
            continue
        name = variable.removeprefix(DATABASE_VARIABLE_PREFIX).lower()
        # A misspelt variable would otherwise be ignored in silence and its number never used.
        if name not in merged:
            raise ConfigurationInvalid(
                f"{variable} names no database of the catalog", hint=nearest_match_hint(name, databases)
            )
        number = _integer(values, variable, merged[name].number, low=0, high=10_000)
        merged[name] = replace(merged[name], number=number)
    return merged


def _refuse_shared_numbers(databases: Mapping[str, DatabaseEntry]) -> None:
    owners: dict[int, str] = {}
    for entry in databases.values():
        other = owners.setdefault(entry.number, entry.name)
        if other != entry.name:
            raise ConfigurationInvalid(
                f"databases '{other}' and '{entry.name}' have the same number {entry.number}",
                hint="Give each its own in redis-databases.yaml and in REDIS_DB_* of the environment.",
            )


def _tls(values: Mapping[str, str]) -> TlsSettings | None:
    if not _switch(values, "REDIS_TLS", default=False):
        return None
    return TlsSettings(
        ca_file=values.get("REDIS_TLS_CA_FILE") or None,
        cert_file=values.get("REDIS_TLS_CERT_FILE") or None,
        key_file=values.get("REDIS_TLS_KEY_FILE") or None,
        check_hostname=_switch(values, "REDIS_TLS_CHECK_HOSTNAME", default=True),
    )


def _client_name(values: Mapping[str, str]) -> str | None:
    name = values.get("REDIS_CLIENT_NAME") or values.get("AGENT_NAME") or None
    # CLIENT SETNAME refuses blanks and line ends, and would do so at the first connection.
    if name is not None and not all("!" <= character <= "~" for character in name):
        raise ConfigurationInvalid(f"REDIS_CLIENT_NAME {name!r} has blanks or control characters")
    return name


def _integer(values: Mapping[str, str], variable: str, default: int, *, low: int, high: int) -> int:
    text = values.get(variable, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ConfigurationInvalid(f"{variable} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


def _switch(values: Mapping[str, str], variable: str, *, default: bool) -> bool:
    text = values.get(variable)
    if text is None:
        return default
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ConfigurationInvalid(f"{variable} must be 1 or 0, not {text!r}")
