"""The report as a table, as sentences, as a document; what the catalogs say of a service."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from autobot_ops.catalog import load_catalogs
from autobot_ops.errors import PartlyDone
from autobot_ops.security.facts import Role, Unseen
from autobot_ops.security.judgement import judge
from autobot_ops.security.table import as_document, columns, rows, sentences, summary
from autobot_ops.stack.security import InsecureStack, StackSecurity
from autobot_ops.stack.security_observation import role_of
from tests.unit.security.samples import good_stack, with_container, with_document


def test_roles_are_those_of_the_catalogs(root: Path) -> None:
    catalogs = load_catalogs(root)
    assert role_of("research-agent", catalogs) == Role(agent="research", egress=True)
    assert role_of("knowledge-agent", catalogs) == Role(agent="knowledge", postgres=True)
    assert role_of("redis", catalogs) == Role(stores_data=True)
    assert role_of("postgres", catalogs) == Role(stores_data=True)
    assert role_of("grafana", catalogs) == Role()
    assert role_of("evil-agent", catalogs) == Role()


def test_the_table_has_a_row_for_each_check_and_a_column_for_each_service() -> None:
    report = judge(with_document(good_stack(), "redis", "HostConfig.Privileged", True), waivers=())
    assert columns(report)[2:] == ("redis", "postgres", "chat", "research", "knowledge")
    table = rows(report)
    assert len(table) == 32
    assert table[0] == ("S01", "not privileged", "no", "yes", "yes", "yes", "yes")


def test_services_with_the_same_reason_share_a_sentence() -> None:
    facts = good_stack()
    for service in ("redis", "chat-agent"):
        facts = with_container(facts, service, inside=Unseen("it sleeps"))
    said = list(sentences(judge(facts, waivers=())))
    assert "unknown: S02 redis, chat-agent: it sleeps" in said
    assert "n/a: S05 every service: the engine's kernel has no AppArmor" in said


def test_the_summary_counts_every_answer() -> None:
    report = judge(good_stack(), waivers=())
    counts = dict(report.counts)
    assert sum(counts.values()) == 32 * 5
    assert summary(report).startswith("32 checks of 5 containers: ")


def test_the_document_has_everything() -> None:
    facts = dataclasses.replace(good_stack(), redis=Unseen("it is gone"))
    report = judge(with_document(facts, "redis", "HostConfig.Memory", 0))
    document = as_document(report, report.failures)
    assert document["services"] == list(report.services)
    assert document["counts"]["no"] == 1
    by_number = {each["number"]: each["answers"] for each in document["checks"]}
    assert by_number["S09"]["redis"] == {
        "verdict": "no",
        "findings": ["no memory limit"],
        "reason": "",
        "waivers": [],
    }
    assert by_number["S30"]["chat-agent"]["reason"] == "it is gone"
    # The sample's PostgreSQL lacks what the project's waiver is for.
    assert document["failures"] == [
        "S09 redis: no memory limit",
        "the waiver 'postgres-peer' covers nothing any more",
    ]


def test_a_service_without_a_container_is_a_failure() -> None:
    found = StackSecurity(judge(good_stack(), waivers=()), missing=("rag-agent",))
    assert found.failures == ("rag-agent has no container",)


def test_the_error_names_the_first_failure_and_counts_the_others() -> None:
    assert issubclass(InsecureStack, PartlyDone)
    assert InsecureStack(["S09 redis: no memory limit"]).message == "S09 redis: no memory limit"
    assert InsecureStack(["S09 redis: no memory limit", "b", "c"]).message.endswith(" (and 2 more)")
