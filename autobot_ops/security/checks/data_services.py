"""Who may do what in Redis and PostgreSQL: S30, S31. Pure.

Both are asked of the data service as a whole, and of each agent for its own login.
"""

from __future__ import annotations

from collections.abc import Iterator

from autobot_ops.security.answers import Answer, judged, not_applicable, unknown
from autobot_ops.security.check import Check
from autobot_ops.security.facts import Container, PostgresLogins, RedisUsers, StackFacts, Unseen

REDIS, POSTGRES = "redis", "postgres"
SUPERUSER = "postgres"
DEFAULT_USER = "default"
DEFAULT_RIGHTS = "on nopass +ping"
SCRAM = "scram-sha-256"
REFUSES = "reject"


def redis_users(container: Container, facts: StackFacts) -> Answer:
    """S30."""
    agent = container.role.agent
    if container.service != REDIS and not agent:
        return not_applicable("it has no login to Redis")
    if isinstance(facts.redis, Unseen):
        return unknown(facts.redis.reason)
    return judged(_own_redis_user(container, facts.redis) if agent else _all_redis_users(facts, facts.redis))


def postgres_logins(container: Container, facts: StackFacts) -> Answer:
    """S31."""
    if container.service != POSTGRES and not container.role.postgres:
        return not_applicable("it has no login to PostgreSQL")
    if isinstance(facts.postgres, Unseen):
        return unknown(facts.postgres.reason)
    if container.service == POSTGRES:
        return judged(_login_rules(facts.postgres))
    return judged(_own_role(container, facts.postgres))


def _all_redis_users(facts: StackFacts, users: RedisUsers) -> Iterator[str]:
    yield from (f"agent '{agent}' has no user" for agent in sorted(facts.agents - users.names))
    yield from (f"user '{name}' needs no password" for name in sorted(users.passwordless - {DEFAULT_USER}))
    if users.default_rights != DEFAULT_RIGHTS:
        yield f"the user '{DEFAULT_USER}' holds '{users.default_rights}', which is more than PING"
    for agent in sorted(facts.agents & users.names):
        yield from (f"'{agent}' may run {command}" for command in users.dangerous.get(agent, ()))


def _own_redis_user(container: Container, users: RedisUsers) -> Iterator[str]:
    agent, name = container.role.agent, _variable(container, "REDIS_USERNAME")
    if name != agent:
        yield f"it logs in to Redis as '{name}'"
    if agent not in users.names:
        yield f"Redis has no user '{agent}'"
    if agent in users.passwordless:
        yield f"Redis lets '{agent}' in without a password"
    yield from (f"it may run {command}" for command in users.dangerous.get(agent, ()))


def _login_rules(logins: PostgresLogins) -> Iterator[str]:
    if logins.password_encryption != SCRAM:
        yield f"new passwords are kept as {logins.password_encryption}"
    for rule in logins.rules:
        if rule.method not in {SCRAM, REFUSES}:
            yield f"the rule '{rule.text}'"
        elif rule.kind in {"host", "hostnossl"} and rule.method != REFUSES:
            yield f"the rule '{rule.text}' lets in without TLS"
    for role in logins.roles:
        if role.powers and role.name != SUPERUSER:
            yield f"role '{role.name}' is {', '.join(role.powers)}"
    yield from (
        f"the password of role '{role.name}' is not kept as {SCRAM}"
        for role in logins.roles
        if not role.scram_password
    )


def _own_role(container: Container, logins: PostgresLogins) -> Iterator[str]:
    agent, name = container.role.agent, _variable(container, "POSTGRES_USER")
    if name != agent:
        yield f"it logs in to PostgreSQL as '{name}'"
    role = next((role for role in logins.roles if role.name == name), None)
    if role is None:
        yield f"PostgreSQL has no role '{name}'"
        return
    if role.powers:
        yield f"its role is {', '.join(role.powers)}"
    if role.reads:
        yield f"its role may use the schema of {', '.join(role.reads)}"


def _variable(container: Container, name: str) -> str:
    variables = container.inspect["Config"].get("Env") or ()
    return next((each.partition("=")[2] for each in variables if each.startswith(f"{name}=")), "")


CHECKS = (
    Check("S30", "Redis: one user per agent, default may PING, nothing dangerous", redis_users),
    Check("S31", "PostgreSQL: scram-sha-256, one role per service, no superuser", postgres_logins),
)
