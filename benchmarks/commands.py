"""How long the everyday commands take on a running stack: the tool must never be what one waits for."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.harness import Arm, Goal, Report, command, installed, measure, publish, wall_time

INV = str(Path(sys.executable).with_name("inv"))

# Seconds that the project promises, see the README.
PROMISES = {
    "inv --list": ((INV, "--list"), 0.4),
    "inv status": ((INV, "status", "--json"), 1.0),
    "inv build, nothing to do": ((INV, "build", "--json"), 2.0),
    "inv up, all healthy": ((INV, "up", "--json"), 5.0),
    "scripts/bootstrap, nothing to do": (("scripts/bootstrap",), 2.0),
}


def main() -> None:
    """Measure every promise on the stack that is up."""
    command(INV, "up")()
    arms = [Arm(name, wall_time(command(*argv))) for name, (argv, _) in PROMISES.items()]
    report = Report(
        name="commands",
        data="the default stack, up and healthy, images built",
        rows=measure(arms, rounds=7),
        versions=installed("invoke", "docker", "pydantic"),
    )
    report.goals = [
        Goal(f"{name} [s]", report.median(name, "wall"), limit) for name, (_, limit) in PROMISES.items()
    ]
    publish(report)


if __name__ == "__main__":
    main()
