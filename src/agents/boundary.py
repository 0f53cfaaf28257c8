"""The outermost layer of every request: identifier, size limit, measurement, log line, last resort.

Plain ASGI, so bodies stream through it and nothing is buffered.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from http import HTTPStatus

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.agents.logs import request_id
from src.agents.metrics import AgentMetrics
from src.agents.problems import problem
from src.agents.usage import UsageRecorder

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"
# Taken over from a caller only if it can't break a log line or a header.
_ACCEPTED_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Asked for every few seconds by health checks and Prometheus: not worth a line each.
_QUIET_ROUTES = ("/livez", "/readyz", "/metrics", "/health/")


class RequestBoundary:
    """ASGI middleware; the same for all agents."""

    def __init__(
        self, app: ASGIApp, *, metrics: AgentMetrics, usage: UsageRecorder, max_body_bytes: int
    ) -> None:
        self._app = app
        self._usage = usage
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP passes through untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = _request_identifier(Headers(scope=scope))
        token = request_id.set(identifier)
        began = time.perf_counter()
        status = 0

        async def send_with_identifier(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = identifier
            await send(message)

        try:
            declared = _declared_length(Headers(scope=scope))
            if declared > self._max_body_bytes:
                await problem(*self._too_large())(scope, receive, send_with_identifier)
            else:
                await self._app(scope, self._counting(receive), send_with_identifier)
        except Exception:
            logger.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            if status:
                raise  # the answer has begun: all that is left is to break the connection
            answer = problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "this agent failed; its log has the request id"
            )
            await answer(scope, receive, send_with_identifier)
        finally:
            self._record(scope, status, time.perf_counter() - began)
            request_id.reset(token)

    def _counting(self, receive: Receive) -> Receive:
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise HTTPException(*self._too_large())
            return message

        return receive_within_limit

    def _too_large(self) -> tuple[int, str]:
        return (
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request body may have at most {self._max_body_bytes} bytes",
        )

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.observe_request(scope["method"], route, status, seconds)
        of_the_service = scope["path"].startswith(_QUIET_ROUTES)
        quiet = of_the_service and status < HTTPStatus.BAD_REQUEST
        if not of_the_service:
            self._usage.record(scope["method"], route, status, seconds)
        logger.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %s",
            scope["method"],
            scope["path"],
            status,
            extra={"route": route, "status": status, "milliseconds": round(seconds * 1000, 2)},
        )


def _request_identifier(headers: Headers) -> str:
    given = headers.get(REQUEST_ID_HEADER, "")
    return given if _ACCEPTED_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _declared_length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isdigit() else 0
