"""What PostgreSQL is asked about its logins, and how its answer is read. Pure: text in, facts out."""

from __future__ import annotations

import json

from autobot_ops.security.facts import LoginRule, PostgresLogins, PostgresRole

QUESTION = """
SELECT json_build_object(
  'password_encryption', current_setting('password_encryption'),
  'rules', (SELECT coalesce(json_agg(json_build_object(
      'kind', type, 'databases', database, 'users', user_name, 'method', auth_method, 'error', error
    ) ORDER BY line_number), '[]') FROM pg_hba_file_rules),
  'roles', (SELECT coalesce(json_agg(json_build_object(
      'name', role.rolname,
      'superuser', role.rolsuper, 'createdb', role.rolcreatedb, 'createrole', role.rolcreaterole,
      'replication', role.rolreplication, 'bypassrls', role.rolbypassrls,
      'scram', coalesce(role.rolpassword LIKE 'SCRAM-SHA-256$%', false),
      'schemas', (SELECT coalesce(json_agg(schema.nspname ORDER BY schema.nspname), '[]')
          FROM pg_namespace AS schema JOIN pg_roles AS owner ON owner.oid = schema.nspowner
         WHERE owner.rolcanlogin AND NOT owner.rolsuper AND owner.oid <> role.oid
           AND has_schema_privilege(role.oid, schema.oid, 'USAGE'))
    ) ORDER BY role.rolname), '[]') FROM pg_authid AS role WHERE role.rolcanlogin)
);
"""
"""For the superuser, in the database that services use."""

POWERS = ("superuser", "createdb", "createrole", "replication", "bypassrls")


def parse_logins(answer: str) -> PostgresLogins:
    """The answer to QUESTION. A rule that the server could not read stands with its error as the method."""
    document = json.loads(answer)
    rules = tuple(
        LoginRule(
            each["kind"] or "unreadable",
            ",".join(each["databases"] or ()),
            ",".join(each["users"] or ()),
            each["error"] or each["method"],
        )
        for each in document["rules"]
    )
    roles = tuple(
        PostgresRole(
            name=each["name"],
            powers=tuple(power for power in POWERS if each[power]),
            scram_password=each["scram"],
            reads=tuple(each["schemas"]),
        )
        for each in document["roles"]
    )
    return PostgresLogins(document["password_encryption"], rules, roles)
