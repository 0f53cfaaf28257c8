"""What the engine, Compose and the services write when they fail, and what it means. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from autobot_ops.errors import ConfigurationError, ExternalCommandFailed, ServiceUnreachable

CONFIGURATION = ConfigurationError.exit_code
EXTERNAL = ExternalCommandFailed.exit_code
UNREACHABLE = ServiceUnreachable.exit_code


@dataclass(frozen=True)
class Rule:
    """A pattern, and the words for it: {service} is the service, {0} and {1} are the groups that matched."""

    pattern: str
    cause: str
    fix: str
    exit_code: int


RULES = (
    Rule(
        r"(?:Bind for \S*?:(\d+) failed: port is already allocated"
        r"|:(\d+): bind: address already in use|ports are not available.*?:(\d+))",
        "port {0} is taken by another program",
        "Free the port, or choose others: AUTOBOT_PORT_OFFSET=1000 inv up",
        UNREACHABLE,
    ),
    Rule(
        r"[Nn]o space left on device|[Dd]isk quota exceeded",
        "the disk is full",
        "Free space: docker system df shows what Docker uses, docker builder prune frees the build cache.",
        UNREACHABLE,
    ),
    Rule(
        r"[Nn]o such image: (\S+)|pull access denied for ([^\s,]+)|manifest for (\S+) not found",
        "the image {0} is missing",
        "Build it: inv build",
        EXTERNAL,
    ),
    Rule(
        r'container name "/?([^"]+)" is already in use',
        "another container is called {0}",
        "Remove it (docker rm {0}), or choose another name: AUTOBOT_PROJECT=mine inv up",
        CONFIGURATION,
    ),
    Rule(
        r"bind source path does not exist: (\S+)",
        "{0} is missing",
        "inv config.init makes environment files and secrets; git checkout restores anything else.",
        CONFIGURATION,
    ),
    Rule(
        r"non-overlapping IPv4 address pool|all predefined address pools have been fully subnetted",
        "Docker has no free network addresses left",
        "Remove networks that nothing uses: docker network prune",
        UNREACHABLE,
    ),
    Rule(
        r"Range of CPUs is from|error setting rlimit|[Mm]inimum memory (?:limit|reservation)",
        "this machine can't give {service} the resources that its limits name",
        "Lower the limits of {service} in compose/.",
        CONFIGURATION,
    ),
    Rule(
        r"the variable (\w+) is missing",
        "a variable is missing: {0}",
        "Compare docker/env/*.env with their examples, or run inv config.check.",
        CONFIGURATION,
    ),
    Rule(
        r"the variable (\w+ is wrong: [^\n\"]+)",
        "the variable {0}",
        "Correct docker/env/*.env, or the agent's part of compose/agents.yml, then inv up.",
        CONFIGURATION,
    ),
    Rule(
        r"settings of agent '\w+' are wrong: ([^\n\"]+)",
        "its settings are wrong: {0}",
        "Correct docker/env/*.env, or the agent's part of compose/agents.yml, then inv up.",
        CONFIGURATION,
    ),
    Rule(
        r"(/run/secrets/\w+)\W[^\n]*(?:[Pp]ermission denied|can't be read)"
        r"|the secret file (\S+) can't be read|the secret (\w+) is missing or unreadable",
        "the secret {0} can't be read inside the container",
        "Remove its file below .autobot and run inv config.init, as the user who runs the stack.",
        CONFIGURATION,
    ),
    Rule(
        r"(password authentication failed for user \"?\w+|WRONGPASS[^\n\"]*|NOAUTH[^\n\"]*"
        r"|invalid username-password pair)",
        "a wrong password: {0}",
        "The server reads the secrets when it starts: inv restart postgres, or inv restart redis.",
        UNREACHABLE,
    ),
    Rule(
        r"(Failed to (?:load certificate|load private key|configure TLS)|certificate verify failed[^\n\"]*"
        r"|could not load (?:server certificate|private key) file)",
        "a certificate doesn't fit: {0}",
        "inv config.check looks at the certificates; inv up makes again what is missing below .autobot.",
        UNREACHABLE,
    ),
    Rule(
        r"(NOPERM[^\n\"]*)",
        "a right is missing: {0}",
        "Grant it in config/agents.yaml, then inv up.",
        CONFIGURATION,
    ),
    Rule(
        r"dependency failed to start: container \S+ (is unhealthy|exited \(\d+\))",
        "it {0}, and others need it",
        "Look at it first: inv logs {service}",
        UNREACHABLE,
    ),
    Rule(
        r"(\w+) does not answer at (\S+) within (\d+) s",
        "{0} does not answer at {1}",
        "Look at it first: inv status, inv logs {0}",
        UNREACHABLE,
    ),
    Rule(
        r"(/\S+) can't be written|[Cc]an't open or create append-only dir (\S+): Permission denied"
        r"|could not \w+ \w+ \"([^\"]+)\": Permission denied",
        "{0} can't be written by the container's user",
        "The volume belongs to another user. inv down --volumes removes it together with its data.",
        UNREACHABLE,
    ),
    Rule(
        r"(Bad file format reading the append only file|Unexpected end of file reading the append only file)",
        "Redis can't read its append-only file: {0}",
        "Restore a backup, or repair a copy of the file with redis-check-aof --fix.",
        UNREACHABLE,
    ),
    Rule(
        r"(database files are incompatible with server|Can't handle RDB format version \d+)",
        "the volume was written by another version: {0}",
        "Start the version that wrote it, back up, and restore into this one.",
        UNREACHABLE,
    ),
    Rule(
        r"(?:ModuleNotFoundError|ImportError): ([^\n]+)",
        "the image lacks a part of the program: {0}",
        "Build it anew: inv build",
        EXTERNAL,
    ),
    Rule(
        r"executable file not found|exec format error|no such file or directory: unknown",
        "the image of {service} can't be executed",
        "Build it anew: inv build --no-cache",
        EXTERNAL,
    ),
)
"""The first that fits names the cause, so the more certain ones come first."""
