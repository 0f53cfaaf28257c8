"""What holds for the images themselves: layers, bytecode, imports, labels."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache

import docker
import pytest

from autobot_ops.settings import load_settings
from autobot_ops.stack.image_graph import AGENTS, IMAGES
from autobot_ops.stack.image_inputs import ImageInputs, read_inputs
from autobot_ops.stack.images import build_images
from tests.conftest import ROOT
from tests.integration.conftest import run_inv
from tests.integration.image_checks import (
    BUDGETS,
    CHECKS,
    FAMILY,
    TOOLS,
    Expected,
    Look,
    checks_of,
    lineage,
    named_packages,
)
from tests.integration.image_facts import Facts, gather_facts

FactsOf = Callable[..., Facts]

SPOILT = {
    "knowledge": """
USER 0:0
RUN cd /opt/venv/lib/python3.11/site-packages \\
 && cp /bin/true /usr/local/bin/gain && chmod 4755 /usr/local/bin/gain \\
 && cp /bin/true /usr/local/bin/x86_64-linux-gnu-gcc-12 && ln -s /bin/true /usr/bin/wget \\
 && touch /var/lib/apt/lists/packages /usr/lib/libcudart.so.12 /app/src/agents/chat.py \\
 && rm -r whoosh && touch redis/client.py \\
 && mkdir nvidia_cublas-1.dist-info && echo 'Name: nvidia-cublas' >nvidia_cublas-1.dist-info/METADATA \\
 && head -c 64000000 /dev/zero >/app/ballast
LABEL org.opencontainers.image.title="" io.autobot.inputs="{}"
ENTRYPOINT ["sh"]
USER autobot
""",
    "ai": """
USER 0:0
RUN sed -i 's/^cuda:.*/cuda = "12.4"/' /opt/venv/lib/python3.11/site-packages/torch/version.py
ENV HF_HUB_OFFLINE=0
USER 10001:10001
""",
}
"""Recipes of throwaway images, by the image that they start from."""


@pytest.fixture(scope="module")
def images() -> dict[str, ImageInputs]:
    """The images of the present sources and those that they stand on; built first where they are missing."""
    settings = load_settings(ROOT, os.environ)
    build_images(settings, FAMILY)
    return read_inputs(settings, ROOT)


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def facts_of(images: dict[str, ImageInputs], engine: docker.DockerClient) -> FactsOf:
    """Facts of an image by target, gathered once; with a `reference`, of one that stands in for it."""

    @cache
    def gather(target: str, reference: str = "") -> Facts:
        return gather_facts(
            engine,
            reference or images[target].reference,
            packages=named_packages(ROOT, target),
            modules=[f"src.agents.{target}"] if target in AGENTS else [],
        )

    return gather


def every_check() -> list[object]:
    """An image's own checks and those of the images below it."""
    return [
        pytest.param(target, look, id=f"{target}: {name} ({owner})")
        for target in FAMILY
        for owner, name, look in checks_of(target)
    ]


@pytest.mark.parametrize(("target", "look"), every_check())
def test_an_image_is_what_it_and_its_parents_must_be(
    images: dict[str, ImageInputs], facts_of: FactsOf, target: str, look: Look
) -> None:
    parent = IMAGES[target].parent
    expected = Expected(target, images[target].inputs, facts_of(parent) if parent else None)
    assert not list(look(facts_of(target), expected))


def test_every_image_inherits_the_checks_of_its_parents() -> None:
    for target in FAMILY:
        inherited = {name for owner, name, _ in checks_of(target) if owner != target}
        assert inherited == {name for owner in lineage(target)[:-1] for name in CHECKS.get(owner, {})}
        assert target == "root" or set(CHECKS["root"]) <= inherited
    assert set(BUDGETS) == set(FAMILY) == set(IMAGES) - TOOLS
    assert set(CHECKS) <= set(FAMILY)


@pytest.fixture(scope="module")
def spoilt_facts(
    images: dict[str, ImageInputs], engine: docker.DockerClient, facts_of: FactsOf
) -> Iterator[dict[str, Facts]]:
    """Facts of throwaway images that stand in for others, with everything wrong that a check looks for."""
    references = {target: f"autobot-spoilt:{target}-{os.getpid()}" for target in SPOILT}
    try:
        for target, reference in references.items():
            recipe = f"FROM {images[target].reference}\n{SPOILT[target]}"
            subprocess.run(
                ["docker", "build", "--quiet", "--tag", reference, "-"],
                input=recipe, text=True, check=True, capture_output=True,
            )  # fmt: skip
        yield {target: facts_of(target, reference) for target, reference in references.items()}
    finally:
        for reference in references.values():
            subprocess.run(["docker", "image", "rm", "--force", reference], check=True, capture_output=True)


def checks_to_fail() -> list[object]:
    """Every check once: those of knowledge and the images below it, and ai's own."""
    checks = [("knowledge", *check) for check in checks_of("knowledge")]
    checks += [("ai", "ai", name, look) for name, look in CHECKS["ai"].items()]
    return [pytest.param(target, look, id=f"{name} ({owner})") for target, owner, name, look in checks]


@pytest.mark.parametrize(("target", "look"), checks_to_fail())
def test_a_spoilt_image_fails_the_check(
    images: dict[str, ImageInputs],
    facts_of: FactsOf,
    spoilt_facts: dict[str, Facts],
    target: str,
    look: Look,
) -> None:
    expected = Expected(target, images[target].inputs, facts_of(IMAGES[target].parent))
    assert list(look(spoilt_facts[target], expected))


def test_a_second_build_does_nothing_and_says_so() -> None:
    done = run_inv("build", "--explain", environment=dict(os.environ))
    assert done.stdout.splitlines()[-1] == "nothing to build"


def test_refuses_an_agent_that_does_not_exist() -> None:
    done = run_inv("build", "--agent", "npc", environment=dict(os.environ), check=False)
    assert done.returncode == 2
    assert "unknown agent 'npc'" in done.stderr
    assert "Traceback" not in done.stderr
