"""The engine's images, and what a registry says about one."""

from __future__ import annotations

import http
from dataclasses import dataclass
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from autobot_ops.adapters import engine
from autobot_ops.errors import ConfigurationError, ExternalCommandFailed

_REFUSALS = (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND)


@dataclass(frozen=True)
class LocalImage:
    """An image that the engine has, under one of its names. `created` is in seconds since 1970."""

    reference: str
    created: float
    size_bytes: int
    labels: dict[str, str]


class ImageStore:
    """What the engine has. Opened on use; close it, or use it as a context."""

    def __init__(self, client: docker.DockerClient | None = None) -> None:
        self._client = client if client is not None else engine.connect()

    def __enter__(self) -> ImageStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def list(self, namespace: str) -> list[LocalImage]:
        """Images whose names start with `namespace/`, in one request."""
        entries: list[dict[str, Any]] = self._client.api.images(filters={"reference": f"{namespace}/*"})
        return [
            LocalImage(reference, entry["Created"], entry["Size"], entry.get("Labels") or {})
            for entry in entries
            for reference in entry.get("RepoTags") or []
            if reference.startswith(f"{namespace}/")
        ]

    def has(self, reference: str) -> bool:
        """Whether the image is here."""
        try:
            self._client.images.get(reference)
        except ImageNotFound:
            return False
        return True

    def forget(self, reference: str) -> None:
        """Take a name away; the layers stay in the build cache."""
        try:
            self._client.images.remove(reference, noprune=True)
        except ImageNotFound:
            return

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry. Raises ExternalCommandFailed."""
        try:
            self._client.images.pull(reference)
        except DockerException as error:
            raise ExternalCommandFailed(
                f"{reference} can't be pulled: {error}", hint="Check the network, or try again later."
            ) from error


def registry_has(reference: str, *, timeout: int) -> bool:
    """Whether the image's registry answers, within `timeout` seconds, that it has the image.

    False where none answers. Raises ConfigurationError where it answers that there is no such image,
    or not for us. The engine asks, so its mirrors, proxies and credentials count.
    """
    client = engine.connect(timeout=timeout)
    try:
        client.images.get_registry_data(reference)
    except APIError as error:
        if error.status_code in _REFUSALS:
            raise ConfigurationError(
                f"the registry doesn't give out {reference}",
                hint="Correct the image's name in config/stack.yaml, or log in with docker login.",
            ) from error
        return False
    except requests.exceptions.RequestException:
        return False
    finally:
        client.close()
    return True
