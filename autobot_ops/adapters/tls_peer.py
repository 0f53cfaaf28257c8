"""Look at the certificate that a server shows."""

from __future__ import annotations

import socket
import ssl

from autobot_ops.errors import ServiceUnreachable

SECONDS = 3.0

POSTGRES_TLS_REQUEST = bytes.fromhex("0000000804d2162f")
"""PostgreSQL's protocol, message SSLRequest: eight bytes, answered with `S` where TLS may begin."""


class NoTrustedTls(ServiceUnreachable):
    """There is no server, it doesn't speak TLS, or its certificate isn't trusted."""


def peer_certificate(host: str, port: int, *, name: str, trusted: str, request: bytes = b"") -> str:
    """The certificate (PEM) of a server called `name` that one of the trusted authorities (PEM) signed.

    `request` is what must be said in plain text before TLS begins. Raises NoTrustedTls.
    """
    context = ssl.create_default_context(cadata=trusted)
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as plain:
            if request:
                plain.sendall(request)
                if plain.recv(1) != b"S":
                    raise NoTrustedTls(f"{name} refuses TLS", hint=f"Look at its log: inv logs {name}")
            with context.wrap_socket(plain, server_hostname=name) as connection:
                shown = connection.getpeercert(binary_form=True)
    except OSError as error:
        raise NoTrustedTls(
            f"{name} at {host}:{port} offers no TLS that is trusted: {error}",
            hint=f"inv config.check looks at the certificates, inv logs {name} at the server.",
        ) from error
    assert shown is not None  # noqa: S101 - the context demands a certificate
    return ssl.DER_cert_to_PEM_cert(shown)
