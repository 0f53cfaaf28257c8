"""Every check answers yes for what is right, and no, with what is wrong, for everything that isn't."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from autobot_ops.security.answers import Verdict
from autobot_ops.security.catalogue import CHECKS
from autobot_ops.security.facts import (
    Audit,
    LoginRule,
    Mount,
    PostgresRole,
    SecretFile,
    StackFacts,
    Unseen,
)
from autobot_ops.security.judgement import judge
from tests.unit.security.samples import (
    INSIDE,
    NOTHING,
    POSTGRES,
    REDIS,
    good_stack,
    with_container,
    with_document,
    with_image,
    with_inside,
)

Spoil = Callable[[StackFacts], StackFacts]


def document(path: str, value: Any, service: str = "chat-agent") -> Spoil:
    return lambda facts: with_document(facts, service, path, value)


def image(path: str, value: Any, service: str = "chat-agent") -> Spoil:
    return lambda facts: with_image(facts, service, path, value)


def inside(service: str = "chat-agent", **changes: Any) -> Spoil:
    return lambda facts: with_inside(facts, service, **changes)


def status(**fields: str) -> Spoil:
    return inside(status={**INSIDE.status, **fields})


def mounted(path: str, *options: str, shared: bool = False) -> Spoil:
    return inside(mounts=(*INSIDE.mounts, Mount(path, "tmpfs", frozenset(options), shared)))


def bind(source: str, target: str = "/x", propagation: str = "rprivate") -> Spoil:
    each = {"Type": "bind", "Source": source, "Destination": target, "Propagation": propagation}
    return document("Mounts", [each])


def network(service: str, name: str, **attributes: Any) -> Spoil:
    def spoil(facts: StackFacts) -> StackFacts:
        networks = {**facts.containers[service].networks, name: attributes}
        return with_container(facts, service, networks=networks)

    return spoil


def only_network(service: str, name: str, **attributes: Any) -> Spoil:
    return lambda facts: with_container(facts, service, networks={name: attributes})


def published(address: str, port: str, service: str = "chat-agent") -> Spoil:
    return document("HostConfig.PortBindings", {"8000/tcp": [{"HostIp": address, "HostPort": port}]}, service)


def redis(**changes: Any) -> Spoil:
    return lambda facts: dataclasses.replace(facts, redis=dataclasses.replace(REDIS, **changes))


def postgres(**changes: Any) -> Spoil:
    return lambda facts: dataclasses.replace(facts, postgres=dataclasses.replace(POSTGRES, **changes))


def rules(*more: LoginRule) -> Spoil:
    return postgres(rules=(*POSTGRES.rules, *more))


def role(name: str, *powers: str, scram: bool = True, reads: tuple[str, ...] = ()) -> Spoil:
    others = (each for each in POSTGRES.roles if each.name != name)
    return postgres(roles=(*others, PostgresRole(name, powers, scram, reads)))


def variable(text: str) -> Spoil:
    return document("Config.Env", ["REDIS_USERNAME=chat", text])


def history(step: str) -> Spoil:
    return lambda facts: with_container(facts, "chat-agent", history=({"CreatedBy": step},))


def audited(*fixable: str) -> Spoil:
    def spoil(facts: StackFacts) -> StackFacts:
        name = facts.containers["chat-agent"].inspect["Config"]["Image"]
        return dataclasses.replace(facts, audits={**facts.audits, name: Audit("2026-11-28", fixable, ())})

    return spoil


EVERYWHERE = "0.0.0.0"  # noqa: S104 - only written into documents

SPOILT: tuple[tuple[str, str, Spoil, str], ...] = (
    ("S01", "chat-agent", document("HostConfig.Privileged", True), "it is privileged"),
    ("S02", "chat-agent", document("HostConfig.CapDrop", ["NET_RAW"]), "not every capability is dropped"),
    ("S02", "chat-agent", document("HostConfig.CapDrop", None), "not every capability is dropped"),
    ("S02", "chat-agent", document("HostConfig.CapAdd", ["NET_ADMIN"]), "NET_ADMIN is added"),
    ("S02", "chat-agent", status(CapEff="0000000000001000"), "CapEff is 0000000000001000"),
    ("S02", "chat-agent", status(CapBnd="00000000a80425fb"), "CapBnd is 00000000a80425fb"),
    ("S03", "chat-agent", document("HostConfig.SecurityOpt", None), "no-new-privileges isn't asked for"),
    ("S03", "chat-agent", document("HostConfig.SecurityOpt", ["no-new-privileges:false"]), "isn't asked for"),
    ("S03", "chat-agent", status(NoNewPrivs="0"), "the kernel says that its processes may gain rights"),
    ("S04", "chat-agent", document("HostConfig.SecurityOpt", ["seccomp=unconfined"]), "seccomp=unconfined"),
    ("S04", "chat-agent", document("HostConfig.SecurityOpt", ["seccomp:unconfined"]), "seccomp:unconfined"),
    ("S04", "chat-agent", status(Seccomp="0"), "no filter of system calls"),
    ("S05", "chat-agent", document("HostConfig.SecurityOpt", ["apparmor=unconfined"]), "apparmor=unconfined"),
    ("S06", "chat-agent", document("Config.User", ""), "the container says user ''"),
    ("S06", "chat-agent", document("Config.User", "autobot"), "the container says user 'autobot'"),
    ("S06", "chat-agent", document("Config.User", "10001:0"), "the container says user '10001:0'"),
    ("S06", "chat-agent", image("Config.User", "1000"), "the image says user '1000'"),
    ("S06", "chat-agent", status(Uid="10001 0 10001 10001"), "its process runs as user 0"),
    ("S06", "chat-agent", status(Gid="10001 10001 5 10001"), "its process runs as group 5"),
    ("S07", "chat-agent", document("HostConfig.ReadonlyRootfs", False), "a read-only root isn't asked for"),
    ("S07", "chat-agent", inside(mounts=INSIDE.mounts[1:]), "the kernel has its root mounted for writing"),
    ("S07", "chat-agent", inside(writable=("/app",)), "/app can be written"),
    ("S08", "chat-agent", mounted("/x", "rw", "nosuid", "size=1k"), "/x is mounted without noexec"),
    ("S08", "chat-agent", mounted("/dev/x", "rw", "noexec", "size=1k"), "/dev/x is mounted without nosuid"),
    ("S08", "chat-agent", mounted("/x", *NOTHING), "/x is mounted without a size"),
    ("S09", "chat-agent", document("HostConfig.Memory", 0), "no memory limit"),
    ("S09", "chat-agent", document("HostConfig.MemorySwap", -1), "swap without a limit"),
    ("S09", "chat-agent", document("HostConfig.OomKillDisable", True), "nothing ends it at its memory limit"),
    ("S10", "chat-agent", document("HostConfig.NanoCpus", 0), "no CPU limit"),
    ("S11", "chat-agent", document("HostConfig.PidsLimit", None), "no limit of processes"),
    ("S11", "chat-agent", document("HostConfig.PidsLimit", -1), "no limit of processes"),
    ("S12", "chat-agent", document("HostConfig.RestartPolicy", {"Name": "no"}), "restart policy is 'no'"),
    ("S12", "chat-agent", document("HostConfig.RestartPolicy", {"Name": ""}), "restart policy is 'no'"),
    ("S13", "chat-agent", document("HostConfig.NetworkMode", "host"), "its network namespace is 'host'"),
    ("S13", "chat-agent", document("HostConfig.PidMode", "host"), "its process namespace is 'host'"),
    ("S13", "chat-agent", document("HostConfig.IpcMode", "host"), "its ipc namespace is 'host'"),
    ("S13", "chat-agent", document("HostConfig.UTSMode", "host"), "its host name namespace is 'host'"),
    ("S13", "chat-agent", document("HostConfig.UsernsMode", "host"), "its user namespace is 'host'"),
    ("S13", "chat-agent", document("HostConfig.PidMode", "container:x"), "namespace is 'container:x'"),
    ("S14", "chat-agent", document("HostConfig.Devices", [{"PathOnHost": "/dev/kvm"}]), "device /dev/kvm"),
    ("S14", "chat-agent", document("HostConfig.DeviceRequests", [{"Driver": "nvidia"}]), "'nvidia'"),
    ("S14", "chat-agent", document("HostConfig.DeviceCgroupRules", ["c 1:3 r"]), "'c 1:3 r'"),
    ("S14", "chat-agent", bind("/proc"), "/proc of the host is mounted on /x"),
    ("S14", "chat-agent", bind("/sys/fs/cgroup"), "/sys/fs/cgroup of the host is mounted on /x"),
    ("S14", "chat-agent", bind("/dev"), "/dev of the host is mounted on /x"),
    ("S14", "chat-agent", bind("/etc/passwd"), "/etc/passwd of the host is mounted on /x"),
    ("S14", "chat-agent", bind("/"), "/ of the host is mounted on /x"),
    ("S15", "chat-agent", bind("/var/run/docker.sock"), "/var/run/docker.sock of the host"),
    ("S15", "chat-agent", bind("/srv/engine", "/run/docker.sock"), "/srv/engine of the host"),
    ("S15", "chat-agent", bind("/run"), "/run of the host"),
    ("S15", "chat-agent", variable("DOCKER_HOST=tcp://10.0.0.1:2375"), "the variable DOCKER_HOST"),
    ("S16", "chat-agent", bind("/srv", propagation="rshared"), "/x is mounted as rshared"),
    ("S16", "chat-agent", mounted("/srv", *NOTHING, shared=True), "the kernel shares mounts below /srv"),
    ("S17", "chat-agent", network("chat-agent", "bridge", Internal=False), "the network 'bridge'"),
    (
        "S17",
        "redis",
        network("redis", "b0", Options={"com.docker.network.bridge.default_bridge": "true"}),
        "the network 'b0'",
    ),
    ("S18", "chat-agent", published(EVERYWHERE, "8001"), "port 8001 is published on 0.0.0.0"),
    ("S18", "chat-agent", published("", "8001"), "port 8001 is published on 0.0.0.0"),
    ("S18", "chat-agent", published("::", "8001"), "port 8001 is published on ::"),
    ("S18", "chat-agent", published("192.0.2.1", ""), "is published on 192.0.2.1"),
    ("S18", "redis", document("HostConfig.PublishAllPorts", True, "redis"), "every exposed port"),
    (
        "S18",
        "chat-agent",
        document("NetworkSettings.Ports", {"8000/tcp": [{"HostIp": EVERYWHERE, "HostPort": "8001"}]}),
        "port 8001 is published on 0.0.0.0",
    ),
    ("S19", "chat-agent", published("127.0.0.1", "80"), "port 80 is published"),
    ("S20", "redis", published(EVERYWHERE, "6379", "redis"), "port 6379 is published on 0.0.0.0"),
    ("S21", "chat-agent", network("chat-agent", "out", Internal=False, Options={}), "'out' leads out"),
    ("S21", "postgres", network("postgres", "out", Internal=False, Options={}), "'out' leads out"),
    (
        "S21",
        "redis",
        network("redis", "e", Options={"com.docker.network.bridge.enable_ip_masquerade": "false"}),
        "'e' of a data service is not internal",
    ),
    ("S21", "research-agent", only_network("research-agent", "x", Internal=False), "no internal network"),
    ("S21", "research-agent", document("HostConfig.NetworkMode", "host", "research-agent"), "host's network"),
    ("S22", "chat-agent", variable("X=the-secret-of-chat"), "redis_chat_password stands in the container's"),
    ("S22", "chat-agent", image("Config.Labels", {"a": "the-secret-of-chat"}), "stands in the image's doc"),
    ("S22", "chat-agent", history("RUN echo the-secret-of-chat"), "stands in the image's history"),
    ("S22", "chat-agent", variable("DB_PASSWORD=letmein"), "the variable DB_PASSWORD of the container"),
    ("S22", "chat-agent", variable("API_KEY=k"), "the variable API_KEY of the container"),
    ("S22", "chat-agent", image("Config.Env", ["HF_TOKEN=hf"]), "the variable HF_TOKEN of the image"),
    ("S22", "chat-agent", document("Config.Labels", {"app.token": "t"}), "the label app.token"),
    ("S22", "chat-agent", history("|1 PIP_PASSWORD=abc /bin/sh"), "PIP_PASSWORD in the image's history"),
    ("S22", "chat-agent", history("RUN pip -i https://me:pw@index/"), "in the image's history"),
    ("S22", "chat-agent", variable("X=-----BEGIN RSA PRIVATE KEY-----"), "in the container's documents"),
    ("S23", "chat-agent", inside(secret_files=(SecretFile("/run/secrets/x", 0o444, 0, 0),)), "mode 0444"),
    ("S23", "chat-agent", inside(secret_files=(SecretFile("/run/secrets/x", 0o640, 0, 0),)), "mode 0640"),
    ("S24", "chat-agent", document("Config.Healthcheck", None), "no health check"),
    ("S24", "chat-agent", document("Config.Healthcheck", {"Test": ["NONE"]}), "no health check"),
    ("S24", "chat-agent", document("State.Health.Status", "unhealthy"), "it is unhealthy"),
    ("S24", "chat-agent", document("State.Health", None), "it is none"),
    ("S24", "chat-agent", document("State.Status", "exited"), "it is exited"),
    ("S25", "chat-agent", document("Config.Image", "autobot/chat-agent:latest"), "no content tag"),
    ("S25", "chat-agent", document("Config.Image", "autobot/chat-agent"), "no content tag"),
    ("S25", "chat-agent", document("Config.Image", "host:5000/chat"), "no content tag"),
    ("S25", "chat-agent", image("RepoTags", ["autobot/chat-agent:bbbbbbbbbbbb"]), "is another image by now"),
    ("S26", "chat-agent", inside(setuid_files=("/usr/bin/su",)), "/usr/bin/su is setuid"),
    ("S27", "chat-agent", inside(programs=("/usr/bin/curl",)), "the program /usr/bin/curl"),
    ("S27", "chat-agent", inside(package_caches=("/var/lib/apt/lists/x",)), "a package cache has /var/lib"),
    ("S28", "chat-agent", document("HostConfig.LogConfig", {"Type": "json-file", "Config": {}}), "grow"),
    ("S28", "chat-agent", document("HostConfig.LogConfig.Config", {"max-size": "-1"}), "grow without an end"),
    ("S29", "chat-agent", document("HostConfig.Ulimits", None), "no limit 'core' is asked for"),
    (
        "S29",
        "chat-agent",
        inside(limits={**INSIDE.limits, "Max core file size": ("0", "unlimited")}),
        "core files up to unlimited",
    ),
    (
        "S29",
        "chat-agent",
        inside(limits={**INSIDE.limits, "Max open files": ("1024", "unlimited")}),
        "no limit of open files",
    ),
    ("S30", "redis", redis(names=REDIS.names - {"chat"}), "agent 'chat' has no user"),
    ("S30", "redis", redis(passwordless=frozenset({"default", "chat"})), "user 'chat' needs no password"),
    ("S30", "redis", redis(default_rights="on nopass ~* +get +ping"), "more than PING"),
    ("S30", "redis", redis(dangerous={"chat": ("FLUSHALL",)}), "'chat' may run FLUSHALL"),
    ("S30", "chat-agent", redis(dangerous={"chat": ("FLUSHALL",)}), "it may run FLUSHALL"),
    ("S30", "chat-agent", redis(names=REDIS.names - {"chat"}), "Redis has no user 'chat'"),
    ("S30", "chat-agent", redis(passwordless=frozenset({"chat"})), "in without a password"),
    ("S30", "chat-agent", document("Config.Env", ["REDIS_USERNAME=rag"]), "it logs in to Redis as 'rag'"),
    ("S30", "chat-agent", document("Config.Env", []), "it logs in to Redis as ''"),
    ("S31", "postgres", rules(LoginRule("hostssl", "all", "all", "md5")), "the rule 'hostssl all all md5'"),
    ("S31", "postgres", rules(LoginRule("local", "all", "all", "trust")), "the rule 'local all all trust'"),
    ("S31", "postgres", rules(LoginRule("host", "all", "all", "scram-sha-256")), "lets in without TLS"),
    ("S31", "postgres", postgres(password_encryption="md5"), "new passwords are kept as md5"),
    ("S31", "postgres", role("knowledge", scram=False), "the password of role 'knowledge' is not kept"),
    ("S31", "postgres", role("guest", "createrole"), "role 'guest' is createrole"),
    ("S31", "knowledge-agent", role("knowledge", "superuser"), "its role is superuser"),
    ("S31", "knowledge-agent", role("knowledge", reads=("chat",)), "may use the schema of chat"),
    (
        "S31",
        "knowledge-agent",
        document("Config.Env", ["POSTGRES_USER=postgres"], "knowledge-agent"),
        "it logs in to PostgreSQL as 'postgres'",
    ),
    ("S31", "knowledge-agent", postgres(roles=()), "PostgreSQL has no role 'knowledge'"),
    ("S32", "chat-agent", audited("openssl 3.0 has CVE-1"), "openssl 3.0 has CVE-1"),
)


def test_a_good_stack_has_no_no() -> None:
    report = judge(good_stack(), waivers=())
    assert report.failures == ()
    assert {str(verdict) for verdict, count in report.counts.items() if count} == {"yes", "n/a"}


def test_not_applicable_only_where_the_question_has_no_meaning() -> None:
    report = judge(good_stack(), waivers=())
    services = {
        row.check.number: {
            name for name, each in row.answers.items() if each.verdict is Verdict.NOT_APPLICABLE
        }
        for row in report.rows
    }
    agents = {"chat-agent", "research-agent", "knowledge-agent"}
    assert {number: names for number, names in services.items() if names} == {
        "S05": {"redis", "postgres", *agents},
        "S18": {"redis", "postgres"},
        "S19": {"redis", "postgres"},
        "S20": agents,
        "S30": {"postgres"},
        "S31": {"redis", "chat-agent", "research-agent"},
    }


def test_secret_files_are_not_asked_about_where_there_are_none() -> None:
    facts = inside(secret_files=())(good_stack())
    assert judge(facts, waivers=()).answer("S23", "chat-agent").verdict is Verdict.NOT_APPLICABLE


def test_every_check_is_yes_somewhere_in_a_good_stack() -> None:
    facts = dataclasses.replace(good_stack(), engine={"SecurityOptions": ["name=apparmor"]})
    for service in facts.containers:
        facts = with_document(facts, service, "AppArmorProfile", "docker-default")
    report = judge(facts, waivers=())
    for row in report.rows:
        assert Verdict.YES in {answer.verdict for answer in row.answers.values()}, row.check.number


@pytest.mark.parametrize(
    ("number", "service", "spoil", "finding"),
    SPOILT,
    ids=[f"{number}-{finding}" for number, _, _, finding in SPOILT],
)
def test_no_for_what_is_wrong(number: str, service: str, spoil: Spoil, finding: str) -> None:
    answer = judge(spoil(good_stack()), waivers=()).answer(number, service)
    assert answer.verdict is Verdict.NO
    assert any(finding in each for each in answer.findings), answer.findings


def test_no_where_apparmor_is_there_and_holds_nothing() -> None:
    facts = dataclasses.replace(good_stack(), engine={"SecurityOptions": ["name=apparmor"]})
    assert judge(facts, waivers=()).answer("S05", "redis").findings == ("no AppArmor profile holds",)


def test_every_check_is_spoilt_above() -> None:
    assert {number for number, *_ in SPOILT} == {check.number for check in CHECKS}


def test_there_are_thirty_two_checks_in_order() -> None:
    assert [check.number for check in CHECKS] == [f"S{number:02}" for number in range(1, 33)]


@pytest.mark.parametrize(
    ("number", "service", "spoil", "reason"),
    [
        ("S02", "redis", lambda f: with_container(f, "redis", inside=Unseen("it sleeps")), "it sleeps"),
        ("S07", "redis", lambda f: with_container(f, "redis", inside=Unseen("it sleeps")), "it sleeps"),
        ("S30", "redis", lambda f: dataclasses.replace(f, redis=Unseen("it is gone")), "it is gone"),
        ("S30", "chat-agent", lambda f: dataclasses.replace(f, redis=Unseen("it is gone")), "it is gone"),
        ("S31", "postgres", lambda f: dataclasses.replace(f, postgres=Unseen("it is gone")), "it is gone"),
        ("S32", "redis", lambda f: dataclasses.replace(f, audits={}), "was not audited"),
        ("S26", "redis", inside("redis", closed_folders=("/x",)), "/x could not be looked into"),
        ("S27", "redis", inside("redis", closed_folders=("/x",)), "/x could not be looked into"),
        ("S28", "redis", document("HostConfig.LogConfig", {"Type": "syslog"}, "redis"), "driver 'syslog'"),
    ],
)
def test_unknown_for_what_could_not_be_seen(number: str, service: str, spoil: Spoil, reason: str) -> None:
    answer = judge(spoil(good_stack()), waivers=()).answer(number, service)
    assert answer.verdict is Verdict.UNKNOWN
    assert reason in answer.reason


def test_what_was_found_counts_although_a_folder_was_closed() -> None:
    facts = inside("redis", closed_folders=("/x",), setuid_files=("/bin/su",))(good_stack())
    assert judge(facts, waivers=()).answer("S26", "redis").verdict is Verdict.NO


def test_an_audit_that_missed_a_source_is_no_yes() -> None:
    facts = good_stack()
    name = facts.containers["redis"].inspect["Config"]["Image"]
    audits = {name: Audit("2026-11-28", fixable=(), unreached=("debsecan",))}
    answer = judge(dataclasses.replace(facts, audits=audits), waivers=()).answer("S32", "redis")
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.reason == "the audit of 2026-11-28 could not reach debsecan"


def test_what_an_audit_found_counts_although_it_missed_a_source() -> None:
    facts = good_stack()
    name = facts.containers["redis"].inspect["Config"]["Image"]
    audits = {name: Audit("2026-11-28", fixable=("openssl",), unreached=("debsecan",))}
    answer = judge(dataclasses.replace(facts, audits=audits), waivers=()).answer("S32", "redis")
    assert answer.verdict is Verdict.NO


def test_an_address_on_loopback_is_loopback_in_both_protocols() -> None:
    for address in ("127.0.0.1", "127.8.8.8", "::1"):
        facts = published(address, "8001")(good_stack())
        assert judge(facts, waivers=()).answer("S18", "chat-agent").verdict is Verdict.YES
