"""Restoring one database of a live Redis: loaded beside it, compared, exchanged at one stroke."""
