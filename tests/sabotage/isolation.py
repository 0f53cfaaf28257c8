"""Databases, keys and schemas that are open to who has no business there."""

from __future__ import annotations

from tests.sabotage.model import Sabotage
from tests.sabotage.spoiling import in_turn, recreate, set_user, sql, up_again, users_again

# FLUSHDB does what FLUSHALL does, to a user who may.
FLUSHES_ALL = ("--rename-command", "FLUSHDB", "", "--rename-command", "FLUSHALL", "FLUSHDB")
REDIS_COMMAND = ("redis-server", "/etc/redis/redis.conf", "--databases", "32")

MANAGER = "utils/redis_database_manager.py"
FOR_A_DATABASE = "entry = settings.entry(database)\n                self._clients[key] = make_client"
FOR_TWO_DATABASES = FOR_A_DATABASE.replace("(database)", '("logs" if database == "workflows" else database)')

SABOTAGES = (
    Sabotage(
        (7,),
        "an agent with another number for one of its databases",
        recreate("knowledge-agent", environment={"REDIS_DB_AGENTS": "13"}),
        up_again,
    ),
    Sabotage(
        (7, 8),
        "a manager that has one client for two databases",
        recreate("chat-agent", source=(MANAGER, FOR_A_DATABASE, FOR_TWO_DATABASES)),
        up_again,
        only="manager or mapped",
    ),
    Sabotage(
        (9,),
        "a wrong ACL: knowledge may select the database of sessions and read its keys",
        set_user("knowledge", "+select|6", "%R~session:*"),
        users_again,
    ),
    Sabotage(
        (9,),
        "a wrong ACL: npu may run scripts",
        set_user("npu", "+eval"),
        users_again,
    ),
    Sabotage(
        (9,),
        "a wrong ACL: research may use keys of chat in database 0",
        set_user("research", "~chat:*", "~session:*", "~autobot:chat_history*"),
        users_again,
    ),
    Sabotage(
        (10,),
        "a server whose FLUSHDB empties every database",
        in_turn(
            recreate("redis", command=[*REDIS_COMMAND, *FLUSHES_ALL]),
            set_user("operator", "+flushall"),
        ),
        in_turn(up_again, users_again),
    ),
    Sabotage(
        (11,),
        "a wrong ACL: rag may move and copy keys",
        set_user("rag", "+move", "+copy"),
        users_again,
    ),
    Sabotage(
        (12,),
        "a role with foreign rights: knowledge may read every schema that is made from now on",
        sql(
            "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO knowledge",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO knowledge",
        ),
        sql(
            "ALTER DEFAULT PRIVILEGES REVOKE USAGE ON SCHEMAS FROM knowledge",
            "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM knowledge",
        ),
    ),
    Sabotage(
        (12,),
        "a second role that may log in, member of what reads all data",
        sql("CREATE ROLE planted LOGIN", "GRANT pg_read_all_data TO planted"),
        sql("DROP ROLE planted"),
        only="belongs_to_one_service",
    ),
)
