"""Bringing back what an archive holds: loaded beside what is live, compared, exchanged at one stroke."""
