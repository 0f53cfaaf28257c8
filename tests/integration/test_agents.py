"""One real request to each agent: what it exists for, through its published port."""

from __future__ import annotations


