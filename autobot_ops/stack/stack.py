"""One stack: its settings, its catalogs, its Compose and the engine it lives in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import docker

from autobot_ops.adapters import engine
from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.catalog.load import UnknownName
from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation import secrets
from autobot_ops.settings import Settings
from autobot_ops.stack.compose import Compose
from autobot_ops.stack.environment import EXAMPLE_SUFFIX, compose_environment
from autobot_ops.stack.health import ContainerState, observe_containers
from autobot_ops.stack.image_inputs import project_version

DATA_SERVICES = ("redis", "postgres")
UNBUILT = "unbuilt"
ALL = "all"


class NotRunning(ServiceUnreachable):
    """The service has no running container."""


@dataclass(frozen=True)
class Stack:
    """What every verb of the stack's life works on. The engine is connected when it is first used."""

    settings: Settings
    catalogs: Catalogs

    @cached_property
    def client(self) -> docker.DockerClient:
        """The engine; DaemonUnreachable if it doesn't answer."""
        return engine.connect()

    @property
    def service_names(self) -> tuple[str, ...]:
        """Services that the catalogs call for, in the order in which people read them."""
        return (*DATA_SERVICES, *(f"{name}-agent" for name in self.catalogs.agents))

    @property
    def image_names(self) -> tuple[str, ...]:
        """Names of the images that run, as the bake targets are called."""
        return (*self.catalogs.agents, *DATA_SERVICES)

    def observe(self) -> dict[str, ContainerState]:
        """The containers by service."""
        return observe_containers(self.client, self.settings.project)

    def environment(self, images: Mapping[str, str]) -> dict[str, str]:
        """Compose's variables, with these image references."""
        return compose_environment(
            self.settings,
            self.catalogs,
            images,
            version=project_version(self.settings.root),
            secrets_group=secrets.secrets_group(),
        )

    def compose(self, images: Mapping[str, str] | None = None, *, env_suffix: str | None = None) -> Compose:
        """Compose for this stack. Without images it can stop, show and remove, but not create."""
        known = images or {
            name: f"{self.settings.image_namespace}/{name}:{UNBUILT}" for name in self.image_names
        }
        environment = self.environment(known)
        if env_suffix is not None:
            environment["AUTOBOT_ENV_SUFFIX"] = env_suffix
        return Compose(self.settings.root, self.settings.project, environment)

    def compose_for_looking(self) -> Compose:
        """Compose for what works on a clone that was never set up: no images, the committed examples."""
        return self.compose(env_suffix=EXAMPLE_SUFFIX)

    def service_name(self, name: str) -> str:
        """The service that a person means, by its own, its agent's (`chat`) or its container's name.

        Raises UnknownName with the nearest name.
        """
        known = (*self.service_names, *self.observe())
        bare_name = name.removeprefix(f"{self.settings.project}-")
        for candidate in (name, f"{name}-agent", bare_name):
            if candidate in known:
                return candidate
        raise UnknownName("service", name, {*known, *self.catalogs.agents})

    def services_meant(self, name: str) -> tuple[str, ...]:
        """As service_name, and every service of the catalogs for `all`."""
        return self.service_names if name == ALL else (self.service_name(name),)

    def running_service(self, name: str) -> str:
        """As service_name; raises NotRunning if its container doesn't run."""
        service = self.service_name(name)
        state = self.observe().get(service)
        if state is None or state.status != "running":
            word = state.word if state else "not there"
            raise NotRunning(f"{service} is {word}", hint=f"inv up starts it; inv logs {service} says more.")
        return service


def open_stack(root: Path, settings: Settings) -> Stack:
    """The stack of a project folder; raises InvalidConfiguration for catalogs that don't hold."""
    return Stack(settings, load_catalogs(root, server_databases=settings.redis_databases))
