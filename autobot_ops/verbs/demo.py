"""Data for trying things out."""

from __future__ import annotations

from invoke import Collection, Context

from autobot_ops.command import current_stack, task, verb

DEFAULT_KEYS = 10_000


@task(
    help={
        "keys": "how many keys",
        "big": "and four huge ones: a hash of a million fields, a sorted set, a list and a set",
        "url": "a server (redis://…) in place of the stack's",
        "dry_run": "say what would be written, write nothing",
        "yes": "don't ask when database 0 holds keys; those of the same names are replaced",
        "json": "print one JSON document",
    }
)
@verb
def seed(
    context: Context,
    keys: int = DEFAULT_KEYS,
    big: bool = False,
    url: str = "",
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Fill database 0 with keys as the original application wrote them."""
    import time

    from autobot_ops import frontend
    from autobot_ops.adapters.redis_server import answering, dialer, dialer_from_url
    from autobot_ops.demo.legacy_keys import legacy_commands
    from autobot_ops.demo.seeding import refuse_used, write_commands

    began = time.monotonic()
    what = f"{keys:,} keys" + (" and four huge ones" if big else "")
    where = f"database 0 of {'the server at the URL' if url else 'the stack'}"
    if dry_run or context.config.run.dry:
        if json:
            frontend.emit_json({"keys": keys, "big": big, "dry_run": True})
        else:
            frontend.result(f"would write {what} into {where}")
        return
    stack = current_stack()
    dial = dialer_from_url(url) if url else dialer(stack, "operator")
    with answering(dial) as client:
        refuse_used(dial, stack.catalogs.databases)
        found = int(client.dbsize())
        if found:
            question = f"{where} holds {found:,} keys; write {what} among them, over those of the same names?"
            frontend.confirm(question, assume_yes=yes)
        commands = legacy_commands(keys, now=time.time_ns() // 1_000_000, big=big, replace=found > 0)
        with frontend.work(f"writing {what}", unit="commands") as work:
            sent = write_commands(client, commands, work.set)
    seconds = round(time.monotonic() - began, 1)
    if json:
        frontend.emit_json({"keys": keys, "big": big, "commands": sent, "seconds": seconds})
    else:
        frontend.result(f"wrote {what} into {where} in {seconds} s")


demo = Collection("demo")
demo.add_task(seed)
