"""Who reaches whom: the networks, the routes inside the containers, the published ports."""

from __future__ import annotations

import socket

import pytest
import testinfra
from testinfra.host import Host

from tests.integration.conftest import Stack

# What a container would need to look: the images have no ip or nc, bash can do both.
CONNECT = "timeout 3 bash -c 'exec 3<>/dev/tcp/{host}/{port}'"
DEFAULT_GATEWAY = "awk '$2 == \"00000000\" {print $3}' /proc/net/route"


@pytest.fixture
def agent_host(stack: Stack, agent_name: str) -> Host:
    """The agent's container, seen from inside."""
    return testinfra.get_host(f"docker://{stack.project}-{agent_name}-agent")


def gateway(stack: Stack, network: str) -> str:
    """A network's gateway as /proc/net/route writes it: hexadecimal, lowest byte first."""
    attributes = stack.engine.networks.get(f"{stack.project}_{network}").attrs
    address = attributes["IPAM"]["Config"][0]["Gateway"]
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def networks_of(stack: Stack, service_name: str) -> set[str]:
    names = stack.container(service_name).attrs["NetworkSettings"]["Networks"]
    return {name.removeprefix(f"{stack.project}_") for name in names}


def test_the_data_network_has_no_way_out(stack: Stack) -> None:
    assert stack.engine.networks.get(f"{stack.project}_data").attrs["Internal"] is True


def test_what_leaves_through_edge_gets_no_answer(stack: Stack) -> None:
    options = stack.engine.networks.get(f"{stack.project}_edge").attrs["Options"]
    assert options["com.docker.network.bridge.enable_ip_masquerade"] == "false"


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_data_services_have_no_default_route(stack: Stack, name: str) -> None:
    assert networks_of(stack, name) == {"data"}
    assert testinfra.get_host(f"docker://{stack.project}-{name}").check_output(DEFAULT_GATEWAY) == ""


def test_only_an_agent_with_egress_is_on_the_network_that_leads_out(stack: Stack, agent_name: str) -> None:
    egress = stack.catalogs.agent(agent_name).egress
    assert networks_of(stack, f"{agent_name}-agent") == {"data", "egress" if egress else "edge"}


def test_the_default_route_is_the_one_that_is_meant(stack: Stack, agent_name: str, agent_host: Host) -> None:
    network = "egress" if stack.catalogs.agent(agent_name).egress else "edge"
    assert agent_host.check_output(DEFAULT_GATEWAY).split() == [gateway(stack, network)]


def test_an_agent_without_egress_asks_nobody_outside_for_names(stack: Stack, agent_name: str) -> None:
    servers = stack.container(f"{agent_name}-agent").attrs["HostConfig"]["Dns"] or []
    assert servers == ([] if stack.catalogs.agent(agent_name).egress else ["127.0.0.1"])


def test_an_agent_reaches_redis_and_every_other_agent(
    stack: Stack, agent_name: str, agent_host: Host
) -> None:
    agent_host.run_expect([0], CONNECT.format(host="redis", port=6379))
    for other in stack.catalogs.agents:
        agent_host.run_expect([0], CONNECT.format(host=f"{other}-agent", port=8000))


def test_published_ports_answer_on_loopback_only(stack: Stack, agent_name: str) -> None:
    port = stack.catalogs.agent(agent_name).port + stack.port_offset
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    for address in host_addresses():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


def host_addresses() -> set[str]:
    """Addresses of this machine beyond loopback, as far as its routes show them; nothing is sent."""
    found = set()
    for target in ("192.0.2.1", "198.51.100.1", "10.255.255.255"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
            except OSError:
                continue
            found.add(probe.getsockname()[0])
    return {address for address in found if not address.startswith("127.")}
