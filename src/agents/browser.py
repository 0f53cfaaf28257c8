"""A page as a browser shows it: headless Chromium, a fresh one for every page, through a guarded proxy."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from src.agents.addresses import AddressRefused, AddressRule, check_url, default_port, is_public, resolve
from src.agents.fetching import PageUnavailable, check_size
from src.agents.guarded_proxy import GuardedProxy

PAGE_SECONDS = 20
# Starting and ending Chromium included.
TOTAL_SECONDS = 45.0
# Each takes some 300 MB.
BROWSERS_AT_ONCE = 1

_FEATURES_OFF = (
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "InterestFeedContentSuggestions",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationGuideModelDownloading",
    "OptimizationHints",
    "OptimizationHintsFetching",
    "SegmentationPlatform",
    "Translate",
)
_SWITCHES = (
    "--headless=new",
    # Chromium's own sandbox needs namespaces or a setuid helper. The container has neither: it drops
    # all capabilities, forbids new privileges and filters system calls, which is the sandbox here.
    "--no-sandbox",
    # Containers have 64 MB of /dev/shm.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Names are resolved by the proxy. Nothing goes around it: not loopback, not UDP.
    "--proxy-bypass-list=<-loopback>",
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # What a browser does on its own behalf.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--metrics-recording-only",
    "--safebrowsing-disable-auto-update",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
    "--mute-audio",
    "--incognito",
    "--disable-features=" + ",".join(_FEATURES_OFF),
    # What no switch turns off is sent to a name that can't exist (RFC 6761).
    "--gaia-url=http://none.invalid",
    "--component-updater=url-source=http://none.invalid",
    "--window-size=1280,1600",
)
_PREFERENCES = {
    "download_restrictions": 3,  # no download at all
    "profile.default_content_setting_values.notifications": 2,  # blocked
    "search.suggest_enabled": False,
    "signin.allowed": False,
}


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """The document after its scripts ran, and its address after redirects."""

    url: str
    markup: str


class BrowserRenderer:
    """Renders pages one after the other; further callers wait for their turn."""

    def __init__(
        self, *, chromium: Path, driver: Path, user_agent: str, rule: AddressRule = is_public
    ) -> None:
        self._chromium = chromium
        self._driver = driver
        self._user_agent = user_agent
        self._rule = rule
        self._turn = asyncio.Semaphore(BROWSERS_AT_ONCE)

    async def render(self, url: str) -> RenderedPage:
        """Raises `AddressRefused`, `NameUnknown`, `PageUnavailable`, `PageUnreadable`."""
        parts = check_url(url)
        port = parts.port or default_port(parts.scheme)
        await resolve(str(parts.hostname), port, self._rule)
        async with self._turn, GuardedProxy(self._rule) as proxy:
            folder = Path(tempfile.mkdtemp(prefix="autobot-browser-"))
            try:
                async with asyncio.timeout(TOTAL_SECONDS):
                    page = await asyncio.to_thread(self._render, url, folder, proxy.port)
            except TimeoutError as error:
                raise PageUnavailable(f"the browser took longer than {TOTAL_SECONDS:g} s") from error
            except TimeoutException as error:
                raise PageUnavailable(f"the page took longer than {PAGE_SECONDS} s") from error
            except WebDriverException as error:
                _raise_refusal(proxy)
                raise PageUnavailable(f"the browser failed: {_first_line(error)}") from error
            finally:
                # By its folder: a driver that hangs or died may have left a browser behind.
                await asyncio.to_thread(_end_processes_of, folder)
                shutil.rmtree(folder, ignore_errors=True)
        if check_url(page.url).hostname != parts.hostname:
            # The page led somewhere else; if that was refused, what we have is the proxy's answer.
            _raise_refusal(proxy)
        check_size(len(page.markup))
        return page

    def _render(self, url: str, folder: Path, proxy_port: int) -> RenderedPage:
        options = Options()
        options.binary_location = str(self._chromium)
        for switch in (
            *_SWITCHES,
            f"--user-data-dir={folder}/profile",
            f"--user-agent={self._user_agent}",
            f"--proxy-server=http://127.0.0.1:{proxy_port}",
        ):
            options.add_argument(switch)
        options.add_experimental_option("prefs", _PREFERENCES)
        # Whatever looks for a home, writes into this page's folder.
        environment = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        driver = WebDriver(options, Service(str(self._driver), env=environment))
        try:
            driver.set_page_load_timeout(PAGE_SECONDS)
            driver.set_script_timeout(PAGE_SECONDS)
            driver.get(url)
            markup: Any = driver.page_source
            return RenderedPage(driver.current_url, str(markup))
        finally:
            with contextlib.suppress(WebDriverException):
                driver.quit()


def _raise_refusal(proxy: GuardedProxy) -> None:
    if proxy.refused:
        raise AddressRefused(proxy.refused[0])


def _end_processes_of(folder: Path) -> None:
    """Kill whatever was started with this page's folder on its command line or as its home."""
    mark = str(folder)
    leftovers = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME") == mark or any(mark in word for word in process.cmdline()):
                process.kill()
                leftovers.append(process)
    psutil.wait_procs(leftovers, timeout=5)


def _first_line(error: WebDriverException) -> str:
    return (error.msg or type(error).__name__).splitlines()[0]
