"""The project's certificate authority."""

from __future__ import annotations

import datetime

from autobot_ops.isolation.certificates import (
    bundle,
    ends,
    is_due,
    is_signed_by,
    issue_server,
    make_authority,
    names_of,
    split_bundle,
)

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
AUTHORITY = make_authority("autobot", NOW)


def test_a_server_certificate_is_signed_by_its_authority_and_by_no_other() -> None:
    server = issue_server(AUTHORITY, ["redis"], NOW)
    assert is_signed_by(server.certificate, AUTHORITY.certificate)
    assert not is_signed_by(server.certificate, make_authority("autobot", NOW).certificate)


def test_a_server_certificate_names_hosts_and_addresses() -> None:
    server = issue_server(AUTHORITY, ["redis", "autobot-redis", "127.0.0.1"], NOW)
    assert names_of(server.certificate) == ["redis", "autobot-redis", "127.0.0.1"]


def test_a_certificate_is_due_in_its_last_thirty_days() -> None:
    certificate = issue_server(AUTHORITY, ["redis"], NOW).certificate
    assert not is_due(certificate, NOW)
    assert not is_due(certificate, ends(certificate) - datetime.timedelta(days=31))
    assert is_due(certificate, ends(certificate) - datetime.timedelta(days=29))


def test_a_bundle_keeps_each_authority_once_and_gives_them_back() -> None:
    other = make_authority("autobot", NOW)
    text = bundle([AUTHORITY.certificate, other.certificate, AUTHORITY.certificate])
    assert split_bundle(text) == [AUTHORITY.certificate, other.certificate]
