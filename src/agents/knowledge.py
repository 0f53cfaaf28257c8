"""Knowledge agent: for now only its name; its work follows in the next commits."""

from __future__ import annotations

from fastapi import APIRouter

from src.agents.agent import Agent


class KnowledgeAgent(Agent):
    """Serves health, readiness and metrics."""

    def router(self) -> APIRouter:
        """No routes of its own yet."""
        return APIRouter(prefix="/knowledge", tags=["knowledge"])
