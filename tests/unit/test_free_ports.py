"""Where tests' servers listen."""

from __future__ import annotations

from tests.free_ports import WORKERS, free_port, share_of


def test_workers_share_no_port() -> None:
    shares = [set(share_of(f"gw{number}")) for number in range(WORKERS)]
    assert len(set().union(*shares)) == sum(map(len, shares))
    assert set().union(*shares) == set(share_of(""))


def test_a_port_is_not_given_out_again_at_once() -> None:
    assert len({free_port() for _ in range(100)}) == 100
