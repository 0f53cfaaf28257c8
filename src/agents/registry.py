"""Agents by name.

Each module is imported when its agent is asked for, so the chat agent never needs the packages of
another one.
"""

from __future__ import annotations

import importlib

from src.agents.agent import Agent
from src.errors import ConfigurationInvalid, nearest_match_hint

_CLASSES = {
    "chat": "src.agents.chat:ChatAgent",
    "rag": "src.agents.rag:RagAgent",
    "npu": "src.agents.npu:NpuAgent",
    "research": "src.agents.research:ResearchAgent",
    "knowledge": "src.agents.knowledge:KnowledgeAgent",
}

AGENT_NAMES = tuple(_CLASSES)


def agent_class(name: str) -> type[Agent]:
    """The class behind a name. Raises `ConfigurationInvalid` for an unknown one."""
    if name not in _CLASSES:
        raise ConfigurationInvalid(f"unknown agent '{name}'", hint=nearest_match_hint(name, _CLASSES))
    module_name, class_name = _CLASSES[name].split(":")
    found: type[Agent] = getattr(importlib.import_module(module_name), class_name)
    return found
