"""The project's own certificate authority, and what it signs for Redis.

Pure but for randomness: PEM texts in, PEM texts out; the caller gives the time and keeps the files.
Elliptic-curve keys (P-256): any TLS library takes them, and handshakes stay cheap.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
RENEW_BEFORE_DAYS = 30
"""A certificate that ends sooner than this is due for renewal."""

CLOCK_SKEW = datetime.timedelta(minutes=10)
"""Certificates begin this much earlier, so that a host whose clock is behind takes them too."""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: str
    private_key: str

    @property
    def text(self) -> str:
        """Both as one file: a reader never meets a certificate with another one's key."""
        return self.certificate + self.private_key


def make_authority(project: str, now: datetime.datetime) -> KeyPair:
    """A new certificate authority for one project; it can sign servers and nothing below them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{project} certificate authority")])
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(_certificate_pem(certificate), _key_pem(key))


def issue_server(authority: KeyPair, names: Sequence[str], now: datetime.datetime) -> KeyPair:
    """A server certificate for host names and addresses; the first one is its common name."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = serialization.load_pem_private_key(authority.private_key.encode(), password=None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - make_authority made it
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        _builder(subject, issuer.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return KeyPair(_certificate_pem(certificate), _key_pem(key))


def bundle(certificates: Iterable[str]) -> str:
    """Several authorities as one trusted file: during a rotation the old and the new one hold together."""
    return "".join(certificate.strip() + "\n" for certificate in dict.fromkeys(certificates))


def split_bundle(text: str) -> list[str]:
    """The certificates of a trusted file, in its order."""
    loaded = x509.load_pem_x509_certificates(text.encode())
    return [_certificate_pem(certificate) for certificate in loaded]


def is_signed_by(certificate: str, authority: str) -> bool:
    """Whether the authority signed the certificate."""
    issuer = x509.load_pem_x509_certificate(authority.encode())
    try:
        x509.load_pem_x509_certificate(certificate.encode()).verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def belong_together(certificate: str, private_key: str) -> bool:
    """Whether the key is the certificate's; False for texts that are neither."""
    try:
        key = serialization.load_pem_private_key(private_key.encode(), password=None)
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return key.public_key() == public


def split_pair(text: str) -> KeyPair | None:
    """The pair in one file, as `KeyPair.text` has it; None if there is none in it that belongs together."""
    if not belong_together(text, text):
        return None
    key = serialization.load_pem_private_key(text.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - it fits a key that we made
    return KeyPair(split_bundle(text)[0], _key_pem(key))


def ends(certificate: str) -> datetime.datetime:
    """When a certificate stops being valid, in UTC."""
    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc


def is_due(certificate: str, now: datetime.datetime) -> bool:
    """Whether a certificate has ended or is about to."""
    return ends(certificate) - now < datetime.timedelta(days=RENEW_BEFORE_DAYS)


def names_of(certificate: str) -> list[str]:
    """The host names and addresses that a certificate is for."""
    extension = x509.load_pem_x509_certificate(certificate.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return [str(name.value) for name in extension.value]


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
