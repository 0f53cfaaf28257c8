"""Operations that the matrix tries, each with whom it is meant for, as docs/isolation.md says.

In a command `{key}` is a string of the database in question, `{hash}`, `{list}`, `{set}`, `{zset}`,
`{stream}` and `{counter}` its other keys, `{own}` a key of the selected database, `{number}` the number of
the database in question and `{here}` the selected one.
"""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.catalog.models import AccessControl
from tests.access.oracle import (
    AGENTS,
    ALL_LEVELS,
    BACKUP,
    DEFAULT,
    MIGRATE,
    MONITOR,
    NOBODY,
    NOT_STRICT,
    ONLY_BASIC,
    OPERATOR,
    RESTORE,
    Need,
)

READERS = frozenset({OPERATOR, MIGRATE, RESTORE})
WRITERS = frozenset({OPERATOR, RESTORE})
ONLY_OPERATOR = frozenset({OPERATOR})


@dataclass(frozen=True)
class KeyOperation:
    """A command on keys of one database; agents by level and need, others by name."""

    command: str
    need: Need
    levels: frozenset[AccessControl]
    roles: frozenset[str]


@dataclass(frozen=True)
class Operation:
    """A command without keys of one's own, and who may give it."""

    command: str
    users: frozenset[str]
    destructive: bool = False
    """Not to be tried on a stack in use by somebody who may."""
    in_a_database: bool = False
    """It works on the selected database, so it needs one that the user works in."""


def _reading(levels: frozenset[AccessControl], *commands: str) -> list[KeyOperation]:
    return [KeyOperation(command, Need.READ, levels, READERS) for command in commands]


def _about(levels: frozenset[AccessControl], *commands: str) -> list[KeyOperation]:
    return [KeyOperation(command, Need.ABOUT, levels, READERS) for command in commands]


def _writing(
    levels: frozenset[AccessControl], *commands: str, roles: frozenset[str] = ONLY_OPERATOR
) -> list[KeyOperation]:
    return [KeyOperation(command, Need.WRITE, levels, roles) for command in commands]


def _both(levels: frozenset[AccessControl], *commands: str) -> list[KeyOperation]:
    return [KeyOperation(command, Need.BOTH, levels, ONLY_OPERATOR) for command in commands]


KEY_OPERATIONS: tuple[KeyOperation, ...] = (
    *_reading(ALL_LEVELS, "GET {key}", "MGET {key} {counter}", "HGET {hash} field", "HGETALL {hash}",
              "LRANGE {list} 0 -1", "SMEMBERS {set}", "ZRANGE {zset} 0 -1",
              "TTL {key}"),
    *_reading(NOT_STRICT, "GETRANGE {key} 0 -1", "HSCAN {hash} 0", "SSCAN {set} 0", "HRANDFIELD {hash}",
              "XRANGE {stream} - +", "XREAD STREAMS {stream} 0", "BITCOUNT {key}", "SUNION {set} {set}"),
    *_reading(ONLY_BASIC, "DUMP {key}"),
    *_about(ALL_LEVELS, "EXISTS {key}", "TYPE {key}", "STRLEN {key}", "LLEN {list}"),
    *_about(NOT_STRICT, "TOUCH {key}", "XLEN {stream}"),
    *_about(ONLY_BASIC, "OBJECT ENCODING {key}", "MEMORY USAGE {key}"),
    *_writing(ALL_LEVELS, "EXPIRE {key} 1000", "PERSIST {key}", "LPUSH {list} x", "ZREM {zset} x",
              "SREM {set} x"),
    *_writing(ALL_LEVELS, "SET {key} x", "HSET {hash} f x", "RPUSH {list} x", "SADD {set} x",
              "ZADD {zset} 1 x", "PEXPIREAT {key} 9999999999999", "UNLINK {key}", roles=WRITERS),
    *_writing(NOT_STRICT, "APPEND {key} x", "XADD {stream} * f x", roles=WRITERS),
    *_writing(NOT_STRICT, "SETRANGE {key} 0 x", "PFADD {key} x", "XTRIM {stream} MAXLEN 5"),
    *_both(ALL_LEVELS, "INCR {counter}", "HINCRBY {hash} count 1", "LPOP {list}",
           "WATCH {key}"),
    *_both(NOT_STRICT, "GETDEL {key}", "GETSET {key} x", "BLPOP {list} 0.001",
           "LMOVE {list} {list} LEFT RIGHT", "XREADGROUP GROUP g c STREAMS {stream} >"),
    *_both(ONLY_BASIC, "RENAME {key} {key}", "SUNIONSTORE {set} {set}", "BITOP NOT {key} {key}"),
    KeyOperation("SET {key} x GET", Need.BOTH, ALL_LEVELS, WRITERS),
    *_writing(frozenset(), "RESTORE {key} 0 payload REPLACE", roles=frozenset({RESTORE})),
    *_writing(ALL_LEVELS, "DEL {key}"),
)  # fmt: skip

# For every key, whoever owns it: nothing here is for agents.
FORBIDDEN_ON_KEYS: tuple[Operation, ...] = (
    Operation("MOVE {own} {number}", frozenset({OPERATOR, MIGRATE}), destructive=True, in_a_database=True),
    Operation("COPY {own} {own} DB {number} REPLACE", ONLY_OPERATOR, destructive=True, in_a_database=True),
    Operation("COPY {own} {key} REPLACE", ONLY_OPERATOR, destructive=True, in_a_database=True),
    Operation("SORT {list} ALPHA", ONLY_OPERATOR, in_a_database=True),
    Operation("SORT {list} BY nosort GET {key}", ONLY_OPERATOR, in_a_database=True),
    Operation("SORT_RO {list} ALPHA", NOBODY),
    Operation("MIGRATE 127.0.0.1 1 {key} 0 1", NOBODY),
    Operation("SWAPDB {here} {number}", frozenset({RESTORE}), destructive=True),
    Operation("EVAL return(redis.call('SELECT','{number}')) 0", NOBODY),
    Operation("EVAL return(redis.call('GET',KEYS[1])) 1 {key}", NOBODY),
    Operation("EVAL_RO return(redis.call('GET',KEYS[1])) 1 {key}", NOBODY),
    Operation("FCALL read 1 {key}", NOBODY),
    Operation("SUBSCRIBE {key}", NOBODY),
    Operation("SSUBSCRIBE {key}", NOBODY),
    Operation("PUBLISH {key} x", NOBODY),
    Operation("SUBSCRIBE __keyspace@{number}__:{key}", NOBODY),
    Operation("MONITOR", NOBODY),
)

# One of them belongs to another database, and no right on both is a right on the two at once.
ON_TWO_KEYS: tuple[Operation, ...] = (
    Operation("MGET {own} {key}", READERS, in_a_database=True),
    Operation("SUNION {own}-set {set}", READERS, in_a_database=True),
    Operation("MSET {own} x {key} x", ONLY_OPERATOR, in_a_database=True),
    Operation("RENAME {own} {key}", ONLY_OPERATOR, in_a_database=True),
    Operation("RENAME {key} {own}", ONLY_OPERATOR, in_a_database=True),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation("PING", frozenset({AGENTS, DEFAULT, OPERATOR, MONITOR, MIGRATE, RESTORE})),
    *(Operation(command, frozenset({AGENTS, OPERATOR, MONITOR}))
      for command in ("CLIENT ID", "CLIENT SETNAME x")),
    *(Operation(command, frozenset({AGENTS, OPERATOR}))
      for command in ("CLIENT INFO", "UNWATCH")),
    *(Operation(command, READERS, in_a_database=True) for command in ("SCAN 0", "DBSIZE", "RANDOMKEY")),
    Operation("KEYS *", ONLY_OPERATOR, in_a_database=True),
    Operation("FLUSHDB", WRITERS, destructive=True, in_a_database=True),
    Operation("INFO", frozenset({OPERATOR, MONITOR, MIGRATE, RESTORE})),
    Operation("CLIENT LIST", frozenset({OPERATOR, MONITOR, MIGRATE})),
    *(Operation(command, frozenset({OPERATOR, MONITOR}))
      for command in ("SLOWLOG LEN", "LATENCY LATEST", "MEMORY STATS")),
    *(Operation(command, ONLY_OPERATOR)
      for command in ("SLOWLOG GET", "CONFIG GET maxmemory", "CONFIG SET maxmemory-samples 5",
                      "CLIENT KILL ID 999999999",
                      "ACL LIST", "ACL WHOAMI", "ACL GETUSER default", "ACL SETUSER matrix-guest off",
                      "ACL DELUSER matrix-guest", "ACL DRYRUN default PING", "LASTSAVE", "ROLE", "ECHO x",
                      "COMMAND COUNT", "LOLWUT", "WAIT 0 1",
                      "CLIENT TRACKING OFF")),
    Operation("REPLCONF capa eof", frozenset({BACKUP})),
    *(Operation(command, NOBODY)
      for command in ("FLUSHALL", "SHUTDOWN NOSAVE", "DEBUG SLEEP 0", "SAVE", "BGSAVE", "BGREWRITEAOF",
                      "CONFIG REWRITE", "CONFIG RESETSTAT", "ACL LOAD", "ACL SAVE", "MODULE LIST",
                      "MODULE LOAD /nowhere.so", "REPLICAOF 127.0.0.1 1", "FAILOVER", "CLUSTER INFO",
                      "PSYNC ? -1",
                      "CLIENT PAUSE 1", "CLIENT UNBLOCK 999999999", "CLIENT NO-EVICT on",
                      "EVAL return(1) 0", "SCRIPT LOAD return(1)", "SCRIPT FLUSH", "FUNCTION LIST",
                      "FUNCTION FLUSH", "FUNCTION DUMP", "PSUBSCRIBE *", "PUBSUB CHANNELS",
                      "LATENCY RESET", "MEMORY PURGE", "PFSELFTEST")),
)  # fmt: skip
