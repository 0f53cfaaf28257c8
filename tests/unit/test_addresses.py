"""What the research agent may connect to."""

from __future__ import annotations

import ipaddress

import pytest

from src.agents.addresses import AddressRefused, check_url, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0",  # noqa: S104 - to be refused
        "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255",
        "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
        "2002:7f00:1::", "2001:0:7f00:1::", "::ffff:0:127.0.0.1",
    ],
)  # fmt: skip
def test_refuses_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_accepts_a_public_address(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "javascript:alert(1)",
        "//example.com", "example.com", "http://", "http:///path", "http://user@example.com/", "http://u:p@example.com/",
        "http://example.com:22/", "http://example.com:25/", "http://example.com:0/", "http://example.com:99999/",
        "http://[::1/", "",
    ],
)  # fmt: skip
def test_refuses_a_url_of_another_kind(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://example.com", "https://example.com:443/a?b#c", "http://example.com:8080"]
)
def test_accepts_a_web_url(url: str) -> None:
    assert check_url(url).hostname == "example.com"
