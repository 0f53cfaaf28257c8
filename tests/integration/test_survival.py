"""What the stack survives: a hog and a kill; then everything is stopped under load, taken down and started.

The last three happen once, and the tests look at what came of it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
from docker.models.containers import Container

from autobot_ops.adapters.redis_server import dialer
from tests.integration.conftest import Stack
from tests.integration.held_page import TITLE, held_page
from tests.integration.held_request import Answer, begin_request
from tests.integration.in_container import run_in
from tests.integration.redis_contents import Contents, lasting, read_contents
from tests.waiting import wait_until

pytestmark = [pytest.mark.disruptive, pytest.mark.usefixtures("own_stack")]

SECONDS = 60
HEALTHY_SECONDS = 120
CLEAN = {0, 143}
"""Exit codes of a container that was asked to end and did so by itself."""

OOM_KILLS = (
    "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null"
    " | awk '$1 == \"oom_kill\" {print $2}'"
)
HOG = "head --bytes={} /dev/zero | tail"
"""`tail` keeps a line that doesn't end: as much memory as that, as fast as it can be had."""

ORPHAN = "sleep 600 >/dev/null 2>&1 & echo $!"
STATE = "while read -r name value; do case $name in PPid:|State:) echo $value; esac; done </proc/{}/status"
KILL_MAIN_PROCESS = "kill -9 $(</proc/1/task/1/children)"


def run(container: Container, script: str) -> tuple[int, str]:
    """Run a script in a container as its own user: exit code and output."""
    exit_code, output = run_in(container, "bash", "-c", script)
    return exit_code, output.strip()


def health(container: Container) -> str:
    container.reload()
    return str(container.attrs["State"].get("Health", {}).get("Status"))


def started(stack: Stack) -> dict[str, str]:
    return {str(each.name): each.attrs["State"]["StartedAt"] for each in stack.containers()}


# ---- processes ----------------------------------------------------------------------------------


@pytest.mark.obligation(20)
def test_the_first_process_reaps_orphans(stack: Stack, service_name: str) -> None:
    container = stack.container(service_name)
    _, orphan = run(container, ORPHAN)
    _, found = run(container, STATE.format(orphan))
    assert found.splitlines()[-1] == "1", f"process {orphan} has another parent: {found}"
    assert run(container, f"kill -9 {orphan}")[0] == 0
    # One that nobody reaps stays, in the state Z, for as long as the container lives.
    wait_until(lambda: run(container, f"[ -e /proc/{orphan} ]")[0] == 1, f"{orphan} is reaped", SECONDS)


@pytest.mark.obligation(22)
def test_a_memory_hog_dies_alone(stack: Stack, service_name: str) -> None:
    container = stack.container(service_name)
    limit = container.attrs["HostConfig"]["Memory"]
    assert limit > 0
    before = started(stack)
    _, kills_before = run(container, OOM_KILLS)
    exit_code, output = run(container, HOG.format(limit * 2))
    assert exit_code == 137, output
    _, kills = run(container, OOM_KILLS)
    assert int(kills) > int(kills_before), "the kernel's record of the container says nothing"
    assert started(stack) == before
    wait_until(lambda: health(container) == "healthy", f"{service_name} is healthy again", HEALTHY_SECONDS)
    for name in stack.catalogs.agents:
        assert httpx.get(stack.url(name, "/readyz"), timeout=SECONDS).status_code == 200


@pytest.fixture(scope="module")
def restarts_before_the_kill(stack: Stack) -> dict[str, int]:
    """Kill the main process of every container at once: restarts by name, counted before."""
    before = {str(each.name): int(each.attrs["RestartCount"]) for each in stack.containers()}
    assert len(before) == 2 + len(stack.catalogs.agents)
    for container in stack.containers():
        run(container, KILL_MAIN_PROCESS)
    return before


@pytest.mark.obligation(21)
def test_a_killed_main_process_comes_back_healthy(
    stack: Stack, service_name: str, restarts_before_the_kill: dict[str, int]
) -> None:
    container = stack.container(service_name)
    restarts = restarts_before_the_kill[str(container.name)] + 1

    def is_back() -> bool:
        return health(container) == "healthy" and container.attrs["RestartCount"] >= restarts

    wait_until(is_back, f"{service_name} is healthy again", HEALTHY_SECONDS)
    # Agents met a Redis that was just starting, and waited for it instead of failing again.
    assert container.attrs["RestartCount"] == restarts


# ---- stop, down, up -----------------------------------------------------------------------------

# What each agent is doing when it is told to end; research fetches a page that is held back besides.
IN_FLIGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/chat/conversations", {"title": "Tides"}),
    "rag": ("/rag/documents", {"id": "survival", "text": "The moon pulls the oceans."}),
    "npu": ("/npu/index", {"files": {"survival.py": "def tide(moon):\n    return moon.pull()\n"}}),
    "knowledge": ("/knowledge/entries", {"title": "Tides", "content": "Oceans follow the moon."}),
}
NPU_FILES = "find /app/data -type f -printf '%p %s %T@\\n' | sort"


@dataclass(frozen=True)
class Stop:
    """How one container ended."""

    exit_code: int
    seconds: float
    grace_seconds: float


@dataclass
class Interruption:
    """What was seen while everything stopped, went and came back."""

    stops: dict[str, Stop] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    before: Contents = field(default_factory=dict)
    """All of Redis when the agents had ended."""
    after: Contents = field(default_factory=dict)
    """All of Redis when the agents had started again, and nobody had asked them anything."""
    model_before: str = ""
    containers_before: dict[str, str] = field(default_factory=dict)


def stop(container: Container) -> Stop:
    """`docker stop`: SIGTERM, and SIGKILL when the container's own grace period is over."""
    began = time.monotonic()
    container.stop()
    seconds = time.monotonic() - began
    container.reload()
    return Stop(container.attrs["State"]["ExitCode"], seconds, container.attrs["Config"]["StopTimeout"])


def takes_no_more(stack: Stack, agent: str) -> bool:
    """Whether an agent has stopped listening: it knows that it shall end."""
    try:
        httpx.get(stack.url(agent, "/livez"), timeout=SECONDS)
    except httpx.TransportError:
        return True
    return False


def fetch(stack: Stack, url: str) -> Answer:
    body = {"url": url, "fresh": True}
    answer = httpx.post(stack.url("research", "/research/fetch"), json=body, timeout=SECONDS)
    return Answer(answer.status_code, answer.json())


def stop_agents_in_the_middle_of_a_request(stack: Stack, seen: Interruption) -> None:
    """All agents at once, each with a request that is finished only when the agent takes no other one."""
    with held_page(stack) as page, ThreadPoolExecutor(max_workers=16) as pool:
        held = {agent: begin_request(stack, agent, *request) for agent, request in IN_FLIGHT.items()}
        fetched = pool.submit(fetch, stack, page.url)
        page.wait_until_asked()
        stops = {
            agent: pool.submit(stop, stack.container(f"{agent}-agent")) for agent in stack.catalogs.agents
        }
        for agent in stack.catalogs.agents:
            wait_until(partial(takes_no_more, stack, agent), f"{agent} listens no more", SECONDS)
        for agent, request in held.items():
            seen.answers[agent] = request.finish()
        page.release()
        seen.answers["research"] = fetched.result()
        seen.stops |= {f"{agent}-agent": stopped.result() for agent, stopped in stops.items()}


@pytest.fixture(scope="module")
def interruption(stack: Stack) -> Interruption:
    """Give every database a key, stop everything in the middle of requests, then `inv down` and `inv up`."""
    operator = dialer(stack.opened, "operator")
    for database in stack.catalogs.databases.values():
        with operator(database.number) as client:
            client.set(database.key_patterns[0].replace("*", "survival"), database.number)
            client.set(database.key_patterns[0].replace("*", "survival:expires"), "later", ex=86_400)
    seen = Interruption()
    seen.containers_before = {str(each.name): str(each.id) for each in stack.containers()}
    _, seen.model_before = run(stack.container("npu-agent"), NPU_FILES)
    stop_agents_in_the_middle_of_a_request(stack, seen)
    seen.before = lasting(read_contents(stack))
    for service in ("redis", "postgres"):
        seen.stops[service] = stop(stack.container(service))
    stack.inv("down")
    stack.inv("up")
    seen.after = read_contents(stack)
    return seen


@pytest.mark.obligation(19)
def test_stopping_a_container_ends_it_cleanly_within_its_grace_period(
    interruption: Interruption, service_name: str
) -> None:
    stopped = interruption.stops[service_name]
    assert stopped.exit_code in CLEAN
    assert stopped.seconds < stopped.grace_seconds


@pytest.mark.obligation(19)
def test_the_request_in_flight_is_finished_before_an_agent_ends(
    interruption: Interruption, agent_name: str
) -> None:
    answer = interruption.answers[agent_name]
    assert answer.status in {200, 201}, answer.document
    assert agent_name != "research" or answer.document["title"] == TITLE


@pytest.mark.obligation(23)
def test_every_key_survives_down_and_up(stack: Stack, interruption: Interruption, database_name: str) -> None:
    number = stack.catalogs.databases[database_name].number
    before, after = interruption.before[number], interruption.after.get(number, {})
    assert {expiring for expiring in before.values() if expiring.expires_at is not None}
    assert {key: after.get(key) for key in before} == before


@pytest.mark.obligation(23)
def test_what_agents_keep_survives_down_and_up(stack: Stack, interruption: Interruption) -> None:
    """What was acknowledged in the last moment: encrypted in Redis, in rag's volume, in PostgreSQL."""
    assert {str(each.id) for each in stack.containers()}.isdisjoint(interruption.containers_before.values())
    conversation = interruption.answers["chat"].document["id"]
    assert get(stack, "chat", f"/chat/conversations/{conversation}")["title"] == "Tides"
    found = httpx.post(
        stack.url("rag", "/rag/query"), json={"question": "What does the moon do?"}, timeout=SECONDS
    ).json()
    assert "survival" in {passage["document_id"] for passage in found["passages"]}
    assert "survival.py" in get(stack, "npu", "/npu/files")
    entry = interruption.answers["knowledge"].document["id"]
    assert get(stack, "knowledge", f"/knowledge/entries/{entry}")["content"] == "Oceans follow the moon."
    hits = get(stack, "knowledge", "/knowledge/search?q=oceans")["hits"]
    assert entry in {hit["id"] for hit in hits}


@pytest.mark.obligation(23)
def test_the_converted_model_survives_down_and_up(stack: Stack, interruption: Interruption) -> None:
    assert interruption.model_before
    assert run(stack.container("npu-agent"), NPU_FILES)[1] == interruption.model_before


def get(stack: Stack, agent: str, path: str) -> dict[str, Any]:
    answer = httpx.get(stack.url(agent, path), timeout=SECONDS)
    return dict(answer.raise_for_status().json())
