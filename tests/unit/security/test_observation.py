"""Looking at containers through the engine: what can't be seen is said, and nothing is taken for clean."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError

from autobot_ops.adapters import container_view
from autobot_ops.adapters.container_view import NotExecutable, image_document, run_script, view
from autobot_ops.adapters.engine import DaemonUnreachable
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation.secrets import SecretUnreadable
from autobot_ops.security.facts import Inside, Unseen
from autobot_ops.settings import load_settings
from autobot_ops.stack import security_observation
from autobot_ops.stack.security import StackNotRunning, check_security
from autobot_ops.stack.security_observation import observe_container, observe_security
from autobot_ops.stack.stack import Stack, open_stack
from tests.unit.security.samples import inspected
from tests.unit.security.test_looking import AS_ITSELF_OUTPUT, AS_ROOT_OUTPUT


class Engine:
    """An engine with these containers, as far as the adapters ask; `exit_code` is of what is run inside."""

    def __init__(self, *documents: dict[str, Any], exit_code: int = 0) -> None:
        self.documents = {document["Id"]: document for document in documents}
        self.exit_code = exit_code
        self.failure: Exception | None = None
        self.users: list[str] = []
        self.api = self
        image = SimpleNamespace(attrs={"Id": "image", "Config": {}}, history=lambda: [{"CreatedBy": "RUN x"}])
        self.images = SimpleNamespace(get=lambda _: image)

    def info(self) -> dict[str, Any]:
        return {"SecurityOptions": []}

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Id": name} for name in self.documents]

    def inspect_container(self, name: str) -> dict[str, Any]:
        return self.documents[name]

    def inspect_network(self, name: str) -> dict[str, Any]:
        return {"Id": name, "Internal": True}

    def exec_create(self, _: str, command: list[str], *, user: str, stderr: bool) -> dict[str, str]:
        if self.failure is not None:
            raise self.failure
        assert command[:2] == ["sh", "-c"]
        assert not stderr
        self.users.append(user)
        return {"Id": user}

    def exec_start(self, user: str) -> bytes:
        return (AS_ROOT_OUTPUT if user else AS_ITSELF_OUTPUT).encode()

    def exec_inspect(self, _: str) -> dict[str, int]:
        return {"ExitCode": self.exit_code}


def document(service: str, name: str = "", status: str = "running") -> dict[str, Any]:
    made = inspected(service, user="10002:10002")
    made |= {
        "Id": name or service,
        "Image": "image",
        "Name": f"/{name or service}",
        "State": {"Status": status},
    }
    made["NetworkSettings"]["Networks"] = {"data": {"NetworkID": "n1"}, "leaving": {"NetworkID": ""}}
    return made


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis and PostgreSQL can't be asked."""

    def refuse(*_: Any) -> Any:
        raise ServiceUnreachable("it is away")

    monkeypatch.setattr(security_observation, "dialer", refuse)
    monkeypatch.setattr(security_observation, "run_sql", refuse)


def stack_on(engine: Engine, root: Path) -> Stack:
    stack = open_stack(root, load_settings(root, {"AUTOBOT_STATE_DIR": "/nonexistent"}))
    vars(stack)["client"] = engine
    return stack


def test_a_container_is_looked_into_as_itself_and_as_root(root: Path) -> None:
    engine = Engine(document("redis"))
    seen = observe_container(stack_on(engine, root), engine.documents["redis"])
    assert engine.users == ["", "0:0"]
    assert isinstance(seen.inside, Inside)
    assert seen.role.stores_data
    assert seen.history == ({"CreatedBy": "RUN x"},)
    assert seen.networks == {"data": {"Id": "n1", "Internal": True}}


def test_a_container_that_does_not_run_is_not_looked_into(root: Path) -> None:
    engine = Engine()
    seen = observe_container(stack_on(engine, root), document("redis", status="paused"))
    assert seen.inside == Unseen("it is paused")
    assert engine.users == []


def test_a_container_without_a_shell_or_just_gone_is_unseen(root: Path) -> None:
    engine = Engine(exit_code=127)
    assert observe_container(stack_on(engine, root), document("x")).inside == Unseen(
        "it can't be looked into: it has no shell"
    )
    engine.failure = APIError("gone", explanation="no such container")
    assert observe_container(stack_on(engine, root), document("x")).inside == Unseen(
        "it can't be looked into: no such container"
    )


def test_an_output_that_ends_early_is_unseen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_observation, "run_script", lambda *_, **__: "== status")
    assert isinstance(observe_container(stack_on(Engine(), root), document("x")).inside, Unseen)


@pytest.mark.usefixtures("away")
def test_every_container_is_seen_in_the_order_of_the_services(root: Path) -> None:
    engine = Engine(
        document("grafana"), document("chat-agent"), document("redis"), document("redis", "redis-2")
    )
    facts = observe_security(stack_on(engine, root))
    assert list(facts.containers) == ["redis", "chat-agent", "grafana", "redis-2"]
    assert (facts.redis, facts.postgres) == (Unseen("it is away"), Unseen("it is away"))
    assert facts.secrets == {}


@pytest.mark.usefixtures("away")
def test_secrets_are_known_by_their_longest_line(project: Path, root: Path) -> None:
    shutil.copy(root / "pyproject.toml", project)
    stack = open_stack(project, load_settings(project, {}))
    vars(stack)["client"] = Engine()
    folder = stack.settings.secrets_dir
    folder.mkdir(parents=True)
    (folder / "key").write_text("-----BEGIN\nthe-long-line-of-a-key\nshort\n")
    (folder / "tiny").write_text("abc")
    assert observe_security(stack).secrets == {"key": "the-long-line-of-a-key"}
    (folder / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretUnreadable):
        observe_security(stack)


@pytest.mark.usefixtures("away")
def test_services_without_a_container_are_missing(root: Path) -> None:
    found = check_security(stack_on(Engine(document("redis")), root))
    assert "postgres" in found.missing
    assert "redis" not in found.missing
    assert "postgres has no container" in found.failures


@pytest.mark.parametrize("documents", [(), (document("redis", status="exited"),)])
def test_a_stack_that_does_not_run_is_an_error(root: Path, documents: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(StackNotRunning, match="no container of autobot runs"):
        check_security(stack_on(Engine(*documents), root))


def test_an_engine_that_stops_answering_is_no_answer() -> None:
    engine = Engine()
    engine.failure = requests.exceptions.ConnectionError("away")
    with pytest.raises(DaemonUnreachable):
        run_script(engine, "x", "true")  # type: ignore[arg-type]
    engine.failure = APIError("no", explanation="not running")
    with pytest.raises(NotExecutable):
        run_script(engine, "x", "true")  # type: ignore[arg-type]


def test_documents_of_an_image_and_of_a_container_without_networks() -> None:
    engine = Engine()
    assert image_document(engine, "x")["Id"] == "image"  # type: ignore[arg-type]
    assert view(engine, {"Image": "image"}).networks == {}  # type: ignore[arg-type]
    assert container_view.engine_document(engine) == {"SecurityOptions": []}  # type: ignore[arg-type]
