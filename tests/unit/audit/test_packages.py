"""An image's own records become its packages, and its bill of materials."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from autobot_ops.audit.bom import InvalidBom, check_bom, render_bom
from autobot_ops.audit.packages import (
    DebianPackage,
    IncompleteRecords,
    PythonPackage,
    parse_metadata,
    parse_records,
)

RECORDS = """\
== release
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
VERSION_ID="12"
ID=debian
== debian
Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.22-1)
Version: 3.0.22-1~deb12u2
Description: Secure Sockets Layer
 Status: of nothing

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4
== python
Metadata-Version: 2.1
Name: Torch_Thing
Version: 2.9.1+cpu
License: BSD
  with a second line

== python
Metadata-Version: 2.4
Name: anyio
Version: 4.9
License-Expression: MIT
== end
"""
CREATED = datetime(2026, 11, 28, tzinfo=UTC)


def bom(records: str = RECORDS, image_id: str = "sha256:aa") -> str:
    return render_bom("autobot/rag-agent:0123456789ab", image_id, CREATED, parse_records(records))


def test_installed_packages_alone_are_read() -> None:
    contents = parse_records(RECORDS)
    assert contents.debian == (
        DebianPackage("base-files", "12.4", "amd64", "base-files"),
        DebianPackage("libssl3", "3.0.22-1~deb12u2", "amd64", "openssl"),
    )
    assert contents.python == (
        PythonPackage("Torch_Thing", "2.9.1+cpu", "BSD"),
        PythonPackage("anyio", "4.9", "MIT"),
    )
    assert contents.counts == {"deb": 2, "pypi": 2}
    assert contents.release["VERSION_ID"] == "12"


def test_the_status_file_is_kept_for_programs_that_read_it() -> None:
    status = parse_records(RECORDS).status
    assert status.startswith("Package: libssl3\n")
    assert status.endswith("Version: 12.4\n")


def test_pins_leave_out_what_no_index_knows() -> None:
    assert parse_records(RECORDS).pins == "Torch_Thing==2.9.1\nanyio==4.9\n"


@pytest.mark.parametrize("text", ["", "Package: x", RECORDS.removesuffix("== end\n")])
def test_records_that_end_early_are_refused(text: str) -> None:
    with pytest.raises(IncompleteRecords):
        parse_records(text)


def test_a_distribution_without_a_licence() -> None:
    assert parse_metadata("Name: x\nVersion: 1") == PythonPackage("x", "1")


def test_the_bill_names_every_package_by_its_url() -> None:
    document = json.loads(bom())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert {each["purl"] for each in document["components"]} == {
        "pkg:deb/debian/libssl3@3.0.22-1~deb12u2?arch=amd64&distro=debian-12",
        "pkg:deb/debian/base-files@12.4?arch=amd64&distro=debian-12",
        "pkg:pypi/torch-thing@2.9.1%2Bcpu",
        "pkg:pypi/anyio@4.9",
    }
    image = document["metadata"]["component"]
    assert (image["name"], image["version"], image["type"]) == (
        "autobot/rag-agent",
        "0123456789ab",
        "container",
    )
    (own,) = [each for each in document["dependencies"] if each["ref"] == image["bom-ref"]]
    assert len(own["dependsOn"]) == 4


def test_the_same_image_gives_the_same_bill_and_another_one_another() -> None:
    assert bom() == bom()
    assert json.loads(bom())["serialNumber"] != json.loads(bom(image_id="sha256:bb"))["serialNumber"]


@pytest.mark.parametrize("field", ["bomFormat", "specVersion"])
def test_a_bill_that_breaks_the_schema_is_refused(field: str) -> None:
    document = json.loads(bom())
    del document[field]
    with pytest.raises(InvalidBom):
        check_bom(json.dumps(document))


def test_a_component_without_a_name_breaks_the_schema() -> None:
    document = json.loads(bom())
    del document["components"][0]["name"]
    with pytest.raises(InvalidBom):
        check_bom(json.dumps(document))
