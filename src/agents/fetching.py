"""One page over HTTP, within limits, without ever connecting to a private address."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin

import httpx

from src.agents.addresses import AddressRule, check_url, default_port, is_public, resolve
from src.errors import RuntimeFault

TOTAL_SECONDS = 20.0
CONNECT_SECONDS = 5.0
LARGEST_PAGE_BYTES = 5 * 1024 * 1024
MOST_REDIRECTS = 5
READABLE_TYPES = ("text/html", "application/xhtml+xml", "text/plain")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class PageUnavailable(RuntimeFault):
    """The page's server can't be reached, breaks off, is too slow or redirects in circles."""


class PageUnreadable(RuntimeFault):
    """There is a page, and it is too large or not a text."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """What came back, after redirects. `charset` is what the server said, if it said anything."""

    url: str
    status: int
    content_type: str
    charset: str | None
    body: bytes


class PageFetcher:
    """Fetches pages; one for the life of the agent."""

    def __init__(self, *, user_agent: str, rule: AddressRule = is_public) -> None:
        self._rule = rule
        self._client = httpx.AsyncClient(
            # Redirects are followed here, each target checked; a proxy of the environment would
            # resolve names itself, behind our back.
            follow_redirects=False,
            trust_env=False,
            verify=httpx.create_ssl_context(),
            timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
            headers={"User-Agent": user_agent, "Accept": ", ".join(READABLE_TYPES)},
        )

    async def fetch(self, url: str) -> FetchedPage:
        """Raises `AddressRefused`, `NameUnknown`, `PageUnavailable`, `PageUnreadable`."""
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                for _ in range(MOST_REDIRECTS + 1):
                    page, target = await self._hop(url)
                    if page is not None:
                        return page
                    url = urljoin(url, target)
        except TimeoutError as error:
            raise PageUnavailable(f"the page took longer than {TOTAL_SECONDS:g} s") from error
        raise PageUnavailable(f"the page redirects more than {MOST_REDIRECTS} times")

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._client.aclose()

    async def _hop(self, url: str) -> tuple[FetchedPage | None, str]:
        """One request: the page, or where it redirects to."""
        parts = check_url(url)
        host = str(parts.hostname)
        port = parts.port or default_port(parts.scheme)
        failure: httpx.HTTPError | None = None
        for address in await resolve(host, port, self._rule):
            try:
                return await self._request(parts, address)
            except httpx.ConnectError as error:
                failure = error  # perhaps another address, as where IPv6 has no route
            except httpx.HTTPError as error:
                raise PageUnavailable(f"'{host}' broke off: {_reason(error)}") from error
        raise PageUnavailable(f"'{host}' can't be reached: {_reason(failure)}") from failure

    async def _request(self, parts: SplitResult, address: str) -> tuple[FetchedPage | None, str]:
        url = httpx.URL(parts.geturl())
        request = self._client.build_request(
            "GET",
            url.copy_with(host=address, fragment=None),
            headers={"Host": url.netloc.decode("ascii")},
            # The certificate is checked against the name, although we connect to the address.
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        response = await self._client.send(request, stream=True)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return None, response.headers["location"]
            return await self._read(parts.geturl(), response), ""
        finally:
            await response.aclose()

    async def _read(self, url: str, response: httpx.Response) -> FetchedPage:
        content_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type not in READABLE_TYPES:
            raise PageUnreadable(f"the page is {content_type or 'of no stated type'}, which isn't read here")
        body = bytearray()
        async for piece in response.aiter_bytes(65_536):
            body += piece
            check_size(len(body))
        return FetchedPage(url, response.status_code, content_type, response.charset_encoding, bytes(body))


def check_size(size: int) -> None:
    """Refuse a page that is too large. Raises `PageUnreadable`."""
    if size > LARGEST_PAGE_BYTES:
        raise PageUnreadable(f"the page has more than {LARGEST_PAGE_BYTES} bytes")


def _reason(error: Exception | None) -> str:
    return str(error) or type(error).__name__
