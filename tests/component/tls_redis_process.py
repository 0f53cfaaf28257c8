"""A redis-server as a stack has it: our redis.conf, TLS alone on the network, secrets made by the library."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import redis

from autobot_ops.adapters.redis_server import Endpoint
from autobot_ops.adapters.tls_peer import peer_certificate
from autobot_ops.isolation import certificates, secrets, tls_files
from autobot_ops.rotation.tls import Server
from tests.component.redis_process import REPOSITORY, RedisProcess

PROJECT = "autobot"


@dataclass
class TlsRedisProcess(RedisProcess):
    """`secrets_dir` is laid out like a stack's."""

    def __post_init__(self) -> None:
        secrets.prepare_folder(self.secrets_dir)
        now = datetime.datetime.now(datetime.UTC)
        missing = tls_files.plan_certificates(tls_files.read_tls_files(self.secrets_dir), PROJECT, now)
        tls_files.apply_certificates(self.secrets_dir, PROJECT, missing, now)
        super().__post_init__()

    @property
    def secrets_dir(self) -> Path:
        """Where this server's secrets are."""
        return self.folder / "secrets"

    @property
    def socket(self) -> Path:
        """Where those inside the container find it."""
        return self.folder / "redis.sock"

    @property
    def endpoint(self) -> Endpoint:
        """As the operator's tools see it: an address, which is no name in the certificate's sense."""
        return Endpoint("127.0.0.1", self.port)

    @property
    def ca_file(self) -> Path:
        """The authorities that clients trust."""
        return self.secrets_dir / tls_files.AUTHORITY

    def password_file(self, user: str) -> Path:
        """Named as in a stack."""
        return self.secrets_dir / secrets.redis_password_name(user)

    def listening(self) -> list[str]:
        """The committed configuration, with this test's folder, port and certificate."""
        committed = (REPOSITORY / "docker/redis/redis.conf").read_text(encoding="utf-8")
        own = self.folder / "redis.conf"
        own.write_text(committed.replace("\ndir /data\n", f"\ndir {self.folder}\n"), encoding="utf-8")
        certificate = str(self.secrets_dir / tls_files.SERVERS["redis"])
        return [
            *(str(own), "--tls-port", str(self.port), "--unixsocket", str(self.socket)),
            *("--tls-cert-file", certificate, "--tls-key-file", certificate),
        ]

    def operator(self, number: int = 0) -> redis.Redis:
        """Over the socket, so that it works whatever a test does to the certificates."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            db=number,
            username="operator",
            password=self.password_file("operator").read_text(encoding="utf-8").strip(),
            decode_responses=True,
        )

    def environment(self, agent: str) -> dict[str, str]:
        """With TLS."""
        return super().environment(agent) | {
            "REDIS_HOST": "localhost",
            "REDIS_TLS": "1",
            "REDIS_TLS_CA_FILE": str(self.ca_file),
        }

    def load_certificate(self) -> None:
        """Make it read its certificate file, as `inv` does in the container."""
        with self.operator() as client:
            client.config_set("tls-cert-file", str(self.secrets_dir / tls_files.SERVERS["redis"]))

    def shown_certificate(self, trusted: str | None = None) -> str:
        """What a new connection is shown, if it trusts these authorities."""
        trusted = trusted or self.ca_file.read_text(encoding="utf-8")
        return peer_certificate("127.0.0.1", self.port, name="redis", trusted=trusted)

    def give_certificate(self, names: list[str], authority: certificates.KeyPair | None = None) -> None:
        """Another certificate: for these names, by this authority or by the project's own."""
        signer = authority or tls_files.read_tls_files(self.secrets_dir).signer
        assert signer is not None
        pair = certificates.issue_server(signer, names, datetime.datetime.now(datetime.UTC))
        secrets.write_derived(self.secrets_dir, tls_files.SERVERS["redis"], pair.text)
        self.load_certificate()

    def as_server(self) -> Server:
        """What a rotation of certificates needs to know of it."""
        return Server(load=self.load_certificate, shown=self.shown_certificate)
