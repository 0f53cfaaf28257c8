"""docs/redis-runtime.md says what the runtime really reads, allows and raises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from src.errors import RuntimeFault
from src.utils import (
    batched_writer,
    cached_reader,
    encrypted_commands,
    envelope,
    key_ring,
    read_cache,
    redis_tuning,
    value_sealer,
)

VARIABLE = re.compile(r'"((?:REDIS|DATA_KEYS)_[A-Z_]*[A-Z])"')


@pytest.fixture(scope="module")
def text() -> str:
    root = Path(__file__).resolve().parents[2]
    return (root / "docs/redis-runtime.md").read_text()


def test_every_variable_that_the_runtime_reads_is_documented(root: Path, text: str) -> None:
    read = {name for path in (root / "src/utils").glob("*.py") for name in VARIABLE.findall(path.read_text())}
    assert {"REDIS_HOST", "DATA_KEYS_FILE", "REDIS_CLUSTER"} <= read
    assert sorted(name for name in read if f"`{name}`" not in text) == []


def test_every_documented_variable_is_read(root: Path, text: str) -> None:
    sources = "".join(path.read_text() for path in (root / "src/utils").glob("*.py"))
    documented = set(re.findall(r"`((?:REDIS|DATA_KEYS)_[A-Z_]*[A-Z])`", text))
    prefixes = ("REDIS_SENTINEL_", "REDIS_")  # of the three that credentials_from composes
    composed = {
        f"{prefix}{name}" for prefix in prefixes for name in ("USERNAME", "PASSWORD", "PASSWORD_FILE")
    }
    assert sorted(name for name in documented - composed if name not in sources) == []


def test_every_fault_of_a_stored_value_is_documented(text: str) -> None:
    faults = [
        each.__name__
        for module in (key_ring, envelope, value_sealer, encrypted_commands)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, RuntimeFault) and each.__module__ == module.__name__
    ]
    undocumented = {name for name in faults if f"`{name}`" not in text}
    assert undocumented <= {"EncryptionFault", "KeyRingMissing", "KeyRingInvalid"}


def test_the_figures_that_are_named_are_those_of_the_code(text: str) -> None:
    for figure in (
        f"Entries live {read_cache.MAX_AGE_SECONDS:g} s",
        f"{read_cache.MAX_ENTRIES:,} entries and {read_cache.MAX_BYTES >> 20} MiB",
        f"After {cached_reader.PROOF_SECONDS:g} s of silence",
        f"within {redis_tuning.WRITE_HEAVY_DELAY * 1000:g} ms",
        f"{batched_writer.CAPACITY:,} commands and {batched_writer.CAPACITY_BYTES >> 20} MiB",
    ):
        assert figure in text.replace("\n", " "), figure


def test_the_table_of_patterns_is_that_of_the_code(text: str) -> None:
    for pattern in ("frequent", "read-heavy", "write-heavy", "long-term"):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{pattern}`"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        tuning = redis_tuning.tuning_for([pattern])
        assert float(cells[1]) == tuning.reply_timeout
        assert f"after {tuning.health_check_interval} s" in cells[2]
        assert (cells[3] == "cached") == tuning.read_cache
        assert ("offers wait" in cells[4]) == bool(tuning.batch_delay)
