"""The ledger can fail: what is taken away behind its back is what it names."""

from __future__ import annotations

from autobot_ops.adapters.redis_server import dialer
from tests.faults.ledger import Ledger, Writer
from tests.faults.writers import AgentWriter, RedisWriter
from tests.integration.live import Stack

PATHS = {"knowledge": "/knowledge/entries/{}", "rag": "/rag/documents/{}", "npu": "/npu/files/{}"}
"""By writer: where what it wrote is deleted."""


def test_what_is_deleted_behind_their_backs_is_missed(stack: Stack, writers: list[Writer]) -> None:
    with Ledger(writers) as ledger:
        pass
    assert ledger.lost() == []
    taken = []
    for name, path in PATHS.items():
        account = ledger.accounts[name]
        assert isinstance(account.writer, AgentWriter)
        written = account.acknowledged[0]
        answer = account.writer.client.delete(path.format(written.split(" ")[0]))
        assert answer.status_code == 204, answer.text
        taken.append(f"{name}: {written}")
    assert sorted(ledger.lost()) == sorted(taken)


def test_a_deleted_key_and_a_removed_element_are_missed(stack: Stack, writers: list[Writer]) -> None:
    (writer,) = [each for each in writers if isinstance(each, RedisWriter)]
    written = [writer.write(number) for number in range(4)]
    assert writer.missing(written) == []
    number = stack.catalogs.databases["agents"].number
    with dialer(stack.opened, "operator")(number) as operator:
        operator.delete(f"{writer.key}:2")
        operator.lrem(writer.key, 1, "1")
    assert writer.missing(written) == ["2", "1"]


def test_a_message_that_was_never_sent_is_missed(writers: list[Writer]) -> None:
    (writer,) = [each for each in writers if each.name == "chat"]
    written = [writer.write(number) for number in range(3)]
    assert writer.missing([*written, "message 9"]) == ["message 9"]
    assert writer.missing([written[1], written[0]]) == [written[0]]
