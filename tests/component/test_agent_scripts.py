"""The agents' shell side, run as it is: entrypoint, functions, health probe."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.component.redis_process import RedisProcess
from tests.conftest import ROOT
from tests.free_ports import free_port

SCRIPTS = ROOT / "docker/base/scripts"
SECRET = "a-secret-that-nobody-may-see"


class Answers(BaseHTTPRequestHandler):
    """Answers /readyz with what the server was told to say."""

    def do_GET(self) -> None:
        status, body = self.server.answer if self.path == "/readyz" else (404, "no")  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def agent() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [SCRIPTS / script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def log_lines(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def complete(tmp_path: Path, port: int) -> dict[str, str]:
    """An environment that lacks nothing."""
    (tmp_path / "password").write_text(SECRET)
    return {
        "AGENT_NAME": "chat",
        "AGENT_PORT": "8000",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(port),
        "REDIS_USERNAME": "chat",
        "REDIS_PASSWORD_FILE": str(tmp_path / "password"),
    }


def probe(server: ThreadingHTTPServer, status: int, body: str) -> subprocess.CompletedProcess[str]:
    server.answer = (status, body)  # type: ignore[attr-defined]
    return run("health-probe.sh", AGENT_PORT=str(server.server_address[1]))


def test_the_probe_passes_on_200_and_shows_the_answer(agent: ThreadingHTTPServer) -> None:
    done = probe(agent, 200, '{"status": "ready"}')
    assert (done.returncode, done.stdout) == (0, '{"status": "ready"}\n')


def test_the_probe_fails_on_503_and_shows_the_answer(agent: ThreadingHTTPServer) -> None:
    done = probe(agent, 503, '{"reasons": ["loading"]}')
    assert (done.returncode, done.stdout) == (1, '{"reasons": ["loading"]}\n')


def test_the_probe_says_when_nothing_listens() -> None:
    port = free_port()
    done = run("health-probe.sh", AGENT_PORT=str(port))
    assert (done.returncode, done.stdout) == (1, f"nothing listens on port {port} yet\n")


def test_the_entrypoint_names_every_missing_variable_at_once() -> None:
    done = run("agent-entrypoint.sh", "true", AGENT_NAME="chat", AGENT_PORT="8000")
    assert done.returncode == 2
    lines = log_lines(done.stderr)
    named = {line["message"] for line in lines}
    for name in ("REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD_FILE"):
        assert f"the variable {name} is missing" in named
    assert all(line["level"] == "ERROR" and line["agent"] == "chat" and line["hint"] for line in lines)


def test_an_agent_with_postgres_needs_its_variables_too(tmp_path: Path) -> None:
    done = run("common-functions.sh", "check_environment", **complete(tmp_path, 1), POSTGRES_HOST="postgres")
    assert done.returncode == 2
    assert "POSTGRES_PASSWORD_FILE" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_PORT", "many"),
        ("REDIS_PORT", "0"),
        ("AGENT_PORT", "65536"),
        ("DEPENDENCY_WAIT_SECONDS", "a minute"),
    ],
)
def test_a_number_that_is_none_is_named_before_anything_is_waited_for(
    tmp_path: Path, name: str, value: str
) -> None:
    done = run("agent-entrypoint.sh", "true", **complete(tmp_path, free_port()) | {name: value})
    assert done.returncode == 2
    (line,) = log_lines(done.stderr)
    assert line["message"].startswith(f"the variable {name} is wrong: '{value}' is no ")
    assert "inv up" in line["hint"]


@pytest.mark.parametrize("port", ["1", "08080", "65535"])
def test_a_port_is_a_number_up_to_65535(tmp_path: Path, port: str) -> None:
    done = run("common-functions.sh", "check_environment", **complete(tmp_path, 1) | {"AGENT_PORT": port})
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unreadable_secret_is_named(tmp_path: Path) -> None:
    environment = complete(tmp_path, 1) | {"REDIS_PASSWORD_FILE": str(tmp_path / "gone")}
    done = run("common-functions.sh", "check_environment", **environment)
    assert done.returncode == 2
    (line,) = log_lines(done.stderr)
    assert "gone can't be read by user" in line["message"]
    assert "inv config.init" in line["hint"]


def test_a_complete_environment_passes(tmp_path: Path) -> None:
    done = run("common-functions.sh", "check_environment", **complete(tmp_path, 1))
    assert (done.returncode, done.stderr) == (0, "")


def test_waiting_ends_when_the_dependency_answers(tmp_path: Path, redis_process: RedisProcess) -> None:
    environment = complete(tmp_path, redis_process.port)
    done = run("common-functions.sh", "wait_for_dependencies", **environment, DEPENDENCY_WAIT_SECONDS="5")
    assert (done.returncode, done.stderr) == (0, "")


def test_waiting_gives_up_within_its_budget_and_names_who_is_missing(tmp_path: Path) -> None:
    port = free_port()
    environment = complete(tmp_path, port)
    done = run("common-functions.sh", "wait_for_dependencies", **environment, DEPENDENCY_WAIT_SECONDS="1")
    assert done.returncode == 4
    (line,) = log_lines(done.stderr)
    assert line["message"] == f"redis does not answer at 127.0.0.1:{port} within 1 s"


def test_the_environment_is_shown_without_secrets(tmp_path: Path) -> None:
    environment = complete(tmp_path, 1) | {
        "API_TOKEN": SECRET,
        "DATABASE_URL": f"postgres://knowledge:{SECRET}@postgres/autobot",
        "PLAIN": "with = signs and spaces",
    }
    shown = run("common-functions.sh", "show_environment", **environment).stdout
    assert SECRET not in shown
    assert "API_TOKEN=***" in shown
    assert "postgres://knowledge:***@postgres/autobot" in shown
    assert f"REDIS_PASSWORD_FILE={tmp_path}/password" in shown
    assert "PLAIN=with = signs and spaces" in shown


def test_debug_container_shows_everything_even_when_nothing_works(tmp_path: Path) -> None:
    done = run("common-functions.sh", "debug_container", **complete(tmp_path, free_port()))
    assert done.returncode == 0
    for heading in ("== environment", "== system", "== dependencies", "== health"):
        assert heading in done.stdout
    assert "DOES NOT ANSWER" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_configuration_files_are_loaded_without_overruling_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "x.env").write_text("# note\nONE=1\nTWO=a=b c\n\nTHREE=3")
    script = f". {SCRIPTS}/common-functions.sh; load_configuration {tmp_path}/x.env; echo $ONE,$TWO,$THREE"
    done = subprocess.run(
        ["bash", "-c", script],
        env={"ONE": "own", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "own,a=b c,3\n"


def test_an_unknown_function_is_refused_with_the_known_ones() -> None:
    done = run("common-functions.sh", "rm", "-rf")
    assert done.returncode == 2
    assert "debug_container" in done.stderr


def test_a_log_line_is_json_whatever_it_says() -> None:
    text = 'a "quoted" \\ back\tslash\nand lines'
    script = f'. {SCRIPTS}/common-functions.sh; log WARNING "$1"'
    done = subprocess.run(["bash", "-c", script, "x", text], capture_output=True, text=True, check=True)
    (line,) = log_lines(done.stderr)
    assert line["message"] == text.replace("\t", " ")
