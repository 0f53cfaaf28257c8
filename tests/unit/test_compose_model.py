"""What we read out of Compose: its model, its dry run, the order of starting."""

from __future__ import annotations

from autobot_ops.stack.compose import (
    ABSENT,
    COMPOSE_FILE,
    DIFFERENT,
    RUNNING,
    STOPPED,
    Compose,
    PublishedPort,
    Service,
    parse_dry_run,
    parse_model,
    start_order,
)
from tests.conftest import ROOT

ANYWHERE = "0.0.0.0"  # noqa: S104 - what Compose means by no address

DOCUMENT = {
    "services": {
        "redis": {"container_name": "x-redis", "image": "autobot/redis:1", "mem_reservation": "268435456"},
        "chat-agent": {
            "container_name": "x-chat-agent",
            "image": "autobot/chat-agent:1",
            "depends_on": {"redis": {"condition": "service_healthy"}},
            "ports": [
                {"host_ip": "127.0.0.1", "target": 8000, "published": "9001"},
                {"target": 8443, "published": "9443"},
                {"target": 9999},
            ],
        },
    }
}

DRY_RUN = """\
 DRY-RUN MODE -  Network x_data  Creating
 DRY-RUN MODE -  Container x-redis  Running
 DRY-RUN MODE -  Container x-postgres  Created
 DRY-RUN MODE -  Container x-rag-agent  Recreate
 DRY-RUN MODE -  Container x-chat-agent  Creating
 DRY-RUN MODE -  Container x-rag-agent  Recreated
 DRY-RUN MODE -  Container x-chat-agent  Created
"""


def test_reads_services_with_ports_and_memory() -> None:
    services = parse_model(DOCUMENT)
    assert services["redis"] == Service("redis", "x-redis", "autobot/redis:1", (), (), 268435456)
    assert services["chat-agent"].depends_on == ("redis",)
    assert services["chat-agent"].ports == (PublishedPort("127.0.0.1", 9001), PublishedPort(ANYWHERE, 9443))


def test_reads_what_compose_finds() -> None:
    assert parse_dry_run(DRY_RUN) == {
        "x-redis": RUNNING,
        "x-postgres": STOPPED,
        "x-rag-agent": DIFFERENT,
        "x-chat-agent": ABSENT,
    }


def test_reads_it_without_the_mark_of_a_dry_run() -> None:
    assert parse_dry_run(" Container x-redis Running \n Container x-rag-agent Recreate") == {
        "x-redis": RUNNING,
        "x-rag-agent": DIFFERENT,
    }


def service(name: str, *depends_on: str) -> Service:
    return Service(name, name, "image", depends_on, (), 0)


def test_orders_chains_of_dependencies() -> None:
    services = {
        each.name: each for each in (service("c", "b"), service("b", "a"), service("a"), service("d"))
    }
    assert start_order(services) == [["a", "d"], ["b"], ["c"]]


def test_a_dependency_outside_counts_as_met() -> None:
    assert start_order({"chat-agent": service("chat-agent", "redis")}) == [["chat-agent"]]


def test_every_command_names_file_folder_and_project() -> None:
    command = Compose(ROOT, "second", {}).command("ps")
    assert command == [
        *("docker", "compose", "--file", f"{ROOT}/{COMPOSE_FILE}"),
        *("--project-directory", str(ROOT), "--project-name", "second", "ps"),
    ]
