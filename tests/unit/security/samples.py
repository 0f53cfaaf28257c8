"""A stack as it should be, as facts, to be spoilt by one thing at a time."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from autobot_ops.security.facts import (
    Audit,
    Container,
    Inside,
    LoginRule,
    Mount,
    PostgresLogins,
    PostgresRole,
    RedisUsers,
    Role,
    SecretFile,
    StackFacts,
)

NETWORKS: dict[str, dict[str, Any]] = {
    "stack_data": {"Internal": True, "Options": {}},
    "stack_edge": {
        "Internal": False,
        "Options": {"com.docker.network.bridge.enable_ip_masquerade": "false"},
    },
    "stack_egress": {"Internal": False, "Options": {}},
}
NOTHING = frozenset(("rw", "nosuid", "nodev", "noexec"))

INSIDE = Inside(
    status={
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0000000000000000"),
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "Uid": "10001 10001 10001 10001",
        "Gid": "10001 10001 10001 10001",
    },
    limits={"Max core file size": ("0", "0"), "Max open files": ("16384", "16384")},
    mounts=(
        Mount("/", "overlay", frozenset(("ro", "rw")), shared=False),
        Mount("/dev", "tmpfs", frozenset(("rw", "nosuid", "size=65536k")), shared=False),
        Mount("/proc/keys", "tmpfs", frozenset(("rw", "nosuid", "size=65536k")), shared=False),
        Mount("/proc/acpi", "tmpfs", frozenset(("ro",)), shared=False),
        Mount("/sys/fs/cgroup", "tmpfs", NOTHING, shared=False),
        Mount("/tmp", "tmpfs", NOTHING | {"size=65536k"}, shared=False),
    ),
    secret_files=(SecretFile("/run/secrets/redis_password", 0o440, 0, 10999),),
    writable=(),
    setuid_files=(),
    programs=(),
    package_caches=(),
    closed_folders=(),
)

POSTGRES = PostgresLogins(
    password_encryption="scram-sha-256",
    rules=(
        LoginRule("local", "all", "all", "scram-sha-256"),
        LoginRule("hostssl", "all", "all", "scram-sha-256"),
        LoginRule("host", "all", "all", "reject"),
    ),
    roles=(
        PostgresRole("postgres", ("superuser", "createdb"), scram_password=True),
        PostgresRole("knowledge", (), scram_password=True),
    ),
)

REDIS = RedisUsers(
    names=frozenset({"default", "operator", "chat", "research", "knowledge"}),
    passwordless=frozenset({"default"}),
    default_rights="on nopass +ping",
    dangerous={"chat": (), "research": (), "knowledge": ()},
)


def inspected(service: str, *, user: str, port: int | None = None, **variables: str) -> dict[str, Any]:
    """A `docker inspect` document, as far as checks read it."""
    bindings = {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]} if port else {}
    return {
        "Name": f"/stack-{service}",
        "AppArmorProfile": "",
        "State": {"Status": "running", "Health": {"Status": "healthy"}},
        "Config": {
            "Image": f"autobot/{service}:0123456789ab",
            "User": user,
            "Env": [
                "PATH=/usr/bin",
                "REDIS_PASSWORD_FILE=/run/secrets/redis_password",
                "TOKENIZERS_PARALLELISM=false",
                *(f"{name}={value}" for name, value in variables.items()),
            ],
            "Labels": {"com.docker.compose.service": service},
            "Healthcheck": {"Test": ["CMD", "/probe"]},
        },
        "HostConfig": {
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": None,
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "Memory": 1 << 29,
            "MemorySwap": 1 << 29,
            "OomKillDisable": False,
            "NanoCpus": 1_000_000_000,
            "CpuQuota": 0,
            "PidsLimit": 64,
            "RestartPolicy": {"Name": "unless-stopped"},
            "NetworkMode": "stack_data",
            "PidMode": "",
            "IpcMode": "private",
            "UTSMode": "",
            "UsernsMode": "",
            "Devices": None,
            "PortBindings": bindings,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            "Ulimits": [{"Name": "nofile", "Soft": 16384}, {"Name": "core", "Soft": 0}],
        },
        "Mounts": [
            {"Type": "bind", "Source": "/srv/config", "Destination": "/app/config", "Propagation": "rprivate"}
        ],
        "NetworkSettings": {"Ports": copy.deepcopy(bindings)},
    }


def container(service: str, role: Role, *networks: str, document: dict[str, Any]) -> Container:
    """A good container of that service."""
    return Container(
        service=service,
        role=role,
        inspect=document,
        image={
            "RepoTags": [document["Config"]["Image"]],
            "Config": {
                "User": document["Config"]["User"],
                "Env": ["PATH=/usr/bin"],
                "Labels": {"title": "x"},
            },
        },
        history=({"CreatedBy": 'RUN password=$(head -c 32) | ROOT_IMAGE=debian apt-install.sh "$password"'},),
        networks={name: copy.deepcopy(NETWORKS[name]) for name in networks},
        inside=copy.deepcopy(INSIDE),
    )


def good_stack() -> StackFacts:
    """A fresh stack in which every check answers yes where it applies."""
    containers = (
        container(
            "redis",
            Role(stores_data=True),
            "stack_data",
            document=inspected("redis", user="10002:10002"),
        ),
        container(
            "postgres",
            Role(stores_data=True),
            "stack_data",
            document=inspected("postgres", user="10003:10003"),
        ),
        container(
            "chat-agent",
            Role(agent="chat"),
            "stack_data",
            "stack_edge",
            document=inspected("chat-agent", user="10001:10001", port=8001, REDIS_USERNAME="chat"),
        ),
        container(
            "research-agent",
            Role(agent="research", egress=True),
            "stack_data",
            "stack_egress",
            document=inspected("research-agent", user="10001:10001", port=8004, REDIS_USERNAME="research"),
        ),
        container(
            "knowledge-agent",
            Role(agent="knowledge", postgres=True),
            "stack_data",
            "stack_edge",
            document=inspected(
                "knowledge-agent",
                user="10001:10001",
                port=8005,
                REDIS_USERNAME="knowledge",
                POSTGRES_USER="knowledge",
            ),
        ),
    )
    return StackFacts(
        containers={each.service: each for each in containers},
        engine={"SecurityOptions": ["name=seccomp,profile=builtin"]},
        agents=frozenset({"chat", "research", "knowledge"}),
        secrets={"redis_chat_password": "the-secret-of-chat"},
        redis=REDIS,
        postgres=POSTGRES,
        audits={
            each.inspect["Config"]["Image"]: Audit("2026-11-28", fixable=(), unreached=())
            for each in containers
        },
    )


def with_container(facts: StackFacts, service: str, **changes: Any) -> StackFacts:
    """The stack with another field of one container."""
    changed = dataclasses.replace(facts.containers[service], **changes)
    return dataclasses.replace(facts, containers={**facts.containers, service: changed})


def with_inside(facts: StackFacts, service: str, **changes: Any) -> StackFacts:
    """The stack with another look inside one container."""
    inside = facts.containers[service].inside
    assert isinstance(inside, Inside)
    return with_container(facts, service, inside=dataclasses.replace(inside, **changes))


def with_document(facts: StackFacts, service: str, path: str, value: Any) -> StackFacts:
    """The stack with another value in a container's inspect document: `HostConfig.Memory`."""
    return with_container(
        facts, service, inspect=_changed(facts.containers[service].inspect, path.split("."), value)
    )


def with_image(facts: StackFacts, service: str, path: str, value: Any) -> StackFacts:
    """The stack with another value in the document of a container's image."""
    return with_container(
        facts, service, image=_changed(facts.containers[service].image, path.split("."), value)
    )


def _changed(document: Any, path: list[str], value: Any) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed
