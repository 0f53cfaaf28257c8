"""Verbs at the front door, in this process: what they print, write and exit with. They need no Docker."""
