"""Who reaches whom: the networks, the routes inside the containers, the published ports."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from autobot_ops.catalog import Catalogs
from tests.integration.conftest import Stack

DEFAULT_GATEWAY = ["awk", '$2 == "00000000" {print $3}', "/proc/net/route"]
PORTS = {"redis": 6379, "postgres": 5432}
AGENT_PORT = 8000

# The images have no ip or nc; bash opens connections itself. All at once: one that is dropped on its way
# is told from one that is slow only by waiting, and then all wait together.
TRY_ALL = """
try() { timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null && echo "$1"; }
for target in %s; do try "${target%%:*}" "${target#*:}" & done
wait
"""


@dataclass(frozen=True)
class Target:
    """Where a service listens: its name, or its address in one of the networks."""

    service: str
    network: str
    host: str


def networks_meant(catalogs: Catalogs, service: str) -> set[str]:
    """What the catalogs say: data for all, and the way out only for agents that have egress."""
    if service in PORTS:
        return {"data"}
    return {"data", "egress" if catalogs.agent(service.removesuffix("-agent")).egress else "edge"}


def attachments(stack: Stack, service: str) -> dict[str, Any]:
    found = stack.container(service).attrs["NetworkSettings"]["Networks"]
    return {name.removeprefix(f"{stack.project}_"): attachment for name, attachment in found.items()}


def network_attributes(stack: Stack, network: str) -> dict[str, Any]:
    attributes: dict[str, Any] = stack.engine.networks.get(f"{stack.project}_{network}").attrs
    return attributes


def gateway(stack: Stack, network: str) -> str:
    return str(network_attributes(stack, network)["IPAM"]["Config"][0]["Gateway"])


def as_in_route(address: str) -> str:
    """As /proc/net/route writes it: hexadecimal, lowest byte first."""
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


# ---- who reaches whom ---------------------------------------------------------------------------


def targets(stack: Stack) -> list[Target]:
    """Every service by its name, and by its address in each of its networks."""
    by_name = [Target(service, "data", service) for service in stack.services]
    by_address = [
        Target(service, network, attachment["IPAddress"])
        for service in stack.services
        for network, attachment in attachments(stack, service).items()
    ]
    return by_name + by_address


def reached_from(stack: Stack, service: str, hosts: Iterable[Target]) -> set[str]:
    """Hosts to which a connection could be opened from inside a service's container."""
    words = [f"{each.host}:{PORTS.get(each.service, AGENT_PORT)}" for each in hosts]
    script = TRY_ALL % " ".join(map(shlex.quote, words))
    return set(stack.output_inside(service, "bash", "-c", script).split())


@pytest.fixture(scope="module")
def reached(stack: Stack) -> dict[str, set[str]]:
    """By service, the hosts that it reaches; every container tries every one."""
    with ThreadPoolExecutor(max_workers=len(stack.services)) as pool:
        tried = targets(stack)
        found = pool.map(lambda service: reached_from(stack, service, tried), stack.services)
        return dict(zip(stack.services, found, strict=True))


@pytest.mark.obligation(18)
def test_a_container_reaches_exactly_what_shares_a_network_with_it(
    stack: Stack, reached: dict[str, set[str]], service_name: str
) -> None:
    tried = targets(stack)
    mine = networks_meant(stack.catalogs, service_name)
    # A service reaches itself at all of its addresses.
    expected = {each.host for each in tried if each.network in mine or each.service == service_name}
    assert reached[service_name] == expected
    assert {each.network for each in tried} == {"data", "edge", "egress"}


@pytest.mark.obligation(18)
def test_a_container_is_in_the_networks_that_are_meant(stack: Stack, service_name: str) -> None:
    assert set(attachments(stack, service_name)) == networks_meant(stack.catalogs, service_name)


@pytest.mark.obligation(18)
def test_the_default_route_is_the_one_that_is_meant(stack: Stack, service_name: str) -> None:
    ways_out = networks_meant(stack.catalogs, service_name) - {"data"}
    routes = stack.output_inside(service_name, *DEFAULT_GATEWAY).split()
    assert routes == [as_in_route(gateway(stack, network)) for network in ways_out]


@pytest.mark.obligation(18)
def test_the_data_network_has_no_way_out(stack: Stack) -> None:
    assert network_attributes(stack, "data")["Internal"] is True


@pytest.mark.obligation(18)
def test_what_leaves_through_edge_gets_no_answer(stack: Stack) -> None:
    options = network_attributes(stack, "edge")["Options"]
    assert options["com.docker.network.bridge.enable_ip_masquerade"] == "false"


@pytest.mark.obligation(18)
def test_an_agent_without_egress_asks_nobody_outside_for_names(stack: Stack, agent_name: str) -> None:
    servers = stack.container(f"{agent_name}-agent").attrs["HostConfig"]["Dns"] or []
    assert servers == ([] if stack.catalogs.agent(agent_name).egress else ["127.0.0.1"])


# ---- published ports ----------------------------------------------------------------------------


def published_ports(stack: Stack, service: str) -> list[tuple[str, int]]:
    """Address and port on the host of everything that a service publishes."""
    ports = stack.container(service).attrs["NetworkSettings"]["Ports"] or {}
    return [(each["HostIp"], int(each["HostPort"])) for bound in ports.values() for each in bound or ()]


def host_addresses(stack: Stack) -> set[str]:
    """Addresses of this machine beyond loopback: those of its routes, and its ends of Docker's networks."""
    found = {gateway(stack, network) for network in ("data", "edge", "egress")}
    for target in ("192.0.2.1", "198.51.100.1", "10.255.255.255"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))  # a datagram's connect sends nothing
            except OSError:
                continue
            found.add(probe.getsockname()[0])
    return {address for address in found if not address.startswith("127.")}


def answering(addresses: Iterable[str], port: int) -> Iterator[str]:
    for address in addresses:
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            continue
        yield address


@pytest.mark.obligation(17)
def test_an_agent_is_published_once_on_loopback_and_a_data_service_nowhere(
    stack: Stack, service_name: str
) -> None:
    agent = stack.catalogs.agents.get(service_name.removesuffix("-agent"))
    expected = [("127.0.0.1", agent.port + stack.port_offset)] if agent else []
    assert published_ports(stack, service_name) == expected


@pytest.mark.obligation(17)
def test_published_ports_answer_on_loopback_only(stack: Stack, agent_name: str) -> None:
    port = stack.catalogs.agent(agent_name).port + stack.port_offset
    addresses = host_addresses(stack)
    assert len(addresses) >= 3
    assert list(answering(["127.0.0.1", *sorted(addresses)], port)) == ["127.0.0.1"]
