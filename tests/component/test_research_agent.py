"""The research agent with a real site, a real browser and a real cache."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from src.agents.addresses import Address, AddressRefused
from src.agents.browser import BrowserRenderer
from src.agents.fetching import PageFetcher, PageUnavailable
from src.agents.guarded_proxy import GuardedProxy
from tests.component.agent_process import AgentProcess
from tests.component.conftest import StartAgent
from tests.component.redis_process import RedisProcess
from tests.component.web_server import WebServer

HOME = ipaddress.ip_address("127.0.0.1")


def only_home(address: Address) -> bool:
    """The rule of these tests: 127.0.0.1 stands for the public internet, everything else is private."""
    return address == HOME


def browser() -> BrowserRenderer:
    return BrowserRenderer(
        chromium=Path("/usr/bin/chromium"),
        driver=Path("/usr/bin/chromedriver"),
        user_agent="test",
        rule=only_home,
    )


@pytest.fixture
def elsewhere() -> Iterator[WebServer]:
    """A second site, on an address that the rule calls private."""
    server = WebServer("127.0.0.2")
    with server.running():
        yield server


@pytest.fixture
def agent(start_agent: StartAgent) -> AgentProcess:
    started = start_agent("research", RESEARCH_ALLOW_PRIVATE="1")
    started.wait_until_ready()
    return started


def fetch(agent: AgentProcess, url: str, **options: bool) -> httpx.Response:
    return agent.post("/research/fetch", {"url": url} | options)


def test_a_page_is_fetched_extracted_and_cached(
    agent: AgentProcess, website: WebServer, redis_process: RedisProcess
) -> None:
    url = website.url("/redirect")
    first = fetch(agent, url).json()
    assert (first["title"], first["cached"], first["status"]) == ("Tides of the sea", False, 200)
    assert first["url"] == website.url("/article")
    assert first["text"] == "Tides\nThe moon pulls the oceans.\nTwice a day the sea rises.\nMore Mail"
    assert [link["text"] for link in first["links"]] == ["About us", "More"]
    assert fetch(agent, url).json() == first | {"cached": True}
    assert website.seen == ["/redirect", "/article"]
    (key,) = redis_process.operator(0).keys("*")
    assert 3500 < redis_process.operator(0).ttl(key) <= 3600


def test_a_fresh_request_does_not_look_into_the_cache(agent: AgentProcess, website: WebServer) -> None:
    fetch(agent, website.url("/article"))
    assert not fetch(agent, website.url("/article"), fresh=True).json()["cached"]
    assert website.seen == ["/article", "/article"]


def test_a_page_that_another_version_cached_in_its_own_way_is_fetched_anew(
    agent: AgentProcess, website: WebServer, redis_process: RedisProcess
) -> None:
    url = website.url("/article")
    fetch(agent, url)
    with redis_process.operator(0) as main:
        (key,) = main.keys("*")
        main.set(key, '{"address": "former name"}')
    assert not fetch(agent, url).json()["cached"]
    assert fetch(agent, url).json()["cached"]
    assert website.seen == ["/article", "/article"]


def test_a_page_that_is_gone_is_told_and_not_cached(agent: AgentProcess, website: WebServer) -> None:
    assert fetch(agent, website.url("/gone")).json()["status"] == 404
    fetch(agent, website.url("/gone"))
    assert website.seen == ["/gone", "/gone"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/binary", 415, "application/pdf"),
        ("/large", 415, "more than 5242880 bytes"),
        ("/loop", 502, "redirects more than 5 times"),
    ],
)
def test_refuses_what_is_no_page(
    agent: AgentProcess, website: WebServer, path: str, status: int, words: str
) -> None:
    answer = fetch(agent, website.url(path))
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_a_rendered_page_is_what_its_scripts_made_of_it(agent: AgentProcess, website: WebServer) -> None:
    plain = fetch(agent, website.url("/scripted")).json()
    assert (plain["title"], plain["text"]) == ("before", "empty")
    rendered = fetch(agent, website.url("/scripted"), render=True).json()
    assert (rendered["title"], rendered["text"]) == ("after", "written by a script")
    assert (rendered["rendered"], rendered["status"]) == (True, None)


@pytest.mark.parametrize("render", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_refused_and_never_asked(
    start_agent: StartAgent, website: WebServer, host: str, render: bool
) -> None:
    agent = start_agent("research")
    agent.wait_until_ready()
    answer = fetch(agent, website.url("/article", host), render=render)
    assert (answer.status_code, website.seen) == (403, [])


async def test_a_redirect_to_a_private_address_is_refused(website: WebServer, elsewhere: WebServer) -> None:
    website.redirect_to = elsewhere.url("/article")
    fetcher = PageFetcher(user_agent="test", rule=only_home)
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
        await fetcher.fetch(website.url("/elsewhere"))
    await fetcher.close()
    assert elsewhere.seen == []


async def test_a_browser_that_is_redirected_to_a_private_address_is_refused(
    website: WebServer, elsewhere: WebServer
) -> None:
    website.redirect_to = elsewhere.url("/article")
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
        await browser().render(website.url("/elsewhere"))
    assert elsewhere.seen == []


async def test_a_page_cannot_reach_private_addresses_with_its_parts_and_scripts(
    website: WebServer, elsewhere: WebServer
) -> None:
    url = elsewhere.url("/plain")
    website.page = (
        f'<img src="{url}"><script src="{url}"></script><iframe src="{url}"></iframe>'
        f'<script>fetch("{url}").catch(() => 0); new WebSocket("{url.replace("http", "ws")}");</script>'
        "<main>shown</main>"
    )
    page = await browser().render(website.url("/page"))
    assert "shown" in page.markup
    assert elsewhere.seen == []


async def test_the_browser_asks_for_nothing_on_its_own_behalf(
    website: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies: list[GuardedProxy] = []
    made = GuardedProxy.__aenter__

    async def remember(proxy: GuardedProxy) -> GuardedProxy:
        proxies.append(proxy)
        return await made(proxy)

    monkeypatch.setattr(GuardedProxy, "__aenter__", remember)
    await browser().render(website.url("/article"))
    assert proxies[0].hosts <= {"127.0.0.1", "none.invalid"}


async def test_a_browser_leaves_no_file_and_no_process_behind(website: WebServer, tmp_path: Path) -> None:
    before = set(Path("/tmp").glob("autobot-browser-*"))
    await browser().render(website.url("/article"))
    assert set(Path("/tmp").glob("autobot-browser-*")) <= before
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in running if b"autobot-browser-" in line and b"--user-data-dir" in line]


async def test_a_missing_browser_is_told_in_words(website: WebServer, tmp_path: Path) -> None:
    renderer = BrowserRenderer(
        chromium=tmp_path / "none", driver=Path("/usr/bin/chromedriver"), user_agent="x", rule=only_home
    )
    with pytest.raises(PageUnavailable, match="the browser failed"):
        await renderer.render(website.url("/article"))


async def test_the_proxy_serves_what_the_rule_allows_and_refuses_the_rest(
    website: WebServer, elsewhere: WebServer
) -> None:
    async with GuardedProxy(only_home) as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        async with httpx.AsyncClient(proxy=address, trust_env=False) as client:
            assert "Tides" in (await client.get(website.url("/article"))).text
            assert (await client.get(elsewhere.url("/article"))).status_code == 403
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        port = elsewhere.server_address[1]
        writer.write(f"CONNECT 127.0.0.2:{port} HTTP/1.1\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 403")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"nonsense\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
    assert elsewhere.seen == []
