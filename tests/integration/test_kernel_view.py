"""What the kernel holds of every process in the containers, whatever Compose's files say."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Stack

READ_EVERY_STATUS = ["bash", "-c", "cat /proc/[0-9]*/status"]
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
FIRST_OWN_ID = 10_000
FILTERED = "2"
"""Seccomp's mode with a filter; 0 would be none."""


def statuses(stack: Stack, service: str) -> list[dict[str, str]]:
    """`/proc/PID/status` of every process in a container, by field."""
    text = stack.output_inside(service, *READ_EVERY_STATUS)
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if name == "Name":
            found.append({})
        if found and colon:
            found[-1][name] = value.strip()
    return found


@pytest.mark.obligation(15)
def test_no_process_has_a_capability_or_can_gain_one(stack: Stack, service_name: str) -> None:
    found = statuses(stack, service_name)
    assert found[0]["Pid"] == "1"
    assert len(found) > 1
    for process in found:
        held = {name: process[name] for name in CAPABILITY_SETS if int(process[name], 16)}
        assert not held, process["Name"]
        assert process["NoNewPrivs"] == "1", process["Name"]


@pytest.mark.obligation(15)
def test_every_process_is_filtered_and_belongs_to_a_user_of_our_own(stack: Stack, service_name: str) -> None:
    for process in statuses(stack, service_name):
        assert process["Seccomp"] == FILTERED, process["Name"]
        ids = {int(each) for name in ("Uid", "Gid") for each in process[name].split()}
        assert min(ids) > FIRST_OWN_ID, process["Name"]
        # The group of the secret files may be one of the host's; it is never root's.
        assert "0" not in process["Groups"].split(), process["Name"]
