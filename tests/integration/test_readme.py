"""The README's debug commands, each executed as it stands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.integration.conftest import Stack


def debug_commands() -> list[str]:
    """The commands of the README's one bash block, without its comments."""
    (block,) = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [line for line in block.splitlines() if line and not line.startswith("#")]


def run(stack: Stack, command: str) -> str:
    """Run a command of the README on the stack under test: only the containers' prefix differs."""
    command = command.replace("autobot-", f"{stack.project}-")
    done = subprocess.run(  # noqa: S602 - a person types them into a shell
        command, shell=True, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_every_debug_command_succeeds_and_prints_something(stack: Stack) -> None:
    commands = debug_commands()
    assert len(commands) == 4
    for command in commands:
        assert run(stack, command).strip(), command


def test_redis_answers_a_ping_of_the_default_user(stack: Stack) -> None:
    (ping,) = [command for command in debug_commands() if "redis-cli ping" in command]
    assert run(stack, ping).strip() == "PONG"


def test_debug_container_prints_no_secret(stack: Stack) -> None:
    (debug,) = [command for command in debug_commands() if "debug_container" in command]
    output = run(stack, debug)
    assert "REDIS_HOST" in output
    secret = (stack.secrets_dir / "redis_chat_password").read_text().strip()
    assert len(secret) > 20
    assert secret not in output


def test_plain_compose_accepts_the_stack(stack: Stack, root: Path) -> None:
    subprocess.run(
        ["docker", "compose", "-f", "docker-compose.modular.yml", "config", "-q"], cwd=root, check=True
    )
