"""Bringing back what an archive holds."""
