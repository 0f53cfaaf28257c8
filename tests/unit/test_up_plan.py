"""The plan of `inv up`, as it is printed."""

from __future__ import annotations

from dataclasses import replace

from autobot_ops.stack.compose import ABSENT, DIFFERENT, RUNNING, STOPPED, PublishedPort, Service
from autobot_ops.stack.health import ContainerState
from autobot_ops.stack.plan import plan_preparation, plan_start


def service(name: str, *depends_on: str) -> Service:
    return Service(name, f"autobot-{name}", f"autobot/{name}:new", depends_on, (), 0)


def container(name: str, **changes: object) -> ContainerState:
    state = ContainerState(
        service=name,
        name=f"autobot-{name}",
        id=f"id-{name}",
        image=f"autobot/{name}:new",
        status="running",
        health="healthy",
        exit_code=0,
        out_of_memory=False,
        restarts=0,
        started=None,
        error="",
        last_probe=None,
        ports=(PublishedPort("127.0.0.1", 8001),),
        agent="",
    )
    return replace(state, **changes)  # type: ignore[arg-type]


SERVICES = {
    each.name: each
    for each in (
        service("redis"),
        service("postgres"),
        service("chat-agent", "redis"),
        service("knowledge-agent", "redis", "postgres"),
    )
}


def lines(found: dict[str, str], *containers: ContainerState) -> list[str]:
    return [
        str(step) for step in plan_start(SERVICES, found, {each.service: each for each in containers}).steps
    ]


def test_starts_what_others_need_first() -> None:
    plan = plan_start(SERVICES, {}, {})
    assert [[step.target for step in stage] for stage in plan.stages] == [
        ["postgres", "redis"],
        ["chat-agent", "knowledge-agent"],
    ]


def test_the_first_start_creates_everything() -> None:
    assert lines({}) == [
        "create postgres: it isn't there",
        "create redis: it isn't there",
        "create chat-agent: it isn't there",
        "create knowledge-agent: it isn't there",
    ]


def test_names_the_cause_of_every_step() -> None:
    assert lines(
        {"redis": RUNNING, "postgres": STOPPED, "chat-agent": DIFFERENT, "knowledge-agent": DIFFERENT},
        container("redis"),
        container("postgres", status="exited", health=""),
        container("chat-agent", image="autobot/chat-agent:old"),
        container("knowledge-agent"),
    ) == [
        "start postgres: it is exited",
        "keep redis: it is as described and healthy",
        "recreate chat-agent: its image becomes autobot/chat-agent:new",
        "recreate knowledge-agent: its description changed",
    ]


def test_a_stack_as_described_is_left_alone() -> None:
    found = dict.fromkeys(SERVICES, RUNNING)
    plan = plan_start(SERVICES, found, {name: container(name) for name in SERVICES})
    assert plan.changes == ()


def test_an_unhealthy_service_is_left_alone_and_watched() -> None:
    found = dict.fromkeys(SERVICES, RUNNING)
    containers = {name: container(name) for name in SERVICES} | {
        "redis": container("redis", health="unhealthy")
    }
    plan = plan_start(SERVICES, found, containers)
    assert plan.changes == ()
    assert "redis" in plan.stages[0][1].target


def test_a_service_that_keeps_ending_is_restarted_at_once() -> None:
    found = {"redis": RUNNING}
    assert "restart redis: it keeps ending, 7 times so far" in lines(
        found, container("redis", status="restarting", restarts=7)
    )


def test_where_compose_says_nothing_it_is_asked_to_act() -> None:
    containers = {name: container(name) for name in SERVICES}
    plan = plan_start(SERVICES, {}, containers)
    assert {step.action for step in plan.steps} == {"start"}


def test_a_container_that_compose_does_not_know_is_created() -> None:
    assert "create redis: it isn't there" in lines({"redis": ABSENT}, container("redis"))


def test_preparation_says_what_and_why() -> None:
    steps = plan_preparation(
        files={"docker/env/common.env": "it is missing", ".env": "it is out of date"},
        missing_secrets=["redis_chat_password"],
        wrong_access=["redis_rag_password"],
        users_differ=True,
        certificates={},
        running={"redis"},
        missing_images=["chat"],
    )
    assert [str(step) for step in steps] == [
        "write docker/env/common.env: it is missing",
        "write .env: it is out of date",
        "make secret redis_chat_password: it is missing",
        "correct secret redis_rag_password: its mode or group is wrong",
        "write secret redis_users_acl: catalogs and passwords say otherwise",
        "load users into redis: it runs with the former ones",
        "build image chat: it is missing",
    ]


def test_a_redis_that_does_not_run_reads_its_users_when_it_starts() -> None:
    steps = plan_preparation(
        files={}, missing_secrets=[], wrong_access=[], users_differ=True, certificates={}, running=set()
    )
    assert [step.action for step in steps] == ["write"]


def test_a_renewed_certificate_is_loaded_where_a_server_runs() -> None:
    steps = plan_preparation(
        files={},
        missing_secrets=[],
        wrong_access=[],
        users_differ=False,
        certificates={"redis_server_certificate": "it ends on 2027-12-25"},
        running={"redis", "postgres"},
    )
    assert [str(step) for step in steps] == [
        "make secret redis_server_certificate: it ends on 2027-12-25",
        "load certificate into redis: it runs with the former certificate",
    ]


def test_nothing_to_prepare_is_no_step() -> None:
    assert (
        plan_preparation(
            files={},
            missing_secrets=[],
            wrong_access=[],
            users_differ=False,
            certificates={},
            running={"redis"},
        )
        == ()
    )
