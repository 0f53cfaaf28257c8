"""What is built, why, and how the plan reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from autobot_ops.errors import ConfigurationError
from autobot_ops.stack.build_plan import Action, BuildPlan, ExistingImage, plan_build, render_plan
from autobot_ops.stack.image_graph import (
    IMAGES,
    SERVICE_TARGETS,
    belongs_to_another_agent,
    target_of_stage,
    targets_for_agent,
    with_needs,
)
from autobot_ops.stack.image_inputs import ImageInputs


def inputs_of(**changes: Mapping[str, str]) -> dict[str, ImageInputs]:
    """Inputs in which each image has one file and its parent; `changes` replaces some, by target."""
    found: dict[str, ImageInputs] = {}
    for image in IMAGES.values():
        inputs = {f"files/{image.target}": "0" * 12}
        if image.parent:
            inputs[f"parent {image.parent}"] = found[image.parent].tag
        inputs |= changes.get(image.target, {})
        tag = hashlib.sha256(str(sorted(inputs.items())).encode()).hexdigest()[:12]
        found[image.target] = ImageInputs(image.target, f"space/{image.name}:{tag}", inputs)
    return found


def existing_from(inputs: Mapping[str, ImageInputs], *, without: tuple[str, ...] = ()) -> list[ExistingImage]:
    return [
        ExistingImage(image.reference, 1.0, 10, image.inputs)
        for target, image in inputs.items()
        if target not in without
    ]


def built(plan: BuildPlan) -> list[str]:
    return [step.target for step in plan.to_build]


def test_builds_everything_on_an_engine_without_images() -> None:
    plan = plan_build(inputs_of(), [], targets=SERVICE_TARGETS)
    assert built(plan) == list(IMAGES)
    assert {step.cause for step in plan.steps} == {"image is missing"}


def test_builds_nothing_when_every_tag_exists() -> None:
    inputs = inputs_of()
    plan = plan_build(inputs, existing_from(inputs), targets=SERVICE_TARGETS)
    assert not plan.to_build
    assert {step.target for step in plan.steps} == set(SERVICE_TARGETS)


def test_a_missing_parent_of_complete_images_is_no_reason_to_build() -> None:
    inputs = inputs_of()
    plan = plan_build(
        inputs, existing_from(inputs, without=("root", "uv", "ai", "web")), targets=SERVICE_TARGETS
    )
    assert not plan.to_build


def test_explains_a_changed_parent_and_what_stands_on_it() -> None:
    plan = plan_build(
        inputs_of(ai={"files/ai": "1" * 12}), existing_from(inputs_of()), targets=SERVICE_TARGETS
    )
    assert render_plan(plan) == (
        "uv                 cached\n"
        "python-agent-base  cached\n"
        "ai                 build   files/ai changed\n"
        "chat               build   parent ai is rebuilt\n"
        "rag                build   parent ai is rebuilt\n"
        "npu                build   parent ai is rebuilt\n"
        "research           cached\n"
        "knowledge          cached\n"
        "redis              cached\n"
        "postgres           cached\n"
        "4 to build, 6 cached"
    )


def test_one_agents_file_rebuilds_that_agent_alone() -> None:
    after = inputs_of(npu={"src/agents/npu.py": "1" * 12})
    plan = plan_build(after, existing_from(inputs_of()), targets=SERVICE_TARGETS)
    assert [(step.target, step.cause) for step in plan.to_build] == [("npu", "src/agents/npu.py added")]


def test_a_newer_tool_is_no_reason_to_build_what_it_made() -> None:
    after = inputs_of(uv={"files/uv": "1" * 12})
    assert not plan_build(after, existing_from(inputs_of()), targets=SERVICE_TARGETS).to_build


def test_names_a_few_files_and_counts_the_rest() -> None:
    after = inputs_of(redis={f"files/{number}": "1" * 12 for number in range(5)})
    step = plan_build(after, existing_from(inputs_of()), targets=["redis"]).to_build[0]
    assert step.cause == "files/0 added; files/1 added; 3 more files"


def test_says_which_setting_and_which_version_changed() -> None:
    before = inputs_of(root={"setting root_image": "debian:a"}, chat={"version": "1"})
    after = inputs_of(root={"setting root_image": "debian:b"}, chat={"version": "2"})
    causes = {s.target: s.cause for s in plan_build(after, existing_from(before), targets=["chat"]).to_build}
    assert causes["root"] == "setting root_image is debian:b instead of debian:a"
    assert causes["chat"] == "parent ai is rebuilt; version is 2 instead of 1"


def test_compares_with_the_newest_image_that_carries_its_inputs() -> None:
    after = inputs_of(redis={"files/redis": "2" * 12})
    reference = after["redis"].reference.rpartition(":")[0]
    existing = [
        ExistingImage(f"{reference}:older", 1.0, 1, {"files/redis": "2" * 12, "gone": "0" * 12}),
        ExistingImage(
            f"{reference}:newer",
            2.0,
            1,
            {"files/redis": "1" * 12, "parent root": after["redis"].inputs["parent root"]},
        ),
        ExistingImage(f"{reference}:by-hand", 3.0, 1, {}),
    ]
    step = plan_build(after, existing, targets=["redis"]).to_build[-1]
    assert step.cause == "files/redis changed"


def test_no_cache_builds_the_targets_and_all_below_them() -> None:
    inputs = inputs_of()
    plan = plan_build(inputs, existing_from(inputs), targets=["research"], no_cache=True)
    assert built(plan) == ["root", "uv", "python-agent-base", "web", "research"]
    assert {step.cause for step in plan.steps} == {"asked by --no-cache"}
    assert plan.no_cache


def test_parents_come_before_children() -> None:
    order = list(IMAGES)
    for image in IMAGES.values():
        assert all(order.index(need) < order.index(image.target) for need in image.needs)
    assert with_needs(["knowledge"]) == ("root", "uv", "python-agent-base", "knowledge")


def test_every_step_is_cached_or_built() -> None:
    inputs = inputs_of()
    plan = plan_build(inputs, existing_from(inputs, without=("chat",)), targets=["chat"])
    assert [(step.target, step.action) for step in plan.steps] == [
        ("uv", Action.CACHED),
        ("ai", Action.CACHED),
        ("chat", Action.BUILD),
    ]


@pytest.mark.parametrize(
    ("path", "foreign"),
    [
        ("src/agents/knowledge.py", True),
        ("src/agents/knowledge_store.py", True),
        ("src/agents/knowledge_migrations/versions/0001_entries.py", True),
        ("src/agents/chat.py", False),
        ("src/agents/chatter.py", False),
        ("src/agents/server.py", False),
        ("src/utils/redis_client.py", False),
    ],
)
def test_an_image_holds_its_own_agent_and_what_is_shared(path: str, foreign: bool) -> None:
    assert belongs_to_another_agent(path, "chat") is foreign


def test_stages_belong_to_one_image() -> None:
    assert target_of_stage("uv-download") == "uv"
    assert target_of_stage("base") == "python-agent-base"
    assert target_of_stage("stage-0") == ""


def test_refuses_an_unknown_agent_by_name() -> None:
    with pytest.raises(ConfigurationError, match="unknown agent 'npc'") as error:
        targets_for_agent("npc")
    assert "npu" in error.value.hint
