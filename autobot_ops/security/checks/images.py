"""What a container was made from: S25 to S27. Pure."""

from __future__ import annotations

import re

from autobot_ops.security.answers import Answer, Verdict, judged, unknown
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, Inside, StackFacts, Unseen

CONTENT_TAG = re.compile(r":[0-9a-f]{12,64}$|@sha256:[0-9a-f]{64}$")


def fixed_image(container: Container, _: StackFacts) -> Answer:
    """S25."""
    reference = container.inspect["Config"].get("Image") or ""
    found = []
    if not CONTENT_TAG.search(reference):
        found.append(f"'{reference}' is no content tag and no digest")
    elif "@" not in reference and reference not in (container.image.get("RepoTags") or ()):
        found.append(f"'{reference}' is another image by now")
    return judged(found)


def no_setuid_files(container: Container, _: StackFacts) -> Answer:
    """S26."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    found = (f"{path} is setuid or setgid" for path in container.inside.setuid_files)
    return _searched(container.inside, judged(found))


def nothing_to_build_with(container: Container, _: StackFacts) -> Answer:
    """S27."""
    if isinstance(container.inside, Unseen):
        return unknown(container.inside.reason)
    found = [
        *(f"the program {path}" for path in container.inside.programs),
        *(f"a package cache has {path}" for path in container.inside.package_caches),
    ]
    return _searched(container.inside, judged(found))


def _searched(inside: Inside, answer: Answer) -> Answer:
    if inside.closed_folders and answer.verdict is Verdict.YES:
        return unknown(f"{inside.closed_folders[0]} could not be looked into")
    return answer


CHECKS = (
    Check("S25", "image by content tag or digest", fixed_image),
    Check("S26", "no setuid files", no_setuid_files),
    Check("S27", "no compiler, downloader, installer or package cache", nothing_to_build_with),
)
