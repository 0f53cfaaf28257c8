#!/bin/bash
# Starts an agent: checks its environment, waits for what it depends on, checks its volumes, then
# becomes the server, so that signals reach it and its exit code is the container's.
#
# Exit codes before the server runs: 2 something is missing or unreadable, 4 a dependency doesn't
# answer within DEPENDENCY_WAIT_SECONDS. Every problem is named at once, each with a hint.
set -euo pipefail

# shellcheck source=docker/base/scripts/common-functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/common-functions.sh"

check_environment || exit 2
check_volumes || exit 2
wait_for_dependencies || exit 4

log INFO "starting: $*"
exec "$@"
