"""CPU, memory and disk as the container sees them: cgroup v2 or v1 limits, else the host's.

Reads a few small files; starts nothing and never waits.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from src.agents.checks import Check, Status

CGROUP_ROOT = Path("/sys/fs/cgroup")
WARN_PERCENT = 90.0
# Below this not even an index can be rewritten.
LEAST_FREE_DISK_BYTES = 32 * 1024 * 1024
# cgroup v1 writes "no limit" as the largest page-aligned 63-bit number.
_UNLIMITED_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes in use without the page cache that can be dropped, and the bytes that there may be."""

    used: int
    limit: int

    @property
    def percent(self) -> float:
        """Used of the limit, 0 to 100."""
        return round(100 * self.used / self.limit, 1) if self.limit else 0.0


def read_memory(root: Path = CGROUP_ROOT) -> MemoryUse:
    """Memory of this cgroup against its limit, or of the process against the host where there is none."""
    for folder, usage, limit, cache in (
        (root, "memory.current", "memory.max", "inactive_file"),
        (root / "memory", "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"),
    ):
        used, most = _number(folder / usage), _number(folder / limit)
        if used is not None and most is not None and most < _UNLIMITED_BYTES:
            return MemoryUse(max(0, used - _statistic(folder / "memory.stat", cache)), most)
    return MemoryUse(psutil.Process().memory_info().rss, psutil.virtual_memory().total)


def read_cpu_limit(root: Path = CGROUP_ROOT) -> float:
    """Cores that this cgroup may use, such as 0.5 or 2.0; all of the host's where nothing limits it."""
    quota: float | None = None
    period: float | None = None
    version_2 = _words(root / "cpu.max")
    if len(version_2) == 2 and version_2[0] != "max":
        quota, period = float(version_2[0]), float(version_2[1])
    else:
        quota, period = (
            _number(root / "cpu" / "cpu.cfs_quota_us"),
            _number(root / "cpu" / "cpu.cfs_period_us"),
        )
    if quota and period and quota > 0:
        return quota / period
    return float(len(os.sched_getaffinity(0)))


class CpuMeter:
    """CPU of this process since the last reading, as percent of what it may use."""

    def __init__(self, root: Path = CGROUP_ROOT) -> None:
        self._limit = read_cpu_limit(root)
        self._process = psutil.Process()
        self._last_wall, self._last_cpu = time.monotonic(), self._cpu_seconds()
        self._last_percent = 0.0

    def read(self) -> float:
        """0 to 100. Readings less than a tenth of a second apart repeat the former one."""
        wall, cpu = time.monotonic(), self._cpu_seconds()
        if wall - self._last_wall >= 0.1:
            self._last_percent = 100 * (cpu - self._last_cpu) / (wall - self._last_wall) / self._limit
            self._last_wall, self._last_cpu = wall, cpu
        return round(min(100.0, self._last_percent), 1)

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def check_cpu(meter: CpuMeter) -> Check:
    """A busy processor is no fault: never worse than pass."""
    return Check("pass", "system", observed_value=meter.read(), observed_unit="percent")


def check_memory(memory: MemoryUse) -> Check:
    """Warns near the limit, where the kernel would end the container."""
    return _percent_check(memory.percent, f"{memory.used} of {memory.limit} bytes")


def check_disk(folder: Path) -> Check:
    """Warns when the volume is nearly full, fails when it is missing, read-only or full."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return Check("fail", "system", str(folder), output=f"{folder}: {error.strerror}")
    if not os.access(folder, os.W_OK):
        return Check("fail", "system", str(folder), output=f"{folder} can't be written to")
    check = _percent_check(round(100 * usage.used / usage.total, 1), f"{usage.free} bytes free", str(folder))
    if usage.free < LEAST_FREE_DISK_BYTES:
        return Check(
            "fail", "system", str(folder), check.observed_value, "percent", f"{usage.free} bytes free"
        )
    return check


def _percent_check(percent: float, words: str, component_id: str = "") -> Check:
    status: Status = "warn" if percent >= WARN_PERCENT else "pass"
    return Check(status, "system", component_id, percent, "percent", words if status == "warn" else "")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if len(words) == 1 and words[0].lstrip("-").isdigit() else None


def _statistic(path: Path, name: str) -> int:
    words = _words(path)
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    return int(pairs.get(name, 0))
