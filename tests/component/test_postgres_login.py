"""Logging in to PostgreSQL while its password changes: whichever side is ahead, new connections succeed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from src.agents import postgres_login
from src.agents.postgres_login import PostgresLogin
from src.agents.settings import PostgresSettings
from tests.component.postgres_process import PostgresProcess


@pytest.fixture
def password_file(tmp_path: Path, postgres_process: PostgresProcess) -> Path:
    """The agent's secret, in step with the server."""
    path = tmp_path / "postgres_password"
    path.write_text("old", encoding="utf-8")
    postgres_process.set_password("old")
    return path


@pytest.fixture
def login(postgres_process: PostgresProcess, password_file: Path) -> PostgresLogin:
    return PostgresLogin(
        PostgresSettings(host="127.0.0.1", port=postgres_process.port, password_file=password_file)
    )


def who_is_in(login: PostgresLogin) -> str:
    with login.connect() as connection:
        (user,) = connection.execute("SELECT current_user").fetchone() or ("",)
        return str(user)


def who_is_in_async(login: PostgresLogin) -> str:
    async def ask() -> str:
        async with await login.connect_async() as connection:
            (user,) = await (await connection.execute("SELECT current_user")).fetchone() or ("",)
            return str(user)

    return asyncio.run(ask())


KINDS = pytest.mark.parametrize("connect", [who_is_in, who_is_in_async])


@KINDS
def test_gets_in_while_the_server_still_has_the_old_password(
    login: PostgresLogin, password_file: Path, connect: Callable[[PostgresLogin], str]
) -> None:
    assert connect(login) == "knowledge"
    password_file.write_text("new", encoding="utf-8")
    assert connect(login) == "knowledge"


@KINDS
def test_gets_in_when_the_server_follows(
    login: PostgresLogin,
    password_file: Path,
    postgres_process: PostgresProcess,
    connect: Callable[[PostgresLogin], str],
) -> None:
    assert connect(login) == "knowledge"
    password_file.write_text("new", encoding="utf-8")
    postgres_process.set_password("new")
    assert connect(login) == "knowledge"


def test_waits_for_a_server_that_is_about_to_follow(
    login: PostgresLogin, password_file: Path, postgres_process: PostgresProcess
) -> None:
    password_file.write_text("new", encoding="utf-8")
    follows = threading.Timer(0.5, postgres_process.set_password, ["new"])
    follows.start()
    assert who_is_in(login) == "knowledge"
    follows.join()


def test_a_wrong_password_is_refused_in_the_end(
    login: PostgresLogin, password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_login, "RETRY_SECONDS", 0.5)
    password_file.write_text("wrong", encoding="utf-8")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login.connect()


def test_another_failure_is_not_waited_out(login: PostgresLogin, postgres_process: PostgresProcess) -> None:
    postgres_process.stop()
    began = time.monotonic()
    try:
        with pytest.raises(psycopg.OperationalError):
            login.connect()
        assert time.monotonic() - began < postgres_login.RETRY_SECONDS
    finally:
        postgres_process.start()


def test_a_server_without_tls_is_refused_where_an_authority_is_given(
    postgres_process: PostgresProcess, password_file: Path
) -> None:
    settings = PostgresSettings(
        host="127.0.0.1", port=postgres_process.port, password_file=password_file, ca_file=password_file
    )
    with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
        PostgresLogin(settings).connect()
