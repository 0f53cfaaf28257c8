"""What an image says of its own packages: a container of it prints its records, without a network."""

from __future__ import annotations

from autobot_ops.adapters import process

SECONDS = 120
RECORDS = """
echo '== release'; cat /etc/os-release
echo '== debian'; cat /var/lib/dpkg/status
for file in /opt/venv/lib/python3*/site-packages/*.dist-info/METADATA; do
    [ -e "$file" ] || continue
    echo '== python'; sed '/^\\r*$/q' "$file"
done
echo '== end'
"""


def read_records(image: str) -> str:
    """Sections that begin with `== NAME`: release, debian, one python for each distribution, end.

    Raises ExternalCommandFailed, also for an image that the engine doesn't have: none is pulled.
    """
    words = (
        *("docker", "run", "--rm", "--pull", "never", "--log-driver", "none", "--network", "none"),
        *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--memory", "256m", "--pids-limit", "64", "--entrypoint", "sh"),
    )
    return process.query([*words, image, "-c", RECORDS], timeout=SECONDS)
