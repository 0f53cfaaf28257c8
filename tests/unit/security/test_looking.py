"""What scripts inside a container, Redis and PostgreSQL answer becomes facts, or an error, never a guess."""

from __future__ import annotations

import json

import pytest

from autobot_ops.isolation.canonical import CommandTable
from autobot_ops.security.facts import LoginRule, Mount, PostgresRole, SecretFile
from autobot_ops.security.inside import AS_ITSELF, AS_ROOT, IncompleteLook, parse_inside, parse_mount
from autobot_ops.security.postgres_logins import parse_logins
from autobot_ops.security.redis_users import UnclearAnswer, parse_users

AS_ITSELF_OUTPUT = """\
== status
Name:\ttini
Uid:\t10002\t10002\t10002\t10002
Gid:\t10002\t10002\t10002\t10002
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
== limits
Limit                     Soft Limit           Hard Limit           Units
Max core file size        0                    unlimited            bytes
Max open files            16384                16384                files
Max nice priority         0                    0
== mounts
1160 811 0:298 / / ro,relatime master:24 - overlay overlay rw,lowerdir=/var/lib/docker
1177 1160 0:309 / /tmp rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,size=65536k
== secrets
440 0 10999 /run/secrets/redis_ca
== found
setuid /usr/bin/with blank
setuid /home/own
closed /root
closed /var/lib/other
closed /tmp
== end
"""
AS_ROOT_OUTPUT = """\
== writable
/app
== found
setuid /usr/bin/with blank
program /usr/bin/curl
cache /var/cache/apt/x
closed /var/lib/own
closed /var/lib/other
closed /tmp
== end
"""
TABLE = CommandTable({"connection": frozenset({"ping", "auth"}), "dangerous": frozenset({"flushall"})})


def test_both_scripts_become_facts() -> None:
    inside = parse_inside(AS_ITSELF_OUTPUT, AS_ROOT_OUTPUT)
    assert inside.status["Uid"].split() == ["10002"] * 4
    assert inside.limits == {
        "Max core file size": ("0", "unlimited"),
        "Max open files": ("16384", "16384"),
        "Max nice priority": ("0", "0"),
    }
    assert [mount.path for mount in inside.mounts] == ["/", "/tmp"]
    assert inside.secret_files == (SecretFile("/run/secrets/redis_ca", 0o440, 0, 10999),)
    assert inside.writable == ("/app",)
    assert inside.setuid_files == ("/home/own", "/usr/bin/with blank")
    assert inside.programs == ("/usr/bin/curl",)
    assert inside.package_caches == ("/var/cache/apt/x",)


@pytest.mark.parametrize("cut", [0, 1])
def test_output_that_ends_early_is_refused(cut: int) -> None:
    outputs = [AS_ITSELF_OUTPUT, AS_ROOT_OUTPUT]
    outputs[cut] = outputs[cut].removesuffix("== end\n")
    with pytest.raises(IncompleteLook):
        parse_inside(*outputs)


def test_a_folder_is_closed_where_it_is_closed_to_both_users_and_no_mount_point() -> None:
    assert parse_inside(AS_ITSELF_OUTPUT, AS_ROOT_OUTPUT).closed_folders == ("/var/lib/other",)


def test_a_line_of_no_kind_is_refused() -> None:
    with pytest.raises(IncompleteLook):
        parse_inside(AS_ITSELF_OUTPUT.replace("setuid /home", "line break"), AS_ROOT_OUTPUT)


@pytest.mark.parametrize("section", ["status", "limits"])
def test_a_container_without_the_kernels_files_is_not_judged(section: str) -> None:
    before, _, after = AS_ITSELF_OUTPUT.partition(f"== {section}\n")
    emptied = f"{before}== {section}\n" + after[after.index("== ") :]
    with pytest.raises(IncompleteLook):
        parse_inside(emptied, AS_ROOT_OUTPUT)


def test_a_mount_has_its_own_options_and_the_file_systems() -> None:
    line = "1 2 0:3 / /with\\040blank ro,nosuid shared:7 master:1 - tmpfs tmpfs rw,size=1k"
    expected = Mount("/with blank", "tmpfs", frozenset({"ro", "nosuid", "rw", "size=1k"}), shared=True)
    assert parse_mount(line) == expected


@pytest.mark.parametrize("script", [AS_ITSELF, AS_ROOT])
def test_both_users_search_the_root_file_system_alone(script: str) -> None:
    assert script.count("find / -xdev") == 1


def test_postgres_answers_become_rules_and_roles() -> None:
    rule = {"kind": "local", "databases": ["all"], "users": ["a", "b"], "method": "peer", "error": None}
    broken = {"kind": None, "databases": None, "users": None, "method": None, "error": "invalid line"}
    powers = dict.fromkeys(("createdb", "createrole", "replication", "bypassrls"), False)
    role = {"name": "chat", "superuser": True, **powers, "scram": False, "schemas": ["rag"]}
    document = {"password_encryption": "md5", "rules": [rule, broken], "roles": [role]}
    logins = parse_logins(json.dumps(document))
    assert logins.rules == (
        LoginRule("local", "all", "a,b", "peer"),
        LoginRule("unreadable", "", "", "invalid line"),
    )
    assert logins.rules[0].text == "local all a,b peer"
    assert logins.roles == (PostgresRole("chat", ("superuser",), scram_password=False, reads=("rag",)),)


def test_redis_answers_become_what_each_user_may_run() -> None:
    lines = [
        "user default on nopass resetchannels -@all +ping",
        "user chat on #aa resetchannels -@all +ping",
        "user old off nopass -@all",
    ]
    answers = {
        "FLUSHALL": "OK",
        "KEYS *": "User chat has no permissions to run the 'keys' command",
        "SYNC": "Command 'SYNC' not found",
    }
    users = parse_users(lines, TABLE, {"chat": answers})
    assert users.names == {"default", "chat", "old"}
    assert users.passwordless == {"default"}
    assert users.default_rights == "on nopass +ping"
    assert users.dangerous == {"chat": ("FLUSHALL",)}


def test_an_answer_that_is_neither_is_refused() -> None:
    with pytest.raises(UnclearAnswer):
        parse_users(["user chat on #aa"], TABLE, {"chat": {"KEYS *": "wrong number of arguments"}})


def test_a_server_without_a_default_user_gives_it_nothing() -> None:
    assert parse_users(["user chat on #aa"], TABLE, {}).default_rights == "no user"
