"""The packages of an image, out of its own records. Pure: text in, packages out.

What no record names isn't seen: libraries inside wheels, and files that a recipe copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser

INSTALLED = "install ok installed"


class IncompleteRecords(ValueError):
    """An image's records end before their end."""


@dataclass(frozen=True)
class DebianPackage:
    """An installed package of Debian. `source` is what it was built from, without a version."""

    name: str
    version: str
    architecture: str
    source: str


@dataclass(frozen=True)
class PythonPackage:
    """An installed distribution. `licence` is the author's own wording, empty where there is none."""

    name: str
    version: str
    licence: str = ""


@dataclass(frozen=True)
class Contents:
    """All that an image's records name. `status` is dpkg's own file, for programs that read it."""

    release: Mapping[str, str]
    debian: tuple[DebianPackage, ...]
    python: tuple[PythonPackage, ...]
    status: str

    @property
    def counts(self) -> dict[str, int]:
        """How many packages of each kind, by the kind's name in a package URL."""
        return {"deb": len(self.debian), "pypi": len(self.python)}

    @property
    def pins(self) -> str:
        """The distributions as a requirements file. Local parts of versions (`+cpu`) name no release."""
        return "".join(f"{each.name}=={each.version.partition('+')[0]}\n" for each in self.python)


def parse_records(text: str) -> Contents:
    """The output of adapters/image_contents.py. Raises IncompleteRecords."""
    sections: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("== "):
            sections.append((line[3:], []))
        elif sections:
            sections[-1][1].append(line)
    if not sections or sections[-1][0] != "end":
        raise IncompleteRecords("the image's records end early")
    texts = [(name, "\n".join(lines)) for name, lines in sections]
    status = "\n".join(body for name, body in texts if name == "debian") + "\n"
    release = "\n".join(body for name, body in texts if name == "release")
    return Contents(
        release={
            name: value.strip('"')
            for name, _, value in (line.partition("=") for line in release.splitlines())
            if name
        },
        debian=tuple(sorted(parse_status(status), key=lambda each: (each.name, each.architecture))),
        python=tuple(
            sorted(
                (parse_metadata(body) for name, body in texts if name == "python"), key=lambda each: each.name
            )
        ),
        status=status,
    )


def parse_status(text: str) -> Iterator[DebianPackage]:
    """The installed packages of a dpkg status file."""
    for stanza in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in stanza.splitlines()
            if ": " in line and not line.startswith((" ", "\t"))
        )
        if fields.get("Status") == INSTALLED:
            source = fields.get("Source", fields["Package"]).partition(" ")[0]
            yield DebianPackage(fields["Package"], fields["Version"], fields["Architecture"], source)


def parse_metadata(text: str) -> PythonPackage:
    """One distribution's METADATA, as far as its description."""
    headers = HeaderParser().parsestr(text.strip() + "\n\n")
    licence = headers.get("License-Expression") or headers.get("License") or ""
    return PythonPackage(headers["Name"], headers["Version"], licence.splitlines()[0] if licence else "")
