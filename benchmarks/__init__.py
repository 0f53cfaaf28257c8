"""Measurements, run with `nox -s bench -- NAME`; all use the one harness."""
