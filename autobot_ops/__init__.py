"""Operator library of AutoBot: builds, runs, migrates, backs up, watches and verifies the stack."""
