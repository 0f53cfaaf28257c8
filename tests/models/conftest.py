"""Tests that need torch, transformers, Chroma, OpenVINO: what the images of the AI agents carry.

They aren't part of a default session, whose environment is light; the same obligations are tested
against the live images by tests/integration. Run them where those packages are installed:
pytest tests/models
"""

from __future__ import annotations

from tests.component.conftest import redis_process, start_agent

__all__ = ["redis_process", "start_agent"]
