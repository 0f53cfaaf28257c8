"""AutoBot's front door: the tasks of `autobot_ops/verbs/`, by name. No logic."""

from invoke import Collection

from autobot_ops.verbs import (
    backup,
    configuration,
    database,
    demo,
    images,
    journal,
    lifecycle,
    retention,
    secrets,
)

for retention_task in retention.TASKS:
    backup.backup.add_task(retention_task)

namespace = Collection(
    *lifecycle.TASKS,
    images.build,
    configuration.config,
    backup.backup,
    database.database,
    demo.demo,
    journal.history,
    images.requirements,
    secrets.secrets,
)
