"""A log record is one line of JSON, whatever happened."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.agents.logs import JsonFormatter, configure_logs, request_id


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        if handler not in handlers:
            with contextlib.suppress(OSError):
                handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_line_has_time_level_agent_message_and_extra_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "msg": "took %d", "args": (3,), "seconds": 3}
    )
    line = json.loads(JsonFormatter("chat").format(record))
    assert line["message"] == "took 3"
    assert (line["level"], line["agent"], line["logger"], line["seconds"]) == ("INFO", "chat", "x", 3)
    assert line["time"].endswith("+00:00")


def test_the_identifier_of_the_request_is_in_the_line() -> None:
    token = request_id.set("abc")
    try:
        assert json.loads(JsonFormatter("chat").format(logging.makeLogRecord({})))["request_id"] == "abc"
    finally:
        request_id.reset(token)


def test_a_traceback_and_odd_values_stay_within_one_line() -> None:
    error = ValueError("first\nsecond")
    fields = {"msg": "a\nb", "exc_info": (ValueError, error, None), "path": Path("/x")}
    record = logging.makeLogRecord(fields)
    text = JsonFormatter("chat").format(record)
    assert "\n" not in text
    assert json.loads(text)["path"] == "/x"
    assert "first" in json.loads(text)["exception"]


def test_lines_go_to_stdout_and_to_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("chat", "INFO", tmp_path / "logs")
    logging.getLogger("any").info("hello")
    for text in (capsys.readouterr().out, (tmp_path / "logs" / "chat.log").read_text(encoding="utf-8")):
        assert json.loads(text)["message"] == "hello"


def test_a_log_folder_that_cannot_be_written_costs_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("not a folder", encoding="utf-8")
    configure_logs("chat", "INFO", tmp_path / "logs")
    logging.getLogger("any").info("still here")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in lines] == ["WARNING", "INFO"]


def test_a_disk_that_fills_up_later_costs_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # /dev/full answers every write with "no space left on device".
    (tmp_path / "chat.log").symlink_to("/dev/full")
    configure_logs("chat", "INFO", tmp_path)
    for number in range(3):
        logging.getLogger("any").info("line %d", number)
    output = capsys.readouterr()
    lines = [json.loads(line) for line in output.out.splitlines()]
    assert [line["level"] for line in lines].count("WARNING") == 1
    assert [line["message"] for line in lines if line["level"] == "INFO"] == ["line 0", "line 1", "line 2"]
    assert output.err == ""
