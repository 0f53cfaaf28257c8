"""What the live stack owes its operator, by number: a test says which of these it is by its mark.

    @pytest.mark.obligation(7)

tests/repository/test_obligations.py holds that every number has a test, tests/sabotage/ that it can fail.
"""

from __future__ import annotations

OBLIGATIONS: dict[int, str] = {
    1: "`up` ends with every service healthy, inside its budget; each one's seconds are recorded",
    2: "a second `up` recreates nothing",
    3: "every agent's health document passes, with its media type, id and version",
    4: "unknown paths are 404; liveness, readiness and metrics are served",
    5: "without Redis agents live but aren't ready, never restart, and are ready again by themselves",
    6: "the same for knowledge without PostgreSQL",
    7: "each client of the manager is at the number that the catalog gives its database",
    8: "what is written in one database is seen in no other, for all pairs",
    9: "an agent's user is refused every database and key not granted, and every dangerous command",
    10: "emptying the testing database leaves the others identical",
    11: "nothing crosses databases: SWAPDB, MOVE, MIGRATE and COPY … DB are denied",
    12: "a service's PostgreSQL role reads no other service's schema",
    13: "every container passes S01 to S32, or has a waiver with a reason",
    14: "writes to a container's root fail, those to its data volume work",
    15: "the kernel agrees: no capability, no new privileges, seccomp on, no root in /proc/1/status",
    16: "a planted canary secret shows in no inspect, history or log",
    17: "published ports answer on loopback only",
    18: "containers reach each other exactly where the networks say",
    19: "a stopped service ends cleanly within its grace period and finishes the request in hand",
    20: "the first process reaps orphans",
    21: "a service whose main process is killed is healthy again by itself",
    22: "a container that takes too much memory dies alone",
    23: "data survive `down` and `up`",
    24: "backup, wipe and restore are exact; damage is refused before any write; testing is never archived",
    25: "a migration is idempotent, resumes and keeps expiries; its dry run writes nothing",
    26: "every metric that an alert or a dashboard names is there, and a forced alert fires",
    27: "what runs is what was built, and its labels say from what",
    28: "logs are JSON, a line each, with time, level and agent",
}
