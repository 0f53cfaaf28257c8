"""Containers with more rights than they need, and ports and networks that are open."""

from __future__ import annotations

from tests.sabotage.model import Sabotage
from tests.sabotage.spoiling import connect, disconnect, recreate, up_again

AGENT = "knowledge-agent"

SABOTAGES = (
    Sabotage(
        (13,),
        "a container without a limit of processes",
        recreate(AGENT, pids_limit=-1),
        up_again,
        only="knowledge",
    ),
    Sabotage(
        (15,),
        "an extra capability",
        recreate(AGENT, cap_add=["NET_RAW"]),
        up_again,
    ),
    Sabotage(
        (15,),
        "a container without the filter of system calls",
        recreate(AGENT, security_opt=["seccomp=unconfined"]),
        up_again,
    ),
    Sabotage(
        (15,),
        "an agent in root's group",
        recreate(AGENT, user="10001:0"),
        up_again,
    ),
    Sabotage(
        (17,),
        "a port on 0.0.0.0",
        recreate(AGENT, variables={"AUTOBOT_BIND_ADDRESS": "0.0.0.0"}),  # noqa: S104 - what is to be noticed
        up_again,
    ),
    Sabotage(
        (17,),
        "a data service that publishes its port on loopback",
        recreate("postgres", ports=["127.0.0.1::5432"], networks=["edge"]),
        up_again,
        only="data_service_nowhere",
    ),
    Sabotage(
        (18,),
        "PostgreSQL on the network that leads out",
        connect("egress", "postgres"),
        disconnect("egress", "postgres"),
    ),
    Sabotage(
        (18,),
        "an agent without egress that asks a server outside for names",
        recreate(AGENT, dns=["192.0.2.53"]),
        up_again,
        only="for_names",
    ),
)
