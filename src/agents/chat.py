"""Chat agent: counts tokens and keeps conversations within a context window.

No language model runs here. It answers with what would fit into one: the messages, their tokens and
what had to be let go.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from src.agents.agent import Agent, AgentContext
from src.agents.conversations import (
    Conversation,
    Conversations,
    ConversationUnknown,
    MessageTooLong,
    Role,
)
from src.agents.tokens import DEFAULT_ENCODING, TokenCounter

DEFAULT_BUDGET = 4096
LARGEST_BUDGET = 131_072
LONGEST_TEXT = 1_000_000

EncodingName = Annotated[str, Field(pattern="^(tekken|minilm)$", description="tekken or minilm")]
ConversationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="32 hexadecimal digits")]


class TokensRequest(BaseModel):
    """A text to be counted."""

    text: str = Field(max_length=LONGEST_TEXT)
    encoding: EncodingName = DEFAULT_ENCODING


class TokensAnswer(BaseModel):
    """Its length in tokens and characters."""

    tokens: int
    characters: int
    encoding: str


class ConversationRequest(BaseModel):
    """What a conversation begins with."""

    title: str = Field(default="", max_length=200)
    encoding: EncodingName = DEFAULT_ENCODING
    budget: int = Field(default=DEFAULT_BUDGET, ge=16, le=LARGEST_BUDGET, description="tokens")


class MessageRequest(BaseModel):
    """A message to be added."""

    role: Role = "user"
    content: str = Field(min_length=1, max_length=LONGEST_TEXT)


class ChatAgent(Agent):
    """Routes under /chat. `load` reads the vocabularies, about a second."""

    loads = "tokenizers"

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        # Without keys no conversation can be kept: that shall stop the start, not the first request.
        context.databases.sealer("sessions").ring.ring()
        self._counter: TokenCounter | None = None
        self._conversations = Conversations(
            client=lambda: context.encrypted("sessions"),
            count=self.count_tokens,
            ttl=lambda: context.ttl("sessions"),
        )

    @property
    def counter(self) -> TokenCounter:
        """The loaded vocabularies; the server asks for nothing before they are there."""
        if self._counter is None:
            raise RuntimeError("the tokenizers aren't loaded")
        return self._counter

    def count_tokens(self, text: str, encoding: str) -> int:
        """Length of a text in tokens."""
        return self.counter.count(text, encoding)

    def load(self) -> None:
        """Read both vocabularies from their packages."""
        self._counter = TokenCounter()

    def router(self) -> APIRouter:
        """Tokens and conversations."""
        router = APIRouter(prefix="/chat", tags=["chat"])
        conversations = self._conversations

        @router.post("/tokens")
        async def tokens_of_text(request: TokensRequest) -> TokensAnswer:
            """How many tokens a text has in one of the two encodings."""
            tokens = await asyncio.to_thread(self.count_tokens, request.text, request.encoding)
            return TokensAnswer(tokens=tokens, characters=len(request.text), encoding=request.encoding)

        @router.post("/conversations", status_code=201)
        async def begin_conversation(request: ConversationRequest) -> Conversation:
            """Begin a conversation with a budget of tokens."""
            return await conversations.begin(request.title, request.encoding, request.budget)

        @router.get("/conversations")
        async def list_conversations(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[str]:
            """Ids of the conversations that were active last."""
            return await conversations.latest(limit)

        @router.get("/conversations/{identifier}")
        async def get_conversation(identifier: ConversationId) -> Conversation:
            """A conversation with all messages that fit its budget."""
            try:
                return await conversations.get(identifier)
            except ConversationUnknown as error:
                raise HTTPException(404, error.message) from error

        @router.post("/conversations/{identifier}/messages", status_code=201)
        async def add_message(identifier: ConversationId, request: MessageRequest) -> Conversation:
            """Add a message; the oldest go when the budget is exceeded, system messages last."""
            try:
                return await conversations.add(identifier, request.role, request.content)
            except ConversationUnknown as error:
                raise HTTPException(404, error.message) from error
            except MessageTooLong as error:
                raise HTTPException(422, str(error)) from error

        @router.delete("/conversations/{identifier}", status_code=204)
        async def delete_conversation(identifier: ConversationId) -> None:
            """Forget a conversation now."""
            try:
                await conversations.delete(identifier)
            except ConversationUnknown as error:
                raise HTTPException(404, error.message) from error

        return router
