"""Facts about an image's Python, as one JSON object on the last line. Runs inside the image, as its user.

Arguments: packages whose modules are to be imported, `--`, further modules.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = ("/opt/venv/lib/python3.11/site-packages", "/app/src")


def modules_of(package: str, by_module: dict[str, list[str]]) -> list[str]:
    """The module that is called like an installed package, else all of its public top-level ones.

    Raises PackageNotFoundError. What else a package brings, as torch its code generators, takes seconds to
    import and is nobody's dependency.
    """
    name = importlib.metadata.distribution(package).metadata["Name"]
    found = sorted(module for module, owners in by_module.items() if name in owners and module[0] != "_")
    alike = package.lower().replace("-", "_")
    return [alike] if alike in found else found


def failure_of(module: str) -> str:
    """Why a module can't be imported; "" if it can. A rarer exception ends the program with its traceback."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError, AttributeError, RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def failed_imports(packages: list[str], modules: list[str]) -> Iterator[str]:
    """A line for each package that isn't there or has no modules, and each module that can't be imported."""
    by_module = {name: list(owners) for name, owners in importlib.metadata.packages_distributions().items()}
    for package in packages:
        try:
            found = modules_of(package, by_module)
        except importlib.metadata.PackageNotFoundError:
            yield f"{package}: not installed"
            continue
        if not found:
            yield f"{package}: brings no module"
        modules = [*found, *modules]
    for module in modules:
        if failure := failure_of(module):
            yield f"{module}: {failure}"


def stale_bytecode() -> Iterator[str]:
    """Sources whose compiled form is missing or was made from another one."""
    for folder in SOURCES:
        for source in Path(folder).rglob("*.py"):
            compiled = Path(importlib.util.cache_from_source(str(source)))
            if compiled.exists():
                with compiled.open("rb") as file:
                    flags, time = struct.unpack("<4xII", file.read(12))
                if flags or time != int(source.stat().st_mtime):
                    yield f"stale: {source}"
                continue
            try:
                compile(source.read_bytes(), str(source), "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue  # written for another Python version
            yield f"missing: {source}"


def main() -> None:
    """Gather and print."""
    border = sys.argv.index("--")
    failed = list(failed_imports(sys.argv[1:border], sys.argv[border + 1 :]))
    torch = sys.modules.get("torch")
    agents = Path("/app/src/agents")
    facts = {
        "user": os.getuid(),
        "failed_imports": failed,
        "packages": sorted(each.metadata["Name"].lower() for each in importlib.metadata.distributions()),
        "torch": f"{torch.__version__}, CUDA {torch.version.cuda}" if torch else "",
        "agent_modules": sorted(path.stem for path in agents.iterdir()) if agents.is_dir() else [],
        "bytecode": list(stale_bytecode()),
    }
    print(f"\n{json.dumps(facts)}")  # noqa: T201 - its only way out of the container


if __name__ == "__main__":
    main()
