"""Let running servers read their certificates again: new connections meet the new one, open ones stay."""

from __future__ import annotations

from autobot_ops.errors import ServiceUnreachable
from autobot_ops.isolation.secrets import read_secret, redis_password_name
from autobot_ops.stack.inside import run_inside
from autobot_ops.stack.stack import Stack


class CertificateNotLoaded(ServiceUnreachable):
    """A server refused its new certificate and keeps the former one."""


def load_certificate(stack: Stack, service: str) -> None:
    """Inside the service's container, which works wherever the engine is. Raises CertificateNotLoaded."""
    if service == "redis":
        # Setting the name that it has already makes Redis read the file.
        password = read_secret(stack.settings.secrets_dir, redis_password_name("operator"))
        answer = run_inside(
            stack,
            service,
            "redis-cli",
            input_text=f"AUTH operator {password}\nCONFIG SET tls-cert-file {in_container('redis')}\n",
        )
        loaded = answer.split() == ["OK", "OK"]
    else:
        loaded = run_inside(stack, service, "apply-certificate").split() == ["loaded"]
    if not loaded:
        raise CertificateNotLoaded(
            f"{service} did not load its certificate",
            hint=f"inv logs {service} says why; inv restart {service} reads the file again.",
        )


def in_container(service: str) -> str:
    """Where a container has its certificate."""
    return f"/run/secrets/{service}_server_certificate"
