"""What a build is given: the override for bake, and the wheels."""

from __future__ import annotations

import hashlib
from pathlib import Path

from autobot_ops.settings import Settings
from autobot_ops.stack.build_context import INPUTS_LABEL, VERSION_LABEL, bake_override, stage_wheels
from autobot_ops.stack.build_plan import ExistingImage, plan_build
from autobot_ops.stack.image_inputs import read_inputs
from autobot_ops.stack.requirements import pinned_names, without
from tests.conftest import ROOT


def test_parents_that_exist_are_named_by_their_tag_and_others_are_built_along() -> None:
    inputs = read_inputs(Settings(root=ROOT), ROOT)
    existing = [
        ExistingImage(inputs[target].reference, 1.0, 1, {}) for target in ("root", "uv", "python-agent-base")
    ]
    plan = plan_build(inputs, existing, targets=["chat", "knowledge"])
    targets = bake_override(plan, inputs, root_image="debian:x", proxies={"HTTP_PROXY": "http://p"})["target"]
    assert set(targets) == {"ai", "chat", "knowledge"}
    assert targets["chat"]["contexts"] == {"uv": f"docker-image://{inputs['uv'].reference}"}
    base = f"docker-image://{inputs['python-agent-base'].reference}"
    assert targets["ai"]["contexts"]["python-agent-base"] == base
    assert targets["ai"]["tags"] == [inputs["ai"].reference]
    assert targets["ai"]["args"] == {"HTTP_PROXY": "http://p"}
    assert '"docker/base/requirements-ai.txt":' in targets["ai"]["labels"][INPUTS_LABEL]
    assert VERSION_LABEL not in targets["ai"]["labels"]
    assert targets["chat"]["labels"][VERSION_LABEL]
    assert "no-cache" not in targets["ai"]


def test_only_the_root_gets_the_root_image_and_no_cache_reaches_every_target() -> None:
    inputs = read_inputs(Settings(root=ROOT), ROOT)
    plan = plan_build(inputs, [], targets=["redis"], no_cache=True)
    targets = bake_override(plan, inputs, root_image="debian:x", proxies={})["target"]
    assert targets["root"]["args"] == {"ROOT_IMAGE": "debian:x"}
    assert "args" not in targets["redis"]
    assert "contexts" not in targets["redis"]
    assert all(target["no-cache"] for target in targets.values())


def test_stages_the_accepted_wheels_and_drops_the_others(tmp_path: Path) -> None:
    folder, destination = tmp_path / "wheels", tmp_path / "staged"
    folder.mkdir()
    for name in ("torch-2", "other-1"):
        (folder / f"{name}.whl").write_bytes(name.encode())
    accepted = frozenset({hashlib.sha256(b"torch-2").hexdigest()})
    assert stage_wheels(accepted, [folder], destination) == [destination / "torch-2.whl"]
    assert (destination / "torch-2.whl").samefile(folder / "torch-2.whl")

    accepted = frozenset({hashlib.sha256(b"other-1").hexdigest()})
    assert stage_wheels(accepted, [folder], destination) == [destination / "other-1.whl"]
    assert [path.name for path in destination.iterdir()] == ["other-1.whl"]
    assert stage_wheels(frozenset(), [tmp_path / "missing"], tmp_path / "none") == []


def test_a_layers_file_lacks_what_its_parents_have() -> None:
    text = (
        "# a remark\n"
        "anyio==1 \\\n    --hash=sha256:aa\n    # via httpx\n"
        "httpx==2 \\\n    --hash=sha256:bb\n    --hash=sha256:cc\n    # via -r chat.in\n"
    )
    assert pinned_names(text) == {"anyio", "httpx"}
    assert without(text, frozenset({"anyio"})) == (
        "# a remark\nhttpx==2 \\\n    --hash=sha256:bb\n    --hash=sha256:cc\n    # via -r chat.in\n"
    )
