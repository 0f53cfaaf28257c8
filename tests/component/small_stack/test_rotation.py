"""Every secret of the small stack is another one afterwards, and nothing needs a restart."""

from __future__ import annotations

import pytest

from autobot_ops.adapters.redis_server import endpoint, logs_in
from autobot_ops.adapters.tls_peer import NoTrustedTls, peer_certificate
from autobot_ops.isolation.tls_files import AUTHORITY
from autobot_ops.stack.stack import Stack
from tests.component.small_stack.small_project import SERVICE
from tests.inv_in_process import Inv


def secrets_of(stack: Stack) -> dict[str, str]:
    return {path.name: path.read_text() for path in stack.settings.secrets_dir.iterdir()}


def test_a_dry_run_names_every_step_and_changes_nothing(stack: Stack, inv: Inv) -> None:
    before = secrets_of(stack)
    steps = inv("secrets.rotate", "all", "--dry-run", "--json").document["steps"]
    assert {"service": "knowledge", "step": "make a new password"} in steps
    assert {each["service"] for each in steps} >= {"operator", "postgres-knowledge", "authority", ""}
    assert "wait 30 s" in inv("secrets.rotate", "all", "--dry-run").output
    assert secrets_of(stack) == before


def test_after_a_rotation_of_all_the_old_secrets_hold_no_more(stack: Stack, inv: Inv) -> None:
    before = secrets_of(stack)
    running = {name: state.started for name, state in stack.observe().items()}
    rotated = inv("secrets.rotate", "all", "--overlap", "0", "--json")
    assert rotated.exit_code == 0, rotated.remarks
    after, server, folder = secrets_of(stack), endpoint(stack), stack.settings.secrets_dir
    assert after.keys() == before.keys()
    for user in ("knowledge", "operator", "backup", "migrate", "restore", "monitor"):
        name = f"redis_{user}_password"
        assert logs_in(server, folder, user, after[name].strip()), user
        assert not logs_in(server, folder, user, before[name].strip()), user
    with pytest.raises(NoTrustedTls):
        peer_certificate(server.host, server.port, name="redis", trusted=before[AUTHORITY])
    assert after["postgres_knowledge_password"] != before["postgres_knowledge_password"]
    assert {name: state.started for name, state in stack.observe().items()} == running
    assert stack.observe()[SERVICE].is_well
    assert inv("up", "--dry-run", "--json").document["steps"] == []


def test_certificates_alone_are_rotated_under_the_same_authority(stack: Stack, inv: Inv) -> None:
    before = secrets_of(stack)
    rotated = inv("secrets.rotate", "certificates", "--overlap", "0")
    assert rotated.exit_code == 0, rotated.remarks
    assert ": certificates\n" in rotated.output
    after = secrets_of(stack)
    changed = {name for name, value in after.items() if value != before.get(name)}
    assert changed == {"redis_server_certificate", "postgres_server_certificate"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["authoritty"], "Did you mean 'authority'?"),
        (["data-keys"], "unknown service 'data-keys'"),
        (["all", "--overlap=-1"], "--overlap -1 is less than 0"),
    ],
)
def test_what_makes_no_sense_rotates_nothing(
    stack: Stack, inv: Inv, arguments: list[str], words: str
) -> None:
    before = secrets_of(stack)
    refused = inv("secrets.rotate", *arguments)
    assert refused.exit_code == 2
    assert words in refused.remarks
    assert secrets_of(stack) == before
