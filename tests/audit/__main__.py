"""`nox -s audit`: audit every image of the project and print the tables; `--record` keeps them.

Ends with 0 whatever is found: it reports. `inv security` (S32) is what judges.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from autobot_ops import frontend
from autobot_ops.adapters import engine
from autobot_ops.adapters.images import ImageStore
from autobot_ops.audit.auditing import audit_images
from autobot_ops.audit.results import FOLDER
from autobot_ops.audit.table import COLUMNS, FIXABLE_COLUMNS, fixable_rows, rows, sentences
from autobot_ops.settings import load_settings
from autobot_ops.stack.image_graph import SERVICE_TARGETS
from autobot_ops.stack.images import image_references, missing_images
from tests.conftest import ROOT
from tests.verification import markdown_table, record


def main() -> None:
    """Audit the images that the present files describe."""
    parser = argparse.ArgumentParser(prog="nox -s audit --", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the tables into docs/verification.md")
    parser.add_argument("--pip-audit", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()

    settings = load_settings(ROOT, os.environ)
    client = engine.connect()
    with ImageStore(client) as store:
        if missing := missing_images(settings, ROOT, store):
            parser.exit(2, f"error: not built: {', '.join(missing)}\nhint: inv build\n")
        references = image_references(settings, ROOT)
        images = [references[target] for target in SERVICE_TARGETS]
        results = []
        for audited in audit_images(client, ROOT, images, pip_audit=options.pip_audit):
            frontend.say(str(audited.bom.relative_to(ROOT)))
            results.append(audited.result)

    frontend.table("", COLUMNS, rows(results))
    fixable = fixable_rows(results)
    if fixable:
        frontend.table("Fixable", FIXABLE_COLUMNS, fixable)
    unknown = list(sentences(results))
    for sentence in unknown:
        frontend.result(sentence)
    if options.record:
        record("audit", _document(markdown_table(COLUMNS, rows(results)), fixable, unknown))


def _document(table: str, fixable: list[tuple[str, ...]], unknown: list[str]) -> str:
    parts = [
        f"A bill of materials of each image (CycloneDX 1.6, checked against the schema) is in `{FOLDER}/`.",
        table,
        markdown_table(FIXABLE_COLUMNS, fixable)
        if fixable
        else "Of what could be asked, nothing is fixable.",
        "\n".join(f"- {sentence}" for sentence in unknown),
    ]
    return "\n\n".join(part for part in parts if part)


main()
