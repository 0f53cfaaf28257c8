"""What holds for every container: user, root, capabilities, limits, what is not in the image."""

from __future__ import annotations

import pytest
import testinfra
from testinfra.host import Host

from tests.integration.conftest import Stack

NOT_AT_RUN_TIME = ("gcc", "cc", "g++", "make", "curl", "wget", "git", "uv", "pip", "pip3")


@pytest.fixture
def host(stack: Stack, service_name: str) -> Host:
    """The container of a service, seen from inside."""
    return testinfra.get_host(f"docker://{stack.project}-{service_name}")


def test_runs_as_a_numeric_user_above_10000(stack: Stack, service_name: str, host: Host) -> None:
    assert int(stack.container(service_name).attrs["Config"]["User"].split(":")[0]) > 10000
    assert int(host.check_output("id -u")) > 10000


def test_holds_no_capability_and_can_gain_none(stack: Stack, service_name: str, host: Host) -> None:
    host_config = stack.container(service_name).attrs["HostConfig"]
    assert host_config["CapDrop"] == ["ALL"]
    assert not host_config["CapAdd"]
    assert not host_config["Privileged"]
    assert any(option.startswith("no-new-privileges") for option in host_config["SecurityOpt"])
    status = host.check_output("cat /proc/1/status")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Seccomp"].strip() == "2"


@pytest.mark.obligation(14)
@pytest.mark.usefixtures("own_stack")
def test_writes_to_the_root_fail(stack: Stack, service_name: str) -> None:
    """Also for the user who owns it: rights keep the container's own user out, whatever the root is."""
    container = stack.container(service_name)
    for folder in ("/", "/etc", "/usr/bin", "/var/lib", *(["/app"] if "agent" in service_name else [])):
        for user in ("", "0"):
            done = container.exec_run(["touch", f"{folder}/planted"], user=user)
            assert done.exit_code != 0, folder
            assert b"Read-only file system" in done.output, folder


@pytest.mark.obligation(14)
@pytest.mark.usefixtures("own_stack")
def test_writes_to_the_data_volume_work(stack: Stack, service_name: str, host: Host) -> None:
    volumes = [each for each in stack.container(service_name).attrs["Mounts"] if each["Type"] == "volume"]
    assert volumes
    for volume in volumes:
        path = f"{volume['Destination']}/.written-by-a-test"
        assert host.check_output(f"echo kept >{path} && cat {path} && rm {path}") == "kept"


def test_has_limits_of_memory_cpu_and_processes(stack: Stack, service_name: str) -> None:
    host_config = stack.container(service_name).attrs["HostConfig"]
    assert host_config["Memory"] > 0
    assert host_config["NanoCpus"] > 0
    assert host_config["PidsLimit"] > 0
    assert host_config["RestartPolicy"]["Name"] == "unless-stopped"
    assert host_config["LogConfig"]["Config"]["max-size"]
    assert {each["Name"] for each in host_config["Ulimits"]} >= {"nofile", "core"}


def test_publishes_on_loopback_only(stack: Stack, service_name: str) -> None:
    ports = stack.container(service_name).attrs["NetworkSettings"]["Ports"] or {}
    addresses = {binding["HostIp"] for bindings in ports.values() for binding in bindings or []}
    assert addresses <= {"127.0.0.1"}
    assert bool(addresses) is service_name.endswith("-agent")


def test_has_tini_as_its_first_process(service_name: str, host: Host) -> None:
    assert host.check_output("cat /proc/1/comm") == "tini"


def test_contains_no_compiler_downloader_or_installer(service_name: str, host: Host) -> None:
    # All at once: each look into a container costs a process of its own.
    found = host.run(f"for name in {' '.join(NOT_AT_RUN_TIME)}; do command -v $name; done")
    assert found.stdout == ""


def test_contains_no_setuid_file_and_no_package_lists(service_name: str, host: Host) -> None:
    lists = "find /var/lib/apt/lists /var/cache/apt -type f"
    assert host.run(f"{{ find / -xdev -perm /6000 -type f; {lists}; }} 2>/dev/null").stdout == ""


def test_shows_no_secret_in_environment_or_image(stack: Stack, service_name: str) -> None:
    secrets = [path.read_text().strip() for path in stack.secrets_dir.glob("*_password")]
    assert len(secrets) > len(stack.catalogs.agents)
    container = stack.container(service_name)
    image = container.image
    assert image is not None
    shown = f"{container.attrs} {image.attrs} {image.history()} {container.logs()!r}"
    assert not [secret for secret in secrets if secret in shown]
