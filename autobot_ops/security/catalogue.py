"""The table's rows: every check, in the order of its number. Pure data."""

from __future__ import annotations

from autobot_ops.security.check import Check
from autobot_ops.security.checks import (
    data_services,
    filesystems,
    images,
    limits,
    networks,
    privileges,
    secrecy,
    vulnerabilities,
)

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *privileges.CHECKS,
            *filesystems.CHECKS,
            *limits.CHECKS,
            *networks.CHECKS,
            *secrecy.CHECKS,
            *images.CHECKS,
            *data_services.CHECKS,
            *vulnerabilities.CHECKS,
        ),
        key=lambda check: check.number,
    )
)
