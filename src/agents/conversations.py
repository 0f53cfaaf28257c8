"""Conversations in the `sessions` database, kept within a budget of tokens.

Keys, all under `chat:*`: `chat:conversation:<id>` (hash), `chat:conversation:<id>:messages` (list of
JSON, oldest first), `chat:conversations` (sorted set of ids by last activity: agents may not SCAN).
The first two are encrypted and bound to their key; the index is not, so ids say nothing of a person.
Each write gives the first two the database's default time to live anew.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from src.errors import RuntimeFault
from src.utils.encrypted_redis import AsyncEncryptedPipeline, AsyncEncryptedRedis

Role = Literal["system", "user", "assistant"]

INDEX_KEY = "chat:conversations"


class ConversationUnknown(RuntimeFault, LookupError):
    """No such conversation: never begun, deleted, or its time to live is over."""


class MessageTooLong(RuntimeFault, ValueError):
    """One message alone is larger than the conversation's budget."""


class Message(BaseModel):
    """One message; `tokens` is its length in the conversation's encoding."""

    role: Role
    content: str
    tokens: int
    time: float


class Conversation(BaseModel):
    """A conversation as it would be given to a language model."""

    id: str
    title: str
    encoding: str
    budget: int = Field(description="tokens that all messages together may have")
    tokens: int = Field(description="tokens that they have")
    dropped: int = Field(description="messages that no longer fitted and were let go")
    expires_in: int | None = Field(description="seconds until it is forgotten; null: never")
    messages: list[Message]


class Trimmed(NamedTuple):
    """Messages that stay, in order, and how many had to go."""

    kept: list[Message]
    dropped: int


def trim_to_budget(messages: Sequence[Message], budget: int) -> Trimmed:
    """Let the oldest messages go until the rest fits; system messages go last. Pure.

    The newest message always stays: whoever adds it has made sure that it fits alone.
    """
    total = sum(message.tokens for message in messages)
    order = sorted(range(len(messages) - 1), key=lambda place: (messages[place].role == "system", place))
    gone: set[int] = set()
    for place in order:
        if total <= budget:
            break
        gone.add(place)
        total -= messages[place].tokens
    return Trimmed([message for place, message in enumerate(messages) if place not in gone], len(gone))


class Conversations:
    """Stores and finds conversations. `client` gives the client of `sessions`, `count` counts tokens."""

    def __init__(
        self,
        client: Callable[[], AsyncEncryptedRedis],
        count: Callable[[str, str], int],
        ttl: Callable[[], int | None],
    ) -> None:
        self._client = client
        self._count = count
        self._ttl = ttl

    async def begin(self, title: str, encoding: str, budget: int) -> Conversation:
        """A new, empty conversation."""
        identifier = uuid.uuid4().hex
        ttl = self._ttl()
        async with self._client().pipeline(transaction=True) as pipeline:
            key = _key(identifier)
            pipeline.hset(key, mapping={"title": title, "encoding": encoding, "budget": budget, "dropped": 0})
            self._touch(pipeline, identifier, ttl)
            await pipeline.execute()
        return Conversation(
            id=identifier, title=title, encoding=encoding, budget=budget, tokens=0, dropped=0,
            expires_in=ttl, messages=[],
        )  # fmt: skip

    async def add(self, identifier: str, role: Role, content: str) -> Conversation:
        """Append a message and let the oldest go that no longer fit.

        Two callers at the same time both succeed: the transaction is repeated for the slower one.
        Raises `ConversationUnknown`, `MessageTooLong`.
        """
        ttl = self._ttl()

        async def append(pipeline: AsyncEncryptedPipeline) -> Conversation:
            conversation = await self._read(pipeline, identifier)
            tokens = self._count(content, conversation.encoding)
            if tokens > conversation.budget:
                raise MessageTooLong(
                    f"the message has {tokens} tokens and the conversation's budget is {conversation.budget}",
                    hint="Shorten it, or begin a conversation with a larger budget.",
                )
            message = Message(role=role, content=content, tokens=tokens, time=time.time())
            kept, dropped = trim_to_budget([*conversation.messages, message], conversation.budget)
            pipeline.multi()
            if dropped:
                pipeline.delete(_messages_key(identifier))
                pipeline.rpush(_messages_key(identifier), *(row.model_dump_json() for row in kept))
                pipeline.hset(_key(identifier), "dropped", conversation.dropped + dropped)
            else:
                pipeline.rpush(_messages_key(identifier), message.model_dump_json())
            self._touch(pipeline, identifier, ttl)
            return conversation.model_copy(
                update={
                    "messages": kept,
                    "tokens": sum(row.tokens for row in kept),
                    "dropped": conversation.dropped + dropped,
                    "expires_in": ttl,
                }
            )

        result: Conversation = await self._client().transaction(
            append, _key(identifier), _messages_key(identifier), value_from_callable=True
        )
        return result

    async def get(self, identifier: str) -> Conversation:
        """The whole conversation. Raises `ConversationUnknown`."""
        return await self._read(self._client(), identifier)

    async def delete(self, identifier: str) -> None:
        """Forget it now. Raises `ConversationUnknown`."""
        async with self._client().pipeline(transaction=True) as pipeline:
            pipeline.delete(_key(identifier), _messages_key(identifier))
            pipeline.unencrypted("ZREM", INDEX_KEY, identifier)
            deleted, _ = await pipeline.execute()
        if not deleted:
            raise _unknown(identifier)

    async def latest(self, limit: int) -> list[str]:
        """Ids by last activity, the newest first."""
        found = await self._client().unencrypted("ZRANGE", INDEX_KEY, 0, limit - 1, "REV")
        return [str(identifier) for identifier in found]

    def _touch(self, pipeline: AsyncEncryptedPipeline, identifier: str, ttl: int | None) -> None:
        now = time.time()
        pipeline.unencrypted("ZADD", INDEX_KEY, now, identifier)
        if ttl is not None:
            pipeline.expire(_key(identifier), ttl)
            pipeline.expire(_messages_key(identifier), ttl)
            # Members of a sorted set have no time to live of their own.
            pipeline.unencrypted("ZREMRANGEBYSCORE", INDEX_KEY, "-inf", now - ttl)
            pipeline.expire(INDEX_KEY, ttl)

    async def _read(
        self, client: AsyncEncryptedRedis | AsyncEncryptedPipeline, identifier: str
    ) -> Conversation:
        fields: dict[Any, Any] = await client.hgetall(_key(identifier))
        if not fields:
            raise _unknown(identifier)
        rows = await client.lrange(_messages_key(identifier), 0, -1)
        remaining = int(await client.ttl(_key(identifier)))
        messages = [Message.model_validate(json.loads(row)) for row in rows]
        return Conversation(
            id=identifier,
            title=fields["title"],
            encoding=fields["encoding"],
            budget=int(fields["budget"]),
            dropped=int(fields["dropped"]),
            tokens=sum(message.tokens for message in messages),
            expires_in=remaining if remaining >= 0 else None,
            messages=messages,
        )


def _key(identifier: str) -> str:
    return f"chat:conversation:{identifier}"


def _messages_key(identifier: str) -> str:
    return f"chat:conversation:{identifier}:messages"


def _unknown(identifier: str) -> ConversationUnknown:
    return ConversationUnknown(f"there is no conversation '{identifier}'")
