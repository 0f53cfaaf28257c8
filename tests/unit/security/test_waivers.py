"""A waiver covers one finding, hides no other, and is reported when it covers nothing."""

from __future__ import annotations

import dataclasses

import pytest

from autobot_ops.security.answers import Verdict
from autobot_ops.security.facts import LoginRule, StackFacts
from autobot_ops.security.judgement import judge
from autobot_ops.security.waivers import WAIVERS, Waiver
from tests.unit.security.samples import POSTGRES, good_stack, with_document

NETWORK_ADMIN = Waiver("net-admin", "S02", "NET_ADMIN is added", ("chat-agent",), "it shapes traffic")


def with_rules(*more: LoginRule) -> StackFacts:
    postgres = dataclasses.replace(POSTGRES, rules=(*POSTGRES.rules, *more))
    return dataclasses.replace(good_stack(), postgres=postgres)


def with_capabilities(*names: str, service: str = "chat-agent") -> StackFacts:
    return with_document(good_stack(), service, "HostConfig.CapAdd", list(names))


def test_a_covered_finding_is_waived_with_the_waivers_name() -> None:
    report = judge(with_capabilities("NET_ADMIN"), waivers=[NETWORK_ADMIN])
    answer = report.answer("S02", "chat-agent")
    assert (answer.verdict, answer.reason) == (Verdict.WAIVED, "accepted as 'net-admin'")
    assert report.failures == ()


def test_a_second_finding_of_the_same_check_is_not_hidden() -> None:
    answer = judge(with_capabilities("NET_ADMIN", "SYS_PTRACE"), waivers=[NETWORK_ADMIN]).answer(
        "S02", "chat-agent"
    )
    assert (answer.verdict, answer.findings) == (Verdict.NO, ("SYS_PTRACE is added",))


def test_another_service_is_not_covered() -> None:
    report = judge(with_capabilities("NET_ADMIN", service="redis"), waivers=[NETWORK_ADMIN])
    assert report.answer("S02", "redis").verdict is Verdict.NO


def test_a_waiver_without_services_covers_all() -> None:
    waiver = dataclasses.replace(NETWORK_ADMIN, services=())
    report = judge(with_capabilities("NET_ADMIN", service="redis"), waivers=[waiver])
    assert report.answer("S02", "redis").verdict is Verdict.WAIVED


@pytest.mark.parametrize("services", [("chat-agent",), ()])
def test_a_waiver_that_covers_nothing_is_a_failure(services: tuple[str, ...]) -> None:
    waiver = dataclasses.replace(NETWORK_ADMIN, services=services)
    report = judge(good_stack(), waivers=[waiver])
    assert report.stale == (waiver,)
    assert report.failures == ("the waiver 'net-admin' covers nothing any more",)


def test_a_waiver_of_a_service_that_does_not_run_is_not_stale() -> None:
    waiver = dataclasses.replace(NETWORK_ADMIN, services=("grafana",))
    assert judge(good_stack(), waivers=[waiver]).stale == ()


def test_the_projects_waivers_cover_what_they_are_for() -> None:
    report = judge(with_rules(LoginRule("local", "all", "postgres", "peer")))
    assert report.stale == ()
    assert report.answer("S31", "postgres").verdict is Verdict.WAIVED


def test_a_wider_rule_is_not_covered_by_the_waiver_for_peer() -> None:
    report = judge(
        with_rules(LoginRule("local", "all", "postgres", "peer"), LoginRule("local", "all", "all", "peer"))
    )
    assert report.answer("S31", "postgres").findings == ("the rule 'local all all peer'",)


def test_names_are_unique_and_every_waiver_has_a_reason() -> None:
    assert len({waiver.name for waiver in WAIVERS}) == len(WAIVERS)
    assert all(len(waiver.reason.split()) > 10 for waiver in WAIVERS)
