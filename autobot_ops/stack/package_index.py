"""Where this host's pip gets packages from, translated for uv and for image builds.

Reads `pip config list`, so that files and PIP_* variables count as pip itself counts them. Rendered
texts go into build secrets, because an address can carry a password.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from autobot_ops.adapters import process
from autobot_ops.errors import ConfigurationError

CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CA_IN_BUILD = "/run/secrets/ca_bundle"
SECRET_LIMIT_BYTES = 500 * 1024
"""BuildKit refuses larger secrets."""


@dataclass(frozen=True)
class PackageIndex:
    """pip's settings of this host that decide where packages come from. Empty where pip has its default."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links_urls: tuple[str, ...] = ()
    wheel_folders: tuple[Path, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    proxy: str = ""
    ca_bundle: Path | None = None


def load_package_index(environ: Mapping[str, str]) -> PackageIndex:
    """Ask pip for its settings. Raises ExternalCommandFailed where Python has no pip."""
    listing = process.query([sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"])
    return parse_pip_config(listing, environ)


def parse_pip_config(listing: str, environ: Mapping[str, str]) -> PackageIndex:
    """The output of `pip config list`, lines of `section.key='value'`; variables stand in section `:env:`.

    A later source wins, as in pip: files' global section, files' install section, variables. Folders
    come without `file://`. Indexes that are folders of this host are left out: a build can't reach
    them. Raises ConfigurationError where the main index is one.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        name, separator, value = line.partition("=")
        section, _, key = name.partition(".")
        if separator and section in sections:
            sections[section][key] = str(ast.literal_eval(value))
    merged = {**sections["global"], **sections["install"], **sections[":env:"]}

    index_url = merged.get("index-url", "")
    if index_url and not _is_remote(index_url):
        raise ConfigurationError(
            f"pip's index is a folder of this host, which an image build can't reach: {index_url}",
            hint="Set index-url to an http(s) address, and keep the folder as find-links.",
        )
    links = merged.get("find-links", "").split()
    certificate = next((environ[name] for name in CA_VARIABLES if environ.get(name)), merged.get("cert", ""))
    return PackageIndex(
        index_url=index_url,
        extra_index_urls=tuple(url for url in merged.get("extra-index-url", "").split() if _is_remote(url)),
        find_links_urls=tuple(link for link in links if _is_remote(link)),
        wheel_folders=tuple(_folder(link) for link in links if not _is_remote(link)),
        trusted_hosts=tuple(merged.get("trusted-host", "").split()),
        proxy=merged.get("proxy", ""),
        ca_bundle=Path(certificate) if certificate else None,
    )


def render_uv_config(index: PackageIndex, *, torch_index: str = "") -> str:
    """The same settings as a uv.toml.

    `torch_index` is where the CPU builds of torch are, if no folder has them. Only torch's own page of
    that index is read, so nothing else can come from it.
    """
    links = list(index.find_links_urls)
    if torch_index:
        links.append(f"{torch_index.rstrip('/')}/torch/")
    lines = []
    if index.index_url:
        lines.append(f"index-url = {json.dumps(index.index_url)}")
    if index.extra_index_urls:
        lines.append(f"extra-index-url = {json.dumps(list(index.extra_index_urls))}")
        # pip takes a version from whichever index has it. The pinned hashes keep that safe.
        lines.append('index-strategy = "unsafe-best-match"')
    if links:
        lines.append(f"find-links = {json.dumps(links)}")
    if index.trusted_hosts:
        lines.append(f"allow-insecure-host = {json.dumps(list(index.trusted_hosts))}")
    return "".join(f"{line}\n" for line in lines)


def render_pip_conf(index: PackageIndex) -> str:
    """The same settings as a pip.conf, for the one step of a build that has pip and not yet uv."""
    settings = {
        "index-url": index.index_url,
        "extra-index-url": " ".join(index.extra_index_urls),
        "find-links": " ".join(index.find_links_urls),
        "trusted-host": " ".join(index.trusted_hosts),
        "proxy": index.proxy,
    }
    lines = [f"{key} = {value}" for key, value in settings.items() if value]
    # pip's files know no quoting, and % starts an interpolation in them.
    return "".join(f"{line}\n" for line in ["[global]", *lines]).replace("%", "%%") if lines else ""


def read_ca_bundle(index: PackageIndex) -> bytes:
    """The certificates that this host trusts for its index; empty where the built-in ones do.

    Raises ConfigurationError for a file that is missing or too large for a build secret.
    """
    if index.ca_bundle is None:
        return b""
    try:
        content = index.ca_bundle.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the CA bundle can't be read: {index.ca_bundle}",
            hint=f"Correct pip's cert setting or the variable ({', '.join(CA_VARIABLES)}) that names it.",
        ) from error
    if len(content) > SECRET_LIMIT_BYTES:
        raise ConfigurationError(
            f"the CA bundle is larger than {SECRET_LIMIT_BYTES // 1024} KiB, the limit of a build secret",
            hint="Point PIP_CERT at a bundle that holds only the certificates that your mirrors need.",
        )
    return content


def _is_remote(address: str) -> bool:
    return urlsplit(address).scheme in {"http", "https"}


def _folder(link: str) -> Path:
    return Path(unquote(urlsplit(link).path)) if link.startswith("file:") else Path(link)
