"""What is run inside a container to look at it, and how its output is read. Pure: text in, facts out.

The scripts change nothing. The one for root runs with the container's own lack of capabilities: root
may look into its own folders and no others, so both users search, and what one misses the other finds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from autobot_ops.security.facts import Inside, Mount, SecretFile

COMPILERS = (
    "cc", "c++", "cc1", "cc1plus", "gcc", "gcc-[0-9]*", "g++", "g++-[0-9]*", "*-linux-gnu-gcc*",
    "*-linux-gnu-g++*", "clang", "clang-[0-9]*", "clang++*", "tcc", "rustc", "cargo", "make", "cmake",
)  # fmt: skip
DOWNLOADERS = ("curl", "wget", "git")
INSTALLERS = ("pip", "pip[0-9]*", "uv", "uvx", "easy_install*", "conda", "npm")
CACHE_FOLDERS = ("/var/lib/apt/lists", "/var/cache/apt", "/root/.cache", "/home", "/run/apt", "/run/uv-cache")
NEEDED_FIELDS = (
    "Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
    "Max core file size", "Max open files",
)  # fmt: skip
KINDS = ("closed", "setuid", "program", "cache")
NOT_WRITABLE = ("/", "/app", "/etc", "/opt", "/usr", "/usr/bin", "/usr/local/bin", "/var")
"""Folders of the root file system that nobody may write to at run time."""


def _search() -> str:
    """One walk over the root file system, lines of a kind and a path.

    Root and the container's own user both walk: a folder that is closed to one is open to the other.
    """
    named = " -o ".join(f"-name '{name}'" for name in (*COMPILERS, *DOWNLOADERS, *INSTALLERS))
    return f"""
echo '== found'; find / -xdev \\
    \\( -type d \\( ! -readable -o ! -executable \\) -printf 'closed %p\\n' \\) , \\
    \\( -type f -perm /6000 -printf 'setuid %p\\n' \\) , \\
    \\( ! -type d ! -type p ! -type s -perm /111 \\( {named} \\) -printf 'program %p\\n' \\)
find {" ".join(CACHE_FOLDERS)} -type f -printf 'cache %p\\n'
echo '== end'
"""


# Where find can't ask such questions, silence would look like a clean answer.
_NEEDED = """
cd /
find / -maxdepth 0 -perm /777 -readable -executable \\( -writable -o -true \\) -printf 'can' , -false |
    grep -q can || exit
"""

AS_ITSELF = f"""{_NEEDED}
echo '== status'; cat /proc/1/status
echo '== limits'; cat /proc/1/limits
echo '== mounts'; cat /proc/self/mountinfo
echo '== secrets'; find -L /run/secrets -type f -exec stat -L -c '%a %u %g %n' {{}} +
{_search()}"""
"""For the container's own user."""

AS_ROOT = f"""{_NEEDED}
echo '== writable'; find {" ".join(NOT_WRITABLE)} -maxdepth 0 -writable
{_search()}"""


class IncompleteLook(ValueError):
    """A script's output ends before its end: what is missing isn't the same as what isn't there."""


def parse_inside(as_itself: str, as_root: str) -> Inside:
    """Facts from the output of both scripts. Raises IncompleteLook."""
    own, roots = _sections(as_itself), _sections(as_root)
    status = dict(_pair(line, ":") for line in own["status"])
    limits = dict(_limit(line) for line in own["limits"][1:])
    if missing := [name for name in NEEDED_FIELDS if name not in status | limits]:
        raise IncompleteLook(f"the kernel doesn't say {', '.join(missing)}")
    mounts = tuple(parse_mount(line) for line in own["mounts"])

    by_itself, by_root = _found(own["found"]), _found(roots["found"])

    def by_either(kind: str) -> tuple[str, ...]:
        return tuple(sorted(by_itself[kind] | by_root[kind]))

    # Mount points belong to other file systems, which the walk leaves out.
    closed = (by_itself["closed"] & by_root["closed"]) - {mount.path for mount in mounts}
    return Inside(
        status=status,
        limits=limits,
        mounts=mounts,
        secret_files=tuple(_secret_file(line) for line in own["secrets"]),
        writable=tuple(roots["writable"]),
        setuid_files=by_either("setuid"),
        programs=by_either("program"),
        package_caches=by_either("cache"),
        closed_folders=tuple(sorted(closed)),
    )


def parse_mount(line: str) -> Mount:
    """A line of mountinfo: proc(5) describes it."""
    before, _, after = line.partition(" - ")
    fields = before.split()
    filesystem, _source, file_system_options = after.split(maxsplit=2)
    options = frozenset((*fields[5].split(","), *file_system_options.split(",")))
    shared = any(tag.startswith("shared:") for tag in fields[6:])
    return Mount(_unescaped(fields[4]), filesystem, options, shared)


def _sections(output: str) -> Mapping[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in output.splitlines():
        if line.startswith("== "):
            current = sections.setdefault(line[3:], [])
        elif line.strip():
            current.append(line)
    if "end" not in sections:
        raise IncompleteLook(f"only saw {', '.join(sections) or 'nothing'}")
    return sections


def _found(lines: list[str]) -> Mapping[str, set[str]]:
    """Paths by kind."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for line in lines:
        kind, _, path = line.partition(" ")
        if kind not in found:
            raise IncompleteLook(f"the search printed {line!r}")
        found[kind].add(path)
    return found


def _pair(line: str, separator: str) -> tuple[str, str]:
    name, _, value = line.partition(separator)
    return name.strip(), value.strip()


def _limit(line: str) -> tuple[str, tuple[str, str]]:
    """`Max open files   16384   16384   files`: names have single blanks, columns are further apart."""
    name, soft, hard, *_unit = re.split(r"\s{2,}", line.strip())
    return name, (soft, hard)


def _secret_file(line: str) -> SecretFile:
    mode, user, group, path = line.split(maxsplit=3)
    return SecretFile(path, int(mode, 8), int(user), int(group))


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
