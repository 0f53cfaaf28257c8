"""Who can reach a container, and whom it can reach: S17 to S21. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from autobot_ops.security.answers import Answer, judged, not_applicable
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, Document, StackFacts

LEAST_PORT = 1024
DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
PUBLISHES_NOTHING = "it publishes no port"


def not_on_the_default_bridge(container: Container, _: StackFacts) -> Answer:
    """S17."""
    return judged(
        f"it is attached to the network '{name}'"
        for name, network in container.networks.items()
        if name == "bridge" or (network.get("Options") or {}).get(DEFAULT_BRIDGE) == "true"
    )


def published_on_loopback(container: Container, _: StackFacts) -> Answer:
    """S18."""
    published = list(_published(container))
    if not (published or container.inspect["HostConfig"].get("PublishAllPorts")):
        return not_applicable(PUBLISHES_NOTHING)
    return judged(_beyond_loopback(container))


def no_low_port(container: Container, _: StackFacts) -> Answer:
    """S19."""
    published = list(_published(container))
    if not published:
        return not_applicable(PUBLISHES_NOTHING)
    return judged(f"port {port} is published" for _, port in published if 0 < port < LEAST_PORT)


def data_services_stay_inside(container: Container, _: StackFacts) -> Answer:
    """S20."""
    if not container.role.stores_data:
        return not_applicable("it is no data service")
    return judged(_beyond_loopback(container))


def reaches_out_as_granted(container: Container, _: StackFacts) -> Answer:
    """S21. A bridge without masquerading leads nowhere: what leaves through it gets no answer."""
    found = []
    if container.inspect["HostConfig"].get("NetworkMode") == "host":
        found.append("it is on the host's network")
    if not container.role.egress:
        found += [
            f"the network '{name}' leads out, and agents.yaml grants no egress"
            for name, network in container.networks.items()
            if _leads_out(network)
        ]
    if container.role.stores_data:
        found += [
            f"the network '{name}' of a data service is not internal"
            for name, network in container.networks.items()
            if not network.get("Internal")
        ]
    elif container.role.agent and not any(network.get("Internal") for network in container.networks.values()):
        found.append("it is on no internal network, so data services are on another one")
    return judged(found)


def _leads_out(network: Document) -> bool:
    masquerade = (network.get("Options") or {}).get(MASQUERADE, "true")
    return not network.get("Internal") and masquerade != "false"


def _published(container: Container) -> Iterator[tuple[str, int]]:
    """Address and port on the host, as asked for and as bound; port 0 where the engine chooses."""
    asked = container.inspect["HostConfig"].get("PortBindings") or {}
    bound = (container.inspect.get("NetworkSettings") or {}).get("Ports") or {}
    for bindings in (*asked.values(), *bound.values()):
        for each in bindings or ():
            yield each.get("HostIp") or "0.0.0.0", int(each.get("HostPort") or 0)  # noqa: S104 - the engine's default


def _beyond_loopback(container: Container) -> Iterator[str]:
    if container.inspect["HostConfig"].get("PublishAllPorts"):
        yield "every exposed port is published"
    for address, port in _published(container):
        if not (address.startswith("127.") or address == "::1"):
            yield f"port {port or 'of the engine’s choice'} is published on {address}"


CHECKS = (
    Check("S17", "not on the engine's default bridge", not_on_the_default_bridge),
    Check("S18", "every published port is on loopback", published_on_loopback),
    Check("S19", "no published port is below 1024", no_low_port),
    Check("S20", "a data service publishes nothing beyond loopback", data_services_stay_inside),
    Check(
        "S21", "data stay on an internal network, only agents with egress reach out", reaches_out_as_granted
    ),
)
