"""Certificates of the servers, and the authority that signs them."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autobot_ops.errors import ConfigurationError, ServiceUnreachable
from autobot_ops.isolation import certificates, secrets, tls_files
from autobot_ops.isolation.certificates import KeyPair
from autobot_ops.rotation.plan import Observed, Stage

LOAD_SECONDS = 5.0
"""PostgreSQL is told to read its files, and does so when it comes to it."""


class CertificateWrong(ServiceUnreachable):
    """A server shows another certificate than the one that it was given."""


class SignerMissing(ConfigurationError):
    """There is no key that could sign."""


@dataclass(frozen=True)
class Server:
    """A server that speaks TLS.

    `load` makes it read its certificate file. `shown` makes a new connection that trusts only the
    given authorities (PEM) and returns the server's certificate (PEM), or raises ServiceUnreachable.
    """

    load: Callable[[], None]
    shown: Callable[[str], str]


@dataclass(frozen=True)
class CertificateRotation:
    """New certificates and keys for every server, by the authority that is there."""

    service: str
    folder: Path
    project: str
    servers: Mapping[str, Server]

    def observe(self) -> Observed:
        """An interrupted one left every server with a certificate that holds: it starts anew."""
        names = " and ".join(self.servers)
        words = {
            Stage.SWITCH: f"make new certificates for {names} and have them loaded",
            Stage.VERIFY: f"see the new certificates on new connections to {names}",
        }
        return Observed(self.service, words)

    def apply(self, stage: Stage) -> None:
        """One stage; raises SignerMissing or CertificateWrong."""
        files = tls_files.read_tls_files(self.folder)
        match stage:
            case Stage.SWITCH:
                if files.signer is None:
                    raise SignerMissing(
                        f"the key of the authority is missing in {self.folder}",
                        hint="Make a new authority: inv secrets.rotate authority",
                    )
                issue_and_load(self.folder, self.project, self.servers, files.signer)
            case Stage.VERIFY:
                verify_shown(self.servers, files, trusted=files.bundle)


@dataclass(frozen=True)
class AuthorityRotation:
    """A new authority, and certificates by it. Clients trust both authorities in between."""

    service: str
    folder: Path
    project: str
    servers: Mapping[str, Server]

    def observe(self) -> Observed:
        """How far it has come: from the moment that the next authority is there, admit and switch again."""
        names = " and ".join(self.servers)
        words = {
            Stage.MAKE: "make a new authority",
            Stage.ADMIT: "let clients trust the new authority beside the old one",
            Stage.SWITCH: f"make certificates by the new authority, have {names} load them",
            Stage.VERIFY: "see them on new connections that trust the new authority alone",
            Stage.RETIRE: "let nobody trust the old authority",
        }
        begin = Stage.ADMIT if self._next_file.exists() else Stage.MAKE
        return Observed(self.service, words, begin=begin)

    def apply(self, stage: Stage) -> None:
        """One stage; raises CertificateWrong."""
        if stage == Stage.MAKE:
            pair = certificates.make_authority(self.project, _now())
            secrets.make_once(self._next_file, pair.text)
            return
        coming = self._next()
        files = tls_files.read_tls_files(self.folder)
        match stage:
            case Stage.ADMIT:
                both = certificates.bundle([coming.certificate, *files.authorities])
                secrets.write_derived(self.folder, tls_files.AUTHORITY, both)
            case Stage.SWITCH:
                issue_and_load(self.folder, self.project, self.servers, coming)
            case Stage.VERIFY:
                verify_shown(self.servers, files, trusted=coming.certificate)
            case Stage.RETIRE:
                # The key first: as long as both are trusted, it is the key that says which one signs.
                secrets.write_derived(self.folder, tls_files.AUTHORITY_KEY, coming.private_key)
                secrets.write_derived(self.folder, tls_files.AUTHORITY, coming.certificate)
                self._next_file.unlink()

    @property
    def _next_file(self) -> Path:
        return self.folder / tls_files.NEXT_AUTHORITY

    def _next(self) -> KeyPair:
        pair = certificates.split_pair(secrets.read_secret(self.folder, self._next_file.name))
        if pair is None:
            raise SignerMissing(
                f"{self._next_file} is no authority with its key",
                hint="Remove it and repeat: inv secrets.rotate authority",
            )
        return pair


def issue_and_load(folder: Path, project: str, servers: Mapping[str, Server], signer: KeyPair) -> None:
    """New certificates for the servers. A crash leaves each with the old or the new one, both trusted."""
    for service, server in servers.items():
        tls_files.issue(folder, project, service, signer, _now())
        server.load()


def verify_shown(servers: Mapping[str, Server], files: tls_files.TlsFiles, *, trusted: str) -> None:
    """See each server show the certificate of its file, within LOAD_SECONDS. Raises CertificateWrong."""
    for service, server in servers.items():
        expected = certificates.split_pair(files.servers[service])
        deadline = time.monotonic() + LOAD_SECONDS
        while expected is None or not _shows(server, expected.certificate, trusted):
            if expected is None or time.monotonic() > deadline:
                raise CertificateWrong(
                    f"{service} shows another certificate than the one in its file",
                    hint=f"inv logs {service} says why; inv restart {service} reads the file again.",
                )
            time.sleep(0.1)


def _shows(server: Server, certificate: str, trusted: str) -> bool:
    try:
        return server.shown(trusted).split() == certificate.split()
    except ServiceUnreachable:
        return False


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
