"""pip's settings as uv, apt and BuildKit get them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autobot_ops.errors import ConfigurationError
from autobot_ops.stack.host_apt import HostApt, parse_host_apt
from autobot_ops.stack.package_index import (
    SECRET_LIMIT_BYTES,
    PackageIndex,
    parse_pip_config,
    read_ca_bundle,
    render_pip_conf,
    render_uv_config,
)

FULL = PackageIndex(
    index_url="https://user:p%40ss@mirror.example/simple",
    extra_index_urls=("https://extra.example/simple",),
    find_links_urls=("https://links.example/page",),
    trusted_hosts=("mirror.example",),
    proxy="http://proxy.example:3128",
)


def test_variables_win_over_the_install_section_and_that_over_the_global_one() -> None:
    listing = (
        ":env:.index-url='https://env.example/simple'\n"
        "global.index-url='https://global.example/simple'\n"
        "install.index-url='https://install.example/simple'\n"
        "global.timeout='60'\n"
    )
    assert parse_pip_config(listing, {}).index_url == "https://env.example/simple"
    without_variable = "\n".join(listing.splitlines()[1:])
    assert parse_pip_config(without_variable, {}).index_url == "https://install.example/simple"


def test_folders_and_addresses_are_told_apart() -> None:
    index = parse_pip_config(
        "global.find-links='/some/wheels https://links.example/page file:///other%20wheels'\n"
        "global.extra-index-url='file:///folder/simple\\nhttps://extra.example/simple'\n",
        {},
    )
    assert index.wheel_folders == (Path("/some/wheels"), Path("/other wheels"))
    assert index.find_links_urls == ("https://links.example/page",)
    assert index.extra_index_urls == ("https://extra.example/simple",)


def test_refuses_an_index_that_a_build_cannot_reach() -> None:
    with pytest.raises(ConfigurationError, match="folder of this host"):
        parse_pip_config("global.index-url='file:///folder/simple'", {})


def test_a_host_without_settings_gives_empty_files() -> None:
    index = parse_pip_config("", {})
    assert index == PackageIndex()
    assert render_uv_config(index) == ""
    assert render_pip_conf(index) == ""
    assert read_ca_bundle(index) == b""


def test_the_uv_configuration_reads() -> None:
    assert render_uv_config(FULL, torch_index="https://torch.example/whl/cpu/") == (
        'index-url = "https://user:p%40ss@mirror.example/simple"\n'
        'extra-index-url = ["https://extra.example/simple"]\n'
        'index-strategy = "unsafe-best-match"\n'
        'find-links = ["https://links.example/page", "https://torch.example/whl/cpu/torch/"]\n'
        'allow-insecure-host = ["mirror.example"]\n'
    )


def test_the_pip_configuration_reads_and_keeps_percent_signs() -> None:
    assert render_pip_conf(FULL) == (
        "[global]\n"
        "index-url = https://user:p%%40ss@mirror.example/simple\n"
        "extra-index-url = https://extra.example/simple\n"
        "find-links = https://links.example/page\n"
        "trusted-host = mirror.example\n"
        "proxy = http://proxy.example:3128\n"
    )


def test_a_certificate_variable_wins_over_pips_setting(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_bytes(b"certificates")
    index = parse_pip_config("global.cert='/elsewhere'", {"SSL_CERT_FILE": str(bundle)})
    assert read_ca_bundle(index) == b"certificates"


def test_refuses_a_certificate_file_that_is_missing_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_ca_bundle(PackageIndex(ca_bundle=tmp_path / "missing"))
    large = tmp_path / "large"
    large.write_bytes(b"x" * (SECRET_LIMIT_BYTES + 1))
    with pytest.raises(ConfigurationError, match="larger than"):
        read_ca_bundle(PackageIndex(ca_bundle=large))


def test_keeps_bookworm_from_mirrors_and_how_they_are_reached() -> None:
    found = parse_host_apt(
        "http://mirror.example/debian/ bookworm main\n"
        "http://mirror.example/debian/ bookworm main\n"
        "http://mirror.example/debian/ trixie main\n"
        "http://mirror.example/debian/ bookworm contrib\n"
        "http://mirror.example/security/ bookworm-security main\n"
        "cdrom:[disk]/ bookworm main\n"
        "https://else.example/apt nodistro main\n",
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::mirror.example::Proxy "DIRECT";\n'
        'Acquire::http::Proxy-Auto-Detect "/usr/bin/detect";\n'
        'Acquire::https::CAInfo "/etc/ssl/own.crt";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::GzipIndexes "true";\n',
    )
    assert found == HostApt(
        "deb http://mirror.example/debian/ bookworm main\n"
        "deb http://mirror.example/security/ bookworm-security main\n",
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::mirror.example::Proxy "DIRECT";\n'
        'Acquire::Check-Valid-Until "false";\n',
    )


def test_a_host_of_another_release_leaves_the_images_own_sources_alone() -> None:
    found = parse_host_apt("http://mirror.example/ubuntu noble main\n", 'Acquire::http::Proxy "http://p";\n')
    assert found == HostApt()
