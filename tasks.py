"""AutoBot's front door: the tasks of `autobot_ops/verbs/`, by name. No logic."""

from invoke import Collection

from autobot_ops.verbs import (
    archives,
    backup,
    configuration,
    database,
    demo,
    images,
    journal,
    lifecycle,
    migrate,
    restore,
    retention,
    secrets,
    security,
)
from autobot_ops.wrong_usage import explain_wrong_usage

for backup_task in (*archives.TASKS, *retention.TASKS):
    backup.backup.add_task(backup_task)

namespace = Collection(
    *lifecycle.TASKS,
    images.build,
    configuration.config,
    backup.backup,
    database.database,
    demo.demo,
    journal.history,
    images.requirements,
    migrate.migrate,
    restore.restore,
    secrets.secrets,
    security.security,
)

explain_wrong_usage(namespace)
