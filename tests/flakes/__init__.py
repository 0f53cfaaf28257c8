"""Runs of one folder of tests in a row: what fails in one of them is a flake."""
