"""JSON log lines: to stdout, and to a rotating file while the log folder can be written to."""

from __future__ import annotations

import contextvars
import json
import logging
import logging.handlers
import sys
from datetime import UTC, datetime
from pathlib import Path

FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 3

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)

# What every record has; anything else on a record was passed with `extra=` and becomes a field.
# (uvicorn's colour codes are for terminals.)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """One record as one line: time (UTC), level, agent, logger, message, then the extra fields."""

    def __init__(self, agent: str) -> None:
        super().__init__()
        self._agent = agent

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a newline at its end; values that JSON doesn't know become text."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "agent": self._agent,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (identifier := request_id.get()) is not None:
            line["request_id"] = identifier
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _FileThatMayFail(logging.handlers.RotatingFileHandler):
    """A full disk or a folder that became read-only costs one warning, never a request."""

    failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's signature
        if not self.failed:
            self.failed = True
            logging.getLogger(__name__).warning(
                "log lines go to stdout only: %s", sys.exc_info()[1], extra={"file": self.baseFilename}
            )


def configure_logs(agent: str, level: str = "INFO", log_dir: Path | None = None) -> None:
    """Replace the root logger's handlers; without a folder, lines go to stdout only.

    A folder that can't be written to is one warning.
    """
    formatter = JsonFormatter(agent)
    stdout = logging.StreamHandler(sys.stdout)
    stdout.setFormatter(formatter)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.addHandler(stdout)
    root.setLevel(level)
    logging.captureWarnings(True)
    # These tell every request or every file at INFO.
    for chatty in ("httpx", "httpcore", "urllib3", "selenium", "sentence_transformers", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    if log_dir is None:
        return
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        file = _FileThatMayFail(
            log_dir / f"{agent}.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"
        )
    except OSError as error:
        logging.getLogger(__name__).warning("log lines go to stdout only: %s", error)
        return
    file.setFormatter(formatter)
    root.addHandler(file)
