"""Why a build failed, as far as its output tells, and what to do about it.

Pure. The first rule whose words stand in the output wins, so particular ones stand before general ones.
"""

from __future__ import annotations

import re

_RULES = (
    (
        r"no space left on device|disk quota exceeded",
        "The disk is full; docker system df shows what takes the space, docker system prune frees some.",
    ),
    (
        r"hash mismatch|do not match the hashes|hashes are required",
        "A package isn't the one that was pinned: a mirror changed it, or a wheel folder has another build."
        " Run inv requirements.compile if that is intended.",
    ),
    (
        r"certificate verify failed|unknownissuer|invalid peer certificate|self.signed certificate",
        "A mirror's certificate isn't trusted; name your CA bundle in PIP_CERT and build again.",
    ),
    (
        r"no apt sources|unable to locate package|no installation candidate",
        "apt finds no such package; run apt-get update on this host, or check its Debian bookworm sources.",
    ),
    (
        r"no solution found|no matching distribution|was not found in the package registry"
        r"|no wheels? with a matching",
        "The package index has no such version; check pip config list, or run inv requirements.compile.",
    ),
    (
        r"401 unauthorized|403 forbidden|407 proxy",
        "A mirror or proxy refused the request; check its credentials in pip's or apt's configuration.",
    ),
    (
        r"temporary failure resolving|failed to lookup address|dns error|no such host"
        r"|connection (refused|reset|timed out)|network is unreachable|timed out"
        r"|could not connect|unable to connect|tls handshake",
        "The network or a mirror didn't answer; build again when it does, and what is done stays done.",
    ),
    (
        r"exit code: 137|signal: killed|cannot allocate memory|out of memory",
        "The build ran out of memory; give Docker more, or build one agent at a time with --agent.",
    ),
    (
        r"unknown progress|invalid progress",
        "This buildx is too old; version 0.13 or newer is needed, scripts/bootstrap installs it.",
    ),
)


def explain_build_failure(output: str) -> str:
    """The hint for a failed build's output."""
    lowered = output.lower()
    for pattern, hint in _RULES:
        if re.search(pattern, lowered):
            return hint
    return "The lines above name the cause; inv build goes on where it stopped."
