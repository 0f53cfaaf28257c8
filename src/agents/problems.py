"""Every error answer is a problem document (RFC 9457, `application/problem+json`).

Details name what the caller can correct. Nothing internal (paths, passwords, tracebacks) goes out;
the log line with the same request id has the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import NoPermissionError, OutOfMemoryError, RedisError, ResponseError
from starlette.exceptions import HTTPException

from src.agents.logs import request_id
from src.agents.metrics import AgentMetrics
from src.utils.key_ring import EncryptionFault

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = "2"


class ProblemResponse(JSONResponse):
    """A JSON answer of the problem type."""

    media_type = "application/problem+json"


def problem(
    status: int,
    detail: str,
    *,
    instance: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> ProblemResponse:
    """A problem document; `more` are additional members such as `errors`."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if instance:
        content["instance"] = instance
    if (identifier := request_id.get()) is not None:
        content["request_id"] = identifier
    return ProblemResponse(content | more, status_code=status, headers=dict(headers or {}))


def install_problem_handlers(app: FastAPI, metrics: AgentMetrics) -> None:
    """Answer HTTP errors, invalid requests and an unreachable Redis as problem documents."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> ProblemResponse:
        detail = str(error.detail)
        if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
            detail = f"this agent has nothing at {request.url.path}; /openapi.json lists what it has"
        return problem(error.status_code, detail, instance=request.url.path, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> ProblemResponse:
        errors = describe_validation_errors(error.errors())
        detail = "; ".join(f"{row['field']}: {row['message']}" for row in errors)
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, instance=request.url.path, errors=errors)

    @app.exception_handler(RedisError)
    async def redis_failed(request: Request, error: RedisError) -> ProblemResponse:
        metrics.count_redis_error(error)
        logger.warning("redis operation failed: %s", error, extra={"error": type(error).__name__})
        if isinstance(error, NoPermissionError):
            # Our fault, not the caller's and not a passing one: the catalog grants less than is used.
            detail = "this agent was refused by Redis; its rights don't cover this operation"
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, instance=request.url.path)
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            _redis_in_words(error),
            instance=request.url.path,
            headers={"Retry-After": RETRY_AFTER_SECONDS},
        )

    @app.exception_handler(EncryptionFault)
    async def value_does_not_open(request: Request, error: EncryptionFault) -> ProblemResponse:
        metrics.count_redis_error(error)
        logger.error("a stored value does not open: %s", error, extra={"error": type(error).__name__})
        # Neither which key nor why: both would help whoever tampers.
        detail = "a stored value can't be opened; this agent's log has the request id"
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, instance=request.url.path)


def _redis_in_words(error: RedisError) -> str:
    """What a caller is told. A server that refuses is another fault than one that is away."""
    if isinstance(error, OutOfMemoryError):
        return "Redis is full and takes no more writes at the moment"
    # In a pipeline its words come after the command's.
    if isinstance(error, ResponseError) and "MISCONF " in str(error):
        return "Redis can't save what it is given and takes no more writes at the moment"
    return "Redis can't be reached at the moment"


def describe_validation_errors(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """`[{"field": "question", "message": "field required"}, …]` out of pydantic's errors."""
    described = []
    for error in errors:
        # The first part of the location says body, query or path, which the caller knows.
        field = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
        if error["type"] == "json_invalid":
            field = "body"
        message = str(error["msg"]).removeprefix("Value error, ")
        described.append({"field": field, "message": message[:1].lower() + message[1:]})
    return described
