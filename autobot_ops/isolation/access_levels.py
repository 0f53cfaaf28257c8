"""Which commands a level of access control allows an agent inside a database's key patterns. Pure.

docs/isolation.md has the same as a table for people. What every level shares: a right decides whether
it is reading or writing commands, and nothing reaches past the key patterns.
"""

from __future__ import annotations

from autobot_ops.catalog import AccessRight
from autobot_ops.catalog.models import AccessControl

REACHES_PAST_KEY_PATTERNS = (
    "-keys", "-scan", "-randomkey", "-dbsize",                  # look at a whole database
    "-move", "-copy", "-swapdb", "-migrate",                    # reach into other databases or servers
    "-sort", "-sort_ro",                                        # read keys that their arguments don't name
    "-flushdb", "-flushall", "-restore", "-wait", "-lolwut",    # have no key at all
)  # fmt: skip
"""Denied by name as well as by category, so that no change of a category in a later server lets one in."""

NEVER = ("-@dangerous", "-@admin", "-@scripting", "-@pubsub", *REACHES_PAST_KEY_PATTERNS)

LOOKS_AT_STORAGE = ("-object", "-memory")
"""Encodings, idle times and sizes: how the server keeps a value, and how often others use it."""

TAKES_A_VALUE_ELSEWHERE = (
    "-dump", "-rename", "-renamenx", "-bitop", "-pfmerge",
    "-sinterstore", "-sunionstore", "-sdiffstore",
    "-zinterstore", "-zunionstore", "-zdiffstore", "-zrangestore",
    "-georadius", "-georadiusbymember", "-geosearchstore",
)  # fmt: skip
"""What puts a whole value under another key, or into a form that can be restored under any."""

STRICT_READING = (
    "+exists", "+type", "+ttl", "+pttl",
    "+get", "+mget", "+strlen",
    "+hget", "+hmget", "+hgetall", "+hexists", "+hlen", "+hkeys",
    "+lrange", "+lindex", "+llen",
    "+smembers", "+sismember", "+scard",
    "+zrange", "+zrangebyscore", "+zscore", "+zcard", "+zcount",
)  # fmt: skip

STRICT_WRITING = (
    "+del", "+unlink", "+expire", "+pexpire", "+expireat", "+pexpireat", "+persist",
    "+set", "+setex", "+psetex", "+setnx", "+mset", "+incr", "+incrby", "+decr", "+decrby",
    "+hset", "+hsetnx", "+hdel", "+hincrby",
    "+lpush", "+rpush", "+lpop", "+rpop", "+lset", "+lrem", "+ltrim",
    "+sadd", "+srem",
    "+zadd", "+zrem", "+zincrby", "+zremrangebyscore", "+zremrangebyrank",
)  # fmt: skip
"""By name, so that a newer server's new commands stay refused until somebody has thought about them."""

CHECK_AND_SET = ("+watch",)
"""Only for those who read and write: watching is what comes before a transaction that depends on a value."""


def commands_of(level: AccessControl, right: AccessRight) -> tuple[str, ...]:
    """Command rules in the order in which the server must apply them, to be used after `-@all`."""
    check_and_set = CHECK_AND_SET if right is AccessRight.READ_WRITE else ()
    match level:
        case AccessControl.STRICT:
            reading = STRICT_READING if right.reads else ()
            writing = STRICT_WRITING if right.writes else ()
            return (*reading, *writing, *check_and_set)
        case AccessControl.MODERATE:
            return (*_categories(right), *check_and_set, *NEVER, *LOOKS_AT_STORAGE, *TAKES_A_VALUE_ELSEWHERE)
        case AccessControl.BASIC:
            # A writer may ask whether its keys exist and how long they are: the key patterns still keep
            # their values from it. A reader gets no writing commands: XREADGROUP changes a stream's
            # group and counts as reading for the key patterns.
            categories = ("+@read",) if right is AccessRight.READ else ("+@read", "+@write")
            return (*categories, *check_and_set, *NEVER)


def _categories(right: AccessRight) -> tuple[str, ...]:
    return ("+@read",) * right.reads + ("+@write",) * right.writes
