"""Everything of a stack that can be rotated, by the name that it has on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial

from autobot_ops.adapters import containers, redis_server
from autobot_ops.adapters.redis_server import Endpoint
from autobot_ops.adapters.tls_peer import POSTGRES_TLS_REQUEST, peer_certificate
from autobot_ops.catalog.load import UnknownName
from autobot_ops.isolation import secrets
from autobot_ops.isolation.acl import ACL_FILE
from autobot_ops.isolation.data_keys import DATA_KEYS_SECRET
from autobot_ops.isolation.rotating_secret import RotatingSecret
from autobot_ops.isolation.user_passwords import apply_passwords
from autobot_ops.rotation.data_keys import DataKeyRotation
from autobot_ops.rotation.postgres_roles import PostgresRoleRotation
from autobot_ops.rotation.redis_users import RedisUserRotation
from autobot_ops.rotation.rotation import Rotation
from autobot_ops.rotation.tls import AuthorityRotation, CertificateRotation, Server
from autobot_ops.stack.inside import run_inside
from autobot_ops.stack.prepare import render_users, valid_passwords
from autobot_ops.stack.server_certificates import load_certificate
from autobot_ops.stack.stack import ALL, NotRunning, Stack

CERTIFICATES, AUTHORITY, DATA_KEYS = "certificates", "authority", "data-keys"
POSTGRES_PORT = 5432


class StackRotations:
    """The rotations of one stack. Servers are looked up when a rotation first needs them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._folder = stack.settings.secrets_dir

    def chosen(self, service: str) -> list[Rotation]:
        """The rotation of one service, or of all of them. Raises UnknownName with the nearest name."""
        known = self._known()
        if service == ALL:
            # New certificates come with the new authority.
            return [each for name, each in known.items() if name != CERTIFICATES]
        if service not in known:
            raise UnknownName("service", service, [*known, ALL])
        return [known[service]]

    def reach(self, rotations: Iterable[Rotation]) -> None:
        """See that the servers answer which these rotations need. Raises ServiceUnreachable."""
        for each in rotations:
            if isinstance(each, RedisUserRotation | CertificateRotation | AuthorityRotation):
                _ = self._redis
            if isinstance(each, PostgresRoleRotation | CertificateRotation | AuthorityRotation):
                _ = self._postgres

    def _known(self) -> Mapping[str, Rotation]:
        catalogs, folder, project = self._stack.catalogs, self._folder, self._stack.settings.project
        rotations: list[Rotation] = [
            RedisUserRotation(
                user,
                RotatingSecret(folder, secrets.redis_password_name(user)),
                load_passwords=self._load_passwords,
                logs_in=lambda name, password: redis_server.logs_in(self._redis, folder, name, password),
            )
            for user in (*catalogs.agents, *secrets.OPERATOR_ROLES)
        ]
        rotations += [
            PostgresRoleRotation(
                f"postgres-{role}",
                RotatingSecret(folder, secrets.postgres_password_name(role)),
                apply_roles=partial(self._run_in_postgres, "apply-roles"),
                check_role=partial(self._run_in_postgres, "check-roles", role),
            )
            for role in secrets.postgres_roles(catalogs)
        ]
        if secrets.agents_with_encryption(catalogs):
            rotations.append(DataKeyRotation(DATA_KEYS, RotatingSecret(folder, DATA_KEYS_SECRET)))
        rotations.append(CertificateRotation(CERTIFICATES, folder, project, self._servers))
        rotations.append(AuthorityRotation(AUTHORITY, folder, project, self._servers))
        return {each.service: each for each in rotations}

    @cached_property
    def _redis(self) -> Endpoint:
        return redis_server.endpoint(self._stack)

    @cached_property
    def _postgres(self) -> Endpoint:
        project = self._stack.settings.project
        address = containers.service_address(self._stack.client, project, "postgres")
        if address is None:
            raise NotRunning(f"postgres of {project} does not run", hint="inv up starts it.")
        return Endpoint(address, POSTGRES_PORT)

    @property
    def _servers(self) -> Mapping[str, Server]:
        return {
            "redis": Server(
                load=partial(load_certificate, self._stack, "redis"),
                shown=lambda trusted: peer_certificate(
                    self._redis.host, self._redis.port, name="redis", trusted=trusted
                ),
            ),
            "postgres": Server(
                load=partial(load_certificate, self._stack, "postgres"),
                shown=lambda trusted: peer_certificate(
                    self._postgres.host,
                    self._postgres.port,
                    name="postgres",
                    trusted=trusted,
                    request=POSTGRES_TLS_REQUEST,
                ),
            ),
        }

    def _load_passwords(self) -> None:
        """First the file, which Redis reads when it starts again, then the running server."""
        secrets.write_derived(self._folder, ACL_FILE, render_users(self._stack))
        dial = redis_server.dialer_to(self._redis, self._folder, "operator")
        with redis_server.answering(dial) as client:
            apply_passwords(client, valid_passwords(self._stack))

    def _run_in_postgres(self, *command: str) -> None:
        run_inside(self._stack, "postgres", *command)
