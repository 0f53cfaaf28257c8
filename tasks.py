"""AutoBot's front door: the tasks of `autobot_ops/verbs/`, by name. No logic."""

from invoke import Collection

from autobot_ops.verbs import backup, configuration, database, demo, images, lifecycle, secrets

namespace = Collection(
    *lifecycle.TASKS,
    images.build,
    configuration.config,
    backup.backup,
    database.database,
    demo.demo,
    images.requirements,
    secrets.secrets,
)
