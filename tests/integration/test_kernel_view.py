"""What the kernel holds of every process in the containers, whatever Compose's files say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.conftest import Stack

READ_EVERY_STATUS = ["bash", "-c", "cat /proc/[0-9]*/status"]
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
FIRST_OWN_ID = 10_000
FILTERED = "2"
"""Seccomp's mode with a filter; 0 would be none."""
LOOKS = 3


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


def wrongs(stack: Stack, service: str, judge: Callable[[dict[str, str]], list[str]]) -> set[str]:
    """What is wrong with processes that stay so; one that is just being started inside is still the engine's.

    A health check begins as `runc init`, with root's rights, until it has given them up.
    """
    lasting: set[str] | None = None
    for _ in range(LOOKS):
        found = statuses(stack, service)
        assert found[0]["Pid"] == "1"
        assert len(found) > 1
        seen = {f"{each['Pid']} {each['Name']}: {words}" for each in found for words in judge(each)}
        lasting = seen if lasting is None else lasting & seen
        if not lasting:
            break
    return lasting or set()


def rights(process: dict[str, str]) -> list[str]:
    """Capabilities that a process has or may get, and whether it may gain any."""
    held = [f"{name} {process[name]}" for name in CAPABILITY_SETS if int(process[name], 16)]
    return held + ["may gain privileges"] * (process["NoNewPrivs"] != "1")


def belonging(process: dict[str, str]) -> list[str]:
    """Users and groups that aren't our own, and a missing filter of system calls."""
    ids = [
        f"{name} {process[name]}" for name in ("Uid", "Gid") if min(numbers(process[name])) <= FIRST_OWN_ID
    ]
    # The group of the secret files may be one of the host's; it is never root's.
    groups = ["a member of root's group"] * (0 in numbers(process["Groups"]))
    return ids + groups + ["no filter of system calls"] * (process["Seccomp"] != FILTERED)


def numbers(words: str) -> list[int]:
    return [int(each) for each in words.split()]


@pytest.mark.obligation(15)
def test_no_process_has_a_capability_or_can_gain_one(stack: Stack, service_name: str) -> None:
    assert wrongs(stack, service_name, rights) == set()


@pytest.mark.obligation(15)
def test_every_process_is_filtered_and_belongs_to_a_user_of_our_own(stack: Stack, service_name: str) -> None:
    assert wrongs(stack, service_name, belonging) == set()
