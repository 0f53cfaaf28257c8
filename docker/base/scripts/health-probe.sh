#!/bin/bash
# The container's health check: healthy is who can serve now, so that `inv up` ends when requests work.
#
# Runs every few seconds for as long as the container lives, so it starts no other program: bash
# speaks HTTP itself. Prints the answer's body, which `docker inspect` keeps and `inv up` shows.
# Exits 0 when the answer is 200, 1 otherwise.
set -u

address="127.0.0.1/${AGENT_PORT:-8000}"
path=/readyz

if ! { exec 3<>"/dev/tcp/$address"; } 2>/dev/null; then
    echo "nothing listens on port ${AGENT_PORT:-8000} yet"
    exit 1
fi
# Shorter than the health check's own timeout: a hanging server shall be named, not just killed.
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$path" >&3
if ! IFS=' ' read -r -t 4 _ status _ <&3; then
    echo "no answer on $path within 4 s"
    exit 1
fi
while IFS= read -r -t 1 header <&3 && [ "$header" != $'\r' ]; do :; done
IFS= read -r -d '' -t 1 body <&3
printf '%s\n' "${body:-status $status without a body}"
[ "$status" = 200 ]
