"""Make a database that takes another one's place agree with what was derived from the other.

Two things outlive an exchange: identifiers that were given out, and the knowledge agent's copies in Redis.

- No sequence falls behind the replaced database's: an identifier that somebody holds never comes to mean
  something else.
- Entries count as not mirrored, and each identifier without an entry gets a deleted one: with both the
  agent's own upkeep brings Redis into line, entry by entry, and then forgets the deleted ones. Its Whoosh
  index it compares with the entries when it starts.
"""

from __future__ import annotations

from autobot_ops.adapters.postgres_session import run_script, session
from autobot_ops.adapters.runner import Runner
from autobot_ops.backup.postgres_content import sequence_names

_REACHED = "SELECT to_json(last_value) FROM {name}"
_RAISE = "SELECT to_json(setval('{literal}', greatest(last_value, {reached}))) FROM {name}"
_HAS_ENTRIES = """
SELECT to_json(count(*) = 4) FROM information_schema.columns
 WHERE table_schema = 'knowledge' AND table_name = 'entries'
   AND column_name IN ('id', 'mirrored', 'deleted', 'title')
"""
_FORGET_MIRROR = """
BEGIN;
UPDATE knowledge.entries SET mirrored = false WHERE mirrored;
INSERT INTO knowledge.entries (id, title, content, mirrored, deleted)
SELECT identifier, '', '', false, true
  FROM generate_series(1, (SELECT last_value FROM knowledge.entries_id_seq)) AS identifier
 WHERE NOT EXISTS (SELECT FROM knowledge.entries WHERE id = identifier);
COMMIT;
"""


def renew(runner: Runner, database: str, *, replaces: str) -> None:
    """Prepare `database`, which nobody uses yet. Nobody may be writing to the other one. Idempotent.

    Raises PostgresUnreachable and StatementFailed; the other database is only read.
    """
    with session(runner, replaces) as former:
        reached = {name: former.ask(_REACHED.format(name=name)) for name in sequence_names(former)}
    with session(runner, database) as incoming:
        for name in sequence_names(incoming):
            if name in reached:
                incoming.ask(_RAISE.format(name=name, literal=name.replace("'", "''"), reached=reached[name]))
    forget_mirror(runner, database)


def forget_mirror(runner: Runner, database: str) -> None:
    """Have the knowledge agent write its copies in Redis anew; nothing where it has no entries yet.

    Also for when Redis' database `knowledge` was restored and PostgreSQL was not.
    """
    with session(runner, database) as found:
        has_entries = found.ask(_HAS_ENTRIES)
    if not has_entries:
        return
    run_script(runner, database, _FORGET_MIRROR)
