"""Limits of a container, as both versions of cgroups write them."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from src.agents.resources import CpuMeter, MemoryUse, check_disk, check_memory, read_cpu_limit, read_memory

GIB = 1024**3


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="ascii")
    return root


def test_version_2_gives_the_memory_without_droppable_cache(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "memory.current": f"{GIB}\n",
            "memory.max": f"{2 * GIB}\n",
            "memory.stat": f"anon 5\ninactive_file {GIB // 2}\nslab 1\n",
        },
    )
    assert read_memory(root) == MemoryUse(GIB // 2, 2 * GIB)


def test_version_1_gives_the_same_from_other_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "memory/memory.usage_in_bytes": f"{GIB}",
            "memory/memory.limit_in_bytes": f"{2 * GIB}",
            "memory/memory.stat": f"cache 9\ntotal_inactive_file {GIB // 4}",
        },
    )
    assert read_memory(tmp_path) == MemoryUse(GIB - GIB // 4, 2 * GIB)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"memory.current": "5", "memory.max": "max"},
        {
            "memory/memory.usage_in_bytes": "5",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
    ],
)
def test_without_a_limit_it_is_the_process_against_the_host(tmp_path: Path, files: dict[str, str]) -> None:
    memory = read_memory(write(tmp_path, files))
    assert memory.limit == psutil.virtual_memory().total
    assert 0 < memory.used < memory.limit


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_cores_are_the_quota_or_those_of_the_host(
    tmp_path: Path, files: dict[str, str], cores: float | None
) -> None:
    assert read_cpu_limit(write(tmp_path, files)) == (cores or len(os.sched_getaffinity(0)))


def test_memory_near_its_limit_is_a_warning_in_words() -> None:
    assert check_memory(MemoryUse(89, 100)).status == "pass"
    warning = check_memory(MemoryUse(90, 100))
    assert (warning.status, warning.output) == ("warn", "90 of 100 bytes")


def test_a_busy_processor_stays_within_a_hundred_percent(tmp_path: Path) -> None:
    meter = CpuMeter(write(tmp_path, {"cpu.max": "1000 100000"}))
    sum(range(3_000_000))
    assert 0 <= meter.read() <= 100


def test_a_missing_data_folder_fails(tmp_path: Path) -> None:
    check = check_disk(tmp_path / "absent")
    assert (check.status, check.observed_value) == ("fail", None)
    assert str(tmp_path / "absent") in check.output


def test_a_data_folder_with_room_passes(tmp_path: Path) -> None:
    assert check_disk(tmp_path).status in ("pass", "warn")
