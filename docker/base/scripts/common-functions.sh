#!/bin/bash
# What the agents' shell side shares. Sourced by agent-entrypoint.sh, and a tool inside a container:
#
#   docker exec autobot-chat-agent /app/docker/base/scripts/common-functions.sh debug_container
#
# Functions print to standard output, log lines go to standard error as JSON. None prints a secret.

readonly REQUIRED_VARIABLES=(AGENT_NAME AGENT_PORT REDIS_HOST REDIS_PORT REDIS_USERNAME REDIS_PASSWORD_FILE)
readonly POSTGRES_VARIABLES=(POSTGRES_PORT POSTGRES_DB POSTGRES_USER POSTGRES_PASSWORD_FILE)
readonly WRITABLE_FOLDERS=(/app/data /app/logs /tmp)

# ---- logging ------------------------------------------------------------------------------------

json_text() { # json_text TEXT: the text as it stands inside a JSON string
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    printf '%s' "${text//[[:cntrl:]]/ }"
}

log() { # log LEVEL MESSAGE [HINT]
    local hint=""
    [ -z "${3:-}" ] || hint=$(printf ', "hint": "%s"' "$(json_text "$3")")
    printf '{"time": "%(%Y-%m-%dT%H:%M:%S%z)T", "level": "%s", "agent": "%s", "message": "%s"%s}\n' \
        -1 "$1" "${AGENT_NAME:-unknown}" "$(json_text "$2")" "$hint" >&2
}

# ---- configuration ------------------------------------------------------------------------------

load_configuration() { # load_configuration FILE: exports its NAME=value lines; what is set already wins
    local name value
    [ -r "$1" ] || { log ERROR "$1 can't be read" "Check that it is mounted."; return 2; }
    while IFS='=' read -r name value || [ -n "$name" ]; do
        [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
        [ -n "${!name+set}" ] || export "$name=$value"
    done <"$1"
}

is_port() {
    [[ $1 =~ ^[0-9]{1,5}$ ]] && ((10#$1 >= 1 && 10#$1 <= 65535))
}

check_environment() { # names every missing or wrong variable and unreadable secret; 2 if there is one
    local name failed=0
    local -a required=("${REQUIRED_VARIABLES[@]}")
    [ -z "${POSTGRES_HOST:-}" ] || required+=("${POSTGRES_VARIABLES[@]}")
    for name in "${required[@]}"; do
        if [ -z "${!name:-}" ]; then
            log ERROR "the variable $name is missing" \
                "Compare docker/env/*.env with their examples, or run inv config.check."
            failed=2
        elif [[ $name == *_PORT ]] && ! is_port "${!name}"; then
            log ERROR "the variable $name is wrong: '${!name}' is no port" \
                "Correct docker/env/*.env, or the agent's part of compose/agents.yml, then inv up."
            failed=2
        elif [[ $name == *_FILE ]] && ! [ -r "${!name}" ]; then
            log ERROR "the secret file ${!name} can't be read by user $(id -u)" \
                "inv config.init makes secrets; they must belong to group AUTOBOT_SECRETS_GID."
            failed=2
        fi
    done
    if ! [[ ${DEPENDENCY_WAIT_SECONDS:-60} =~ ^[0-9]{1,6}$ ]]; then
        log ERROR "the variable DEPENDENCY_WAIT_SECONDS is wrong: '$DEPENDENCY_WAIT_SECONDS' is no number of seconds" \
            "Correct it in docker/env/*.env, then inv up."
        failed=2
    fi
    return "$failed"
}

check_volumes() { # tries to write where the agent must; 2 if it can't
    local folder probe failed=0
    for folder in "${WRITABLE_FOLDERS[@]}"; do
        probe="$folder/.write-probe.$$"
        if { : >"$probe"; } 2>/dev/null; then
            rm -f "$probe"
        else
            log ERROR "$folder can't be written by user $(id -u)" \
                "The disk is full, or the volume belongs to another user: the agent runs as 10001:10001."
            failed=2
        fi
    done
    return "$failed"
}

# ---- dependencies -------------------------------------------------------------------------------

dependencies() { # lines NAME HOST PORT of what this agent needs
    printf 'redis %s %s\n' "${REDIS_HOST:-redis}" "${REDIS_PORT:-6379}"
    [ -z "${POSTGRES_HOST:-}" ] || printf 'postgres %s %s\n' "$POSTGRES_HOST" "${POSTGRES_PORT:-5432}"
}

test_connection() { # test_connection HOST PORT [SECONDS]: 0 if a TCP connection opens
    # shellcheck disable=SC2016 # the inner bash expands them
    timeout "${3:-2}" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null
}

wait_for_dependencies() { # all of them within one budget; 4 and the names of those that don't answer
    local budget=$((10#${DEPENDENCY_WAIT_SECONDS:-60})) name host port failed=0
    local deadline=$((SECONDS + budget))
    while read -r name host port; do
        until test_connection "$host" "$port" 2; do
            if ((SECONDS >= deadline)); then
                log ERROR "$name does not answer at $host:$port within $budget s" \
                    "Look at it with: inv status, inv logs $name."
                failed=4
                break
            fi
            sleep 0.3
        done
    done < <(dependencies)
    return "$failed"
}

# ---- looking at a container ---------------------------------------------------------------------

health_check() { # the agent's own answer
    "$(dirname "${BASH_SOURCE[0]}")/health-probe.sh"
}

show_environment() { # variables, with whatever may be a secret hidden; *_FILE names a place, not a secret
    local name
    while IFS= read -r name; do
        if [[ $name != *_FILE && $name =~ PASS|SECRET|TOKEN|KEY|CREDENTIAL|AUTH ]]; then
            printf '%s=***\n' "$name"
        else # a password in a URL is hidden too
            printf '%s=%s\n' "$name" "${!name}" | sed -E 's#(://[^:/@]*):[^@]*@#\1:***@#'
        fi
    done < <(compgen -e | sort)
}

show_system() { # memory against the container's limit, load, disks
    local used limit
    # cgroup v2 first, then v1
    used=$(cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null | head -n 1)
    limit=$(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null | head -n 1)
    [[ $limit =~ ^[0-9]+$ ]] && limit="$((limit / 1048576)) MiB"
    printf 'memory: %s MiB of %s\n' "$((${used:-0} / 1048576))" "${limit:-unknown}"
    printf 'load:   %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
    df -h / "${WRITABLE_FOLDERS[@]}" 2>/dev/null
}

show_dependencies() {
    local name host port
    while read -r name host port; do
        if test_connection "$host" "$port" 2; then
            printf '%-9s %s:%s answers\n' "$name" "$host" "$port"
        else
            printf '%-9s %s:%s DOES NOT ANSWER\n' "$name" "$host" "$port"
        fi
    done < <(dependencies)
}

debug_container() { # everything that one asks for first; prints no secret, changes nothing
    printf '== %s: user %s, %s\n' "${AGENT_NAME:-unknown}" "$(id -u):$(id -g)" \
        "$(python3 --version 2>&1 || echo 'no python')"
    printf '\n== environment\n' && show_environment
    printf '\n== system\n' && show_system
    printf '\n== dependencies\n' && show_dependencies
    printf '\n== health\n' && { health_check || true; }
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -uo pipefail
    runnable="debug_container health_check show_environment show_system show_dependencies test_connection"
    runnable+=" check_environment check_volumes wait_for_dependencies"
    if [[ " $runnable " == *" ${1:-} "* ]] && [ -n "${1:-}" ]; then
        "$@"
    else
        printf 'usage: %s FUNCTION [ARGUMENTS]\nfunctions: %s\n' "${0##*/}" "$runnable" >&2
        exit 2
    fi
fi
