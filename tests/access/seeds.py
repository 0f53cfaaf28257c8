"""Data for the matrix: keys of every database in every database, whose values say where they stand.

So a refusal always keeps something back, and a value that turns up in a reply tells what leaked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis

from autobot_ops.catalog import Catalogs

NAME = "matrix"
Pipeline = Any  # redis-py's, whose general commands it left untyped
_VALUE = re.compile(rb"value-of:(\d+):([a-z0-9_:/-]+)")


@dataclass(frozen=True)
class Seeds:
    """The keys; `numbers` are the databases that get all of them."""

    catalogs: Catalogs
    numbers: tuple[int, ...]

    def names(self, owner: str) -> dict[str, str]:
        """Keys of one database by what the operations call them."""
        patterns = self.catalogs.databases[owner].key_patterns
        first = next(pattern for pattern in patterns if pattern.endswith("*") and pattern[0] != "*")
        stem = first.removesuffix("*") + NAME
        kinds = ("hash", "list", "set", "zset", "stream", "counter")
        return {"key": stem, **{kind: f"{stem}-{kind}" for kind in kinds}}

    @cached_property
    def twins(self) -> dict[str, str]:
        """For each database a key of it that another one's pattern (`*:stats`) matches as well."""
        rows = self.catalogs.databases.values()
        endings = [pattern[1:] for row in rows for pattern in row.key_patterns if pattern.startswith("*")]
        return {owner: self.names(owner)["key"] + endings[0] for owner in self.catalogs.databases}

    @cached_property
    def owner_of(self) -> dict[str, str]:
        """Every seeded key, and the database that it belongs to."""
        owners = {name: owner for owner in self.catalogs.databases for name in self.names(owner).values()}
        return owners | {twin: owner for owner, twin in self.twins.items()}

    def plant(self, client: redis.Redis) -> None:
        """Write them all into all databases."""
        pipeline: Pipeline = client.pipeline(transaction=False)
        for number in self.numbers:
            pipeline.execute_command("SELECT", number)
            for owner in self.catalogs.databases:
                names = self.names(owner)
                value = {kind: f"value-of:{number}:{name}" for kind, name in names.items()}
                pipeline.delete(*names.values())
                pipeline.set(names["key"], value["key"])
                pipeline.hset(names["hash"], "field", value["hash"])
                pipeline.rpush(names["list"], *[value["list"]] * 3)
                pipeline.sadd(names["set"], value["set"])
                pipeline.zadd(names["zset"], {value["zset"]: 1})
                pipeline.xadd(names["stream"], {"field": value["stream"]}, id="1-1")
                pipeline.xgroup_create(names["stream"], "g", id="0")
                pipeline.set(names["counter"], 41)
                pipeline.set(self.twins[owner], f"value-of:{number}:{self.twins[owner]}")
        pipeline.execute_command("SELECT", 0)
        pipeline.execute()

    def contents(self, client: redis.Redis) -> dict[tuple[int, str], bytes]:
        """Each of these keys that is there, and any that was made of one, in a form that tells its value."""
        found: dict[tuple[int, str], bytes] = {}
        for number in self.numbers:
            pipeline: Pipeline = client.pipeline(transaction=False)
            pipeline.execute_command("SELECT", number)
            pipeline.execute_command("KEYS", f"*{NAME}*")
            keys = [key.decode() for key in pipeline.execute()[1]]
            for key in keys:
                pipeline.dump(key)
            pipeline.execute_command("SELECT", 0)
            found |= {(number, key): dump for key, dump in zip(keys, pipeline.execute()[:-1], strict=True)}
        return found

    def remove(self, client: redis.Redis) -> None:
        """Take them out of all databases, and leave everything else."""
        pipeline: Pipeline = client.pipeline(transaction=False)
        for number in self.numbers:
            pipeline.execute_command("SELECT", number)
            pipeline.unlink(*self.owner_of)
        pipeline.execute_command("SELECT", 0)
        pipeline.execute()


def values_in(reply: object) -> Iterator[tuple[int, str]]:
    """(number, key) of each planted value that a reply shows, however deep."""
    if isinstance(reply, bytes):
        for number, name in _VALUE.findall(reply):
            yield int(number), name.decode()
    elif isinstance(reply, dict):
        yield from values_in(list(reply.items()))
    elif isinstance(reply, Iterable) and not isinstance(reply, str):
        for each in reply:
            yield from values_in(each)
