"""TLS towards Redis: connections that trust the files of this moment, and nothing else.

Redis-py's own connections load the system's authorities besides ours, which costs each new one some
40 ms and trusts who has no business here; and for asyncio they keep the first context, so that a
rotated authority would lock them out when they reconnect.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import redis
import redis.asyncio


def trust(ca_file: str | None, cert_file: str | None = None, key_file: str | None = None) -> ssl.SSLContext:
    """A client's context (TLS 1.2 or newer, host name checked) from the files as they are now.

    Without `ca_file` the system's authorities are trusted. Raises OSError, which callers of redis-py
    see as its `ConnectionError`.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context


class TlsConnection(redis.SSLConnection):
    """A connection over TLS; `ssl_server_name` is the certificate's name where `host` is an address."""

    def __init__(self, *, ssl_server_name: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._server_name = ssl_server_name

    def _wrap_socket_with_ssl(self, sock: Any) -> ssl.SSLSocket:
        context = trust(self.ca_certs, self.certfile, self.keyfile)
        context.check_hostname = self.check_hostname
        return context.wrap_socket(sock, server_hostname=self._server_name or self.host)


class AsyncTlsConnection(redis.asyncio.SSLConnection):
    """The same for asyncio, where `host` must be the certificate's name."""

    def _connection_arguments(self) -> Mapping[str, Any]:
        files = self.ssl_context
        context = trust(files.ca_certs, files.certfile, files.keyfile)
        context.check_hostname = files.check_hostname
        # Redis-py takes this context instead of making its own.
        files.context = context
        return super()._connection_arguments()
