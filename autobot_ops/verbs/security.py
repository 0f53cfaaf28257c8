"""How safely the running containers are set up."""

from __future__ import annotations

from invoke import Context

from autobot_ops.command import current_stack, task, verb


@task(help={"json": "print one JSON document"})
@verb
def security(context: Context, json: bool = False) -> None:
    """Check S01 to S32 on every running container: yes, no with what was found, or why not asked."""
    from autobot_ops import frontend
    from autobot_ops.security.table import as_document, columns, rows, sentences, summary
    from autobot_ops.stack.security import InsecureStack, check_security

    found = check_security(current_stack())
    if json:
        frontend.emit_json(as_document(found.report, found.failures))
    else:
        frontend.table("", columns(found.report), rows(found.report))
        for sentence in sentences(found.report):
            frontend.result(sentence)
        for failure in found.failures:
            frontend.result(f"no: {failure}")
        frontend.result(summary(found.report))
    if found.failures:
        raise InsecureStack(found.failures)
