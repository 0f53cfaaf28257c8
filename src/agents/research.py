"""Research agent: fetches a page, over HTTP or with a browser, and extracts what it says."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field, ValidationError
from redis.exceptions import RedisError

from src.agents.addresses import AddressRefused, NameUnknown, any_address, is_public
from src.agents.agent import Agent, AgentContext
from src.agents.browser import BrowserRenderer
from src.agents.extraction import PageContent, extract, extract_plain
from src.agents.fetching import PageFetcher, PageUnavailable, PageUnreadable

logger = logging.getLogger(__name__)

CACHE_PREFIX = "cache:research:"


class FetchRequest(BaseModel):
    """A page; `render` runs its scripts in a browser, `fresh` doesn't look into the cache."""

    url: str = Field(min_length=1, max_length=2000)
    render: bool = False
    fresh: bool = False


class LinkAnswer(BaseModel):
    """A link of the page."""

    url: str
    text: str


class FetchAnswer(BaseModel):
    """What the page says; `url` is its address after redirects, `status` is null if it was rendered."""

    url: str
    status: int | None
    rendered: bool
    cached: bool
    fetched: datetime
    title: str
    description: str
    language: str
    text: str
    truncated: bool
    links: list[LinkAnswer]


class ResearchAgent(Agent):
    """Routes under /research. Nothing to load: a browser is started for each page that needs one."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        settings = context.settings
        rule = any_address if settings.allow_private_addresses else is_public
        user_agent = f"AutoBot-research/{settings.version}"
        self._fetcher = PageFetcher(user_agent=user_agent, rule=rule)
        self._browser = BrowserRenderer(
            chromium=Path(os.environ.get("CHROMIUM_BINARY", "/usr/bin/chromium")),
            driver=Path(os.environ.get("CHROMEDRIVER_BINARY", "/usr/bin/chromedriver")),
            user_agent=user_agent,
            rule=rule,
        )

    async def close(self) -> None:
        """Close the connections to pages' servers."""
        await self._fetcher.close()

    async def fetch(self, request: FetchRequest) -> FetchAnswer:
        """From the cache, else from the page, which is then cached if it was answered with 200."""
        key = cache_key(request.url, render=request.render)
        if not request.fresh and (known := await self._cached(key)) is not None:
            return known
        answer = await (self._rendered(request.url) if request.render else self._fetched(request.url))
        if answer.status in (200, None):
            await self._keep(key, answer)
        return answer

    async def _fetched(self, url: str) -> FetchAnswer:
        page = await self._fetcher.fetch(url)
        if page.content_type == "text/plain":
            content = extract_plain(page.body.decode(page.charset or "utf-8", errors="replace"))
        else:
            content = await asyncio.to_thread(extract, page.body, page.url, page.charset)
        return _answer(page.url, page.status, content, rendered=False)

    async def _rendered(self, url: str) -> FetchAnswer:
        page = await self._browser.render(url)
        content = await asyncio.to_thread(extract, page.markup, page.url)
        return _answer(page.url, None, content, rendered=True)

    async def _cached(self, key: str) -> FetchAnswer | None:
        value = await self.context.redis("main").get(key)
        if value is None:
            return None
        try:
            return FetchAnswer.model_validate_json(value).model_copy(update={"cached": True})
        except ValidationError:
            return None  # written by another version of this agent

    async def _keep(self, key: str, answer: FetchAnswer) -> None:
        try:
            await self.context.redis("main").set(key, answer.model_dump_json(), ex=self.context.ttl("main"))
        except RedisError as error:
            # The caller has waited for the page and shall have it.
            self.context.metrics.count_redis_error(error)
            logger.warning("the page couldn't be cached: %s", error)

    def router(self) -> APIRouter:
        """Fetching."""
        router = APIRouter(prefix="/research", tags=["research"])

        @router.post("/fetch")
        async def fetch_page(request: FetchRequest) -> FetchAnswer:
            """What a public page says. 403: not a public address, 415: not a text, 502: no page."""
            try:
                return await self.fetch(request)
            except AddressRefused as error:
                raise HTTPException(403, error.message) from error
            except PageUnreadable as error:
                raise HTTPException(415, error.message) from error
            except (NameUnknown, PageUnavailable) as error:
                raise HTTPException(502, error.message) from error

        return router


def cache_key(url: str, *, render: bool) -> str:
    """The key of a page; a fetched and a rendered one are two."""
    return CACHE_PREFIX + hashlib.sha256(f"{'render' if render else 'fetch'}\0{url}".encode()).hexdigest()


def _answer(url: str, status: int | None, content: PageContent, *, rendered: bool) -> FetchAnswer:
    return FetchAnswer(
        url=url,
        status=status,
        rendered=rendered,
        cached=False,
        fetched=datetime.now(tz=UTC),
        title=content.title,
        description=content.description,
        language=content.language,
        text=content.text,
        truncated=content.truncated,
        links=[LinkAnswer(url=link.url, text=link.text) for link in content.links],
    )
