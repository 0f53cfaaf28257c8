"""Who may say what of a fault: readiness, health, `inv status`, logs, the writers themselves."""

from __future__ import annotations

import json

import httpx

from tests.faults.fault import Scene, Sign

# Longer than a probe of everything may take.
ANSWER_SECONDS = 10.0
# `inv` takes a processor for a second.
INV_EVERY_SECONDS = 1.0


def not_ready(agent: str, words: str, within: float = 10) -> Sign:
    """An agent's /readyz says 503 and gives a reason with these words."""

    def is_seen(scene: Scene) -> bool:
        status, text = _asked(scene, agent, "/readyz")
        return status == httpx.codes.SERVICE_UNAVAILABLE and words in text

    return Sign(f"`/readyz` of {agent}: {words}", is_seen, within)


def all_not_ready(words: str, within: float = 10) -> Sign:
    """Every agent's /readyz says so, and every /livez says 200 all the same."""

    def is_seen(scene: Scene) -> bool:
        for agent in scene.stack.catalogs.agents:
            status, text = _asked(scene, agent, "/readyz")
            if status != httpx.codes.SERVICE_UNAVAILABLE or words not in text:
                return False
            if _asked(scene, agent, "/livez")[0] != httpx.codes.OK:
                return False
        return True

    return Sign(f"`/readyz` of every agent: {words}; `/livez` 200", is_seen, within)


def only_not_ready(agent: str, words: str, within: float = 10) -> Sign:
    """One agent's /readyz says so, and all others say 200."""

    def is_seen(scene: Scene) -> bool:
        others = [name for name in scene.stack.catalogs.agents if name != agent]
        status, text = _asked(scene, agent, "/readyz")
        return (
            status == httpx.codes.SERVICE_UNAVAILABLE
            and words in text
            and all(_asked(scene, name, "/readyz")[0] == httpx.codes.OK for name in others)
        )

    return Sign(f"`/readyz` of {agent} alone: {words}", is_seen, within)


def health_says(agent: str, check: str, status: str, words: str = "", within: float = 10) -> Sign:
    """A check of an agent's health document has this status and these words."""

    def is_seen(scene: Scene) -> bool:
        _, text = _asked(scene, agent, f"/health/{agent}")
        entries = json.loads(text or "{}").get("checks", {}).get(check, [])
        return any(each["status"] == status and words in each.get("output", "") for each in entries)

    return Sign(f"`/health/{agent}`: {check} {status}", is_seen, within)


def status_says(service: str, health: str, within: float = 20) -> Sign:
    """`inv status` has this word for a service."""

    def is_seen(scene: Scene) -> bool:
        return bool(_row(scene, service)["health"] == health)

    return Sign(f"`inv status`: {service} {health}", is_seen, within, INV_EVERY_SECONDS)


def status_remarks(service: str, words: str, within: float = 60) -> Sign:
    """`inv status` remarks on a service with these words."""

    def is_seen(scene: Scene) -> bool:
        return words in _row(scene, service)["remark"]

    return Sign(f"`inv status` remarks on {service}: {words}", is_seen, within, INV_EVERY_SECONDS)


def engine_counts_a_restart(service: str, within: float = 20) -> Sign:
    """`inv status` counts one restart more than before; the engine counts those that it made itself."""
    before: dict[float, int] = {}

    def is_seen(scene: Scene) -> bool:
        restarts = int(_row(scene, service)["restarts"])
        return restarts > before.setdefault(scene.began, restarts)

    return Sign(f"`inv status`: {service} restarted once more", is_seen, within, INV_EVERY_SECONDS)


def log_says(service: str, words: str, within: float = 10) -> Sign:
    """A line that the service wrote since then has these words."""

    def is_seen(scene: Scene) -> bool:
        lines: bytes = scene.stack.container(service).logs(since=scene.began)
        return words in lines.decode(errors="replace")

    return Sign(f"log of {service}: {words}", is_seen, within)


def writer_refused(name: str, words: str = "", within: float = 10) -> Sign:
    """A writer got no acknowledgement, with these words."""

    def is_seen(scene: Scene) -> bool:
        account = scene.ledger.accounts[name]
        return account.refused > scene.before[name].refused and words in account.last_refusal

    return Sign(f"writer {name}: {words or 'refused'}", is_seen, within)


def writer_refused_or_held_up(name: str, words: str, within: float = 10) -> Sign:
    """As writer_refused, of what may be over before the writer's patience is: then it had to wait."""
    refused = writer_refused(name, words, within)

    def is_seen(scene: Scene) -> bool:
        held_up = scene.ledger.accounts[name].held_up > scene.before[name].held_up
        return held_up or refused.is_seen(scene)

    return Sign(f"{refused.who}, or held up", is_seen, within)


def inv_says(words: str, *arguments: str, code: int = 0, within: float = 20) -> Sign:
    """A verb ends with this exit code and says these words."""

    def is_seen(scene: Scene) -> bool:
        done = scene.stack.inv(*arguments, check=False)
        return done.returncode == code and words in done.stdout + done.stderr

    return Sign(f"`inv {' '.join(arguments)}`: {words}", is_seen, within, INV_EVERY_SECONDS)


def _asked(scene: Scene, agent: str, path: str) -> tuple[int, str]:
    """Status and text; 0 where nobody answers."""
    try:
        answer = httpx.get(scene.stack.url(agent, path), timeout=ANSWER_SECONDS)
    except httpx.HTTPError:
        return 0, ""
    return answer.status_code, answer.text


def _row(scene: Scene, service: str) -> dict[str, str]:
    """A service's row in `inv status --json`; its exit code says that somebody isn't well."""
    rows = json.loads(scene.stack.inv("status", "--json", check=False).stdout)["services"]
    found: dict[str, str] = next(row for row in rows if row["service"] == service)
    return found
