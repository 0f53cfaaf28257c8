"""Images whose files have changed: what is rebuilt and why, and what gives no image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autobot_ops import frontend
from autobot_ops.adapters.images import ImageStore
from autobot_ops.settings import load_settings
from autobot_ops.stack.images import image_references
from tests.component.small_stack.conftest import Project, Started
from tests.inv_in_process import call_inv

SOURCE = "src/agents/knowledge.py"
RECIPE = "docker/agents/Dockerfile.knowledge-agent"


def reference_of(project: Project) -> str:
    settings = load_settings(project.folder, project.variables)
    return image_references(settings, project.folder)["knowledge"]


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


@pytest.fixture
def store() -> Iterator[ImageStore]:
    with ImageStore() as opened:
        yield opened


@pytest.fixture
def edited(unstarted: Project, started: Started, store: ImageStore) -> Iterator[Project]:
    """A project with another line in the agent's code; what a test builds of it is forgotten."""
    append(unstarted.folder / SOURCE, "# edited by a test\n")
    reference = reference_of(unstarted)
    yield unstarted
    store.forget(reference)


def test_one_line_of_an_agent_rebuilds_its_image_alone(edited: Project, store: ImageStore) -> None:
    explained = call_inv("build", "--agent", "knowledge", "--explain").output
    assert SOURCE in explained
    rows = call_inv("build", "--agent", "knowledge", "--dry-run", "--json").document["images"]
    assert [row["target"] for row in rows if row["action"] != "cached"] == ["knowledge"]
    assert not store.has(reference_of(edited))
    built = call_inv("build", "--agent", "knowledge", "--json")
    assert built.exit_code == 0, built.remarks
    (image,) = (row for row in built.document["images"] if row["target"] == "knowledge")
    assert image["reference"] == reference_of(edited)
    assert SOURCE in image["outcome"]
    assert store.has(reference_of(edited))
    again = call_inv("build", "--agent", "knowledge")
    assert "cached" in again.output
    assert "1 images" not in again.remarks


def test_a_recipe_that_fails_names_its_step_and_leaves_no_image(edited: Project, store: ImageStore) -> None:
    append(edited.folder / RECIPE, "RUN echo broken by a test >&2; exit 3\n")
    failed = call_inv("build", "--agent", "knowledge", "--json")
    assert failed.exit_code == 3
    assert "building the image knowledge failed at: " in failed.document["error"]["message"]
    assert "broken by a test" in failed.remarks
    assert not store.has(reference_of(edited))


def test_an_edit_during_the_build_gives_no_image(
    edited: Project, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tag would say what isn't in it."""
    before = reference_of(edited)
    update = frontend.Progress.update

    def edit(self: frontend.Progress, name: str, state: str, *details: str) -> None:
        update(self, name, state, *details)
        append(edited.folder / SOURCE, "# and once more\n")

    monkeypatch.setattr(frontend.Progress, "update", edit)
    refused = call_inv("build", "--agent", "knowledge")
    assert refused.exit_code == 5
    assert "files of knowledge were edited during the build" in refused.remarks
    assert not store.has(before)
