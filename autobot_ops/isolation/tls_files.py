"""The certificates of a stack as secret files: what is there, what is missing or due, how it is made.

`plan_certificates` is pure; the rest reads and writes the secrets folder. Whose key signs is not
written down anywhere: it is the authority in the bundle whose key is in the key's file, so a crash
between two writes leaves nothing that contradicts itself.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.isolation import certificates, secrets
from autobot_ops.isolation.certificates import KeyPair

AUTHORITY = "redis_ca"
"""The authorities that clients trust: one, or the old and the new one during a rotation."""

AUTHORITY_KEY = "redis_ca_key"
"""The key that signs. No container gets it."""

NEXT_AUTHORITY = f"{AUTHORITY_KEY}.next"
"""The authority that is coming, with its key, while a rotation runs."""

SERVERS: Mapping[str, str] = {
    "redis": "redis_server_certificate",
    "postgres": "postgres_server_certificate",
}
"""Services that speak TLS, and the file with the certificate and private key of each."""


@dataclass(frozen=True)
class TlsFiles:
    """Texts of the files; empty where there is none. `servers` is by service."""

    bundle: str
    authority_key: str
    servers: Mapping[str, str]

    @property
    def authorities(self) -> list[str]:
        """The trusted certificates; none if the file isn't what it should be."""
        try:
            return certificates.split_bundle(self.bundle)
        except ValueError:
            return []

    @property
    def signer(self) -> KeyPair | None:
        """The authority that signs; None where the key is missing or belongs to none that is trusted."""
        return next(
            (
                KeyPair(authority, self.authority_key)
                for authority in self.authorities
                if certificates.belong_together(authority, self.authority_key)
            ),
            None,
        )


def read_tls_files(folder: Path) -> TlsFiles:
    """What is there. Raises SecretUnreadable for a file that can't be read or is empty."""

    def text(name: str) -> str:
        return secrets.read_secret(folder, name) if (folder / name).exists() else ""

    return TlsFiles(
        bundle=text(AUTHORITY),
        authority_key=text(AUTHORITY_KEY),
        servers={service: text(name) for service, name in SERVERS.items()},
    )


def server_names(project: str, service: str) -> list[str]:
    """Under which names a server is reached: by agents, by people in its container."""
    return [service, f"{project}-{service}", "localhost", "127.0.0.1"]


def plan_certificates(files: TlsFiles, project: str, now: datetime.datetime) -> dict[str, str]:
    """Files that have to be made, in order, each with the reason. Pure.

    An authority is only replaced when it is needed for signing and can't: what it signed stays valid.
    """
    servers = {
        SERVERS[service]: reason
        for service, text in files.servers.items()
        if (reason := _why_server_is_due(files, text, server_names(project, service), now))
    }
    if not files.bundle:
        return {AUTHORITY: "it is missing"} | dict.fromkeys(SERVERS.values(), "its authority is new")
    if servers and files.signer is None:
        reason = "the key that signs is missing" if files.authorities else "it is no certificate"
        return {AUTHORITY: reason} | dict.fromkeys(SERVERS.values(), "its authority is new")
    return servers


def apply_certificates(folder: Path, project: str, names: Mapping[str, str], now: datetime.datetime) -> None:
    """Make the files that plan_certificates named. A crash leaves what the next plan names again."""
    files = read_tls_files(folder)
    if AUTHORITY in names:
        authority = certificates.make_authority(project, now)
        secrets.write_derived(folder, AUTHORITY_KEY, authority.private_key)
        # What the former one signed stays trusted until its servers have loaded the new certificates.
        trusted = certificates.bundle([authority.certificate, *files.authorities])
        secrets.write_derived(folder, AUTHORITY, trusted)
        files = read_tls_files(folder)
    signer = files.signer
    assert signer is not None  # noqa: S101 - the plan has seen to it
    for service, name in SERVERS.items():
        if name in names:
            issue(folder, project, service, signer, now)


def issue(folder: Path, project: str, service: str, signer: KeyPair, now: datetime.datetime) -> KeyPair:
    """Give a server a new certificate with a new key; it is in force when the server has loaded it."""
    pair = certificates.issue_server(signer, server_names(project, service), now)
    secrets.write_derived(folder, SERVERS[service], pair.text)
    return pair


def authority_ends(files: TlsFiles, now: datetime.datetime) -> datetime.datetime | None:
    """When a trusted authority ends, if that is soon."""
    due = [certificates.ends(text) for text in files.authorities if certificates.is_due(text, now)]
    return min(due, default=None)


def _why_server_is_due(files: TlsFiles, text: str, names: list[str], now: datetime.datetime) -> str:
    if not text:
        return "it is missing"
    pair = certificates.split_pair(text)
    if pair is None:
        return "it is no certificate with its key"
    if not any(certificates.is_signed_by(pair.certificate, authority) for authority in files.authorities):
        return "its authority is trusted no more"
    if certificates.names_of(pair.certificate) != names:
        return f"it is not for {', '.join(names)}"
    if certificates.is_due(pair.certificate, now):
        return f"it ends on {certificates.ends(pair.certificate):%Y-%m-%d}"
    return ""
