"""Bills of materials of the images that run, compared with what runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import testinfra

from autobot_ops.adapters.image_contents import read_records
from autobot_ops.audit.bom import render_bom
from autobot_ops.audit.packages import parse_records
from tests.integration.conftest import Stack

DISTRIBUTIONS = (
    "python -c \"import importlib.metadata as m; print(*(d.metadata['Name'] for d in m.distributions()))\""
)


# One image without Python's packages and one with: they are read in the same way for all.
@pytest.mark.parametrize("audited", ["redis", "knowledge-agent"])
def test_the_bill_of_an_image_names_what_runs(stack: Stack, audited: str) -> None:
    image = stack.container(audited).attrs["Config"]["Image"]
    contents = parse_records(read_records(image))
    bill = json.loads(render_bom(image, "sha256:0", datetime(2026, 1, 1, tzinfo=UTC), contents))
    components = bill["components"]

    host = testinfra.get_host(f"docker://{stack.project}-{audited}")
    debian = {each["name"] for each in components if each["purl"].startswith("pkg:deb/")}
    assert debian == set(host.check_output("dpkg-query --show --showformat '${Package} '").split())
    python = {each["name"] for each in components if each["purl"].startswith("pkg:pypi/")}
    expected = host.check_output(DISTRIBUTIONS).split() if audited.endswith("-agent") else ()
    assert python == set(expected)
