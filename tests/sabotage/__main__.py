"""`nox -s sabotage`: spoil a stack in every way that is listed, and show which test noticed."""

from __future__ import annotations

import argparse
import sys

import docker

from autobot_ops.catalog import load_catalogs
from tests.conftest import ROOT
from tests.integration import live
from tests.sabotage.catalogue import SABOTAGES
from tests.sabotage.runner import COLUMNS, Verdict, try_all
from tests.verification import markdown_table, record


def main(arguments: list[str]) -> int:
    """Exit status 0 when every sabotage was caught and mended, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="nox -s sabotage --", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the table into docs/verification.md")
    parser.add_argument("--obligation", type=int, action="append", help="only sabotages of this number")
    parser.add_argument("--reuse", metavar="PROJECT", help="on a stack that an earlier session kept")
    options = parser.parse_args(arguments)
    chosen = [each for each in SABOTAGES if _wanted(each.obligations, options.obligation)]
    if not chosen:
        parser.error("no sabotage of these obligations")
    engine, catalogs = docker.from_env(), load_catalogs(ROOT)
    live.PERMISSION.granted = True
    if options.reuse is None:
        with live.own_stack(engine, catalogs, keep=False) as stack:
            verdicts = try_all(stack, chosen, _say)
    else:
        existing = live.existing_stack(engine, catalogs, options.reuse)
        if existing is None:
            parser.error(f"there is no stack '{options.reuse}'")
        verdicts = try_all(existing, chosen, _say)
    table = _table(verdicts)
    _say(table)
    if options.record:
        record("sabotage", table)
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _wanted(obligations: tuple[int, ...], numbers: list[int] | None) -> bool:
    return numbers is None or bool(set(obligations) & set(numbers))


def _table(verdicts: list[Verdict]) -> str:
    ordered = sorted(verdicts, key=lambda verdict: verdict.obligation)
    caught = sum(verdict.holds for verdict in verdicts)
    table = markdown_table(COLUMNS, [verdict.cells for verdict in ordered])
    return f"{table}\n\n{caught} of {len(verdicts)} caught, and mended afterwards."


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
