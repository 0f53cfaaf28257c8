#!/bin/sh
# Puts one agent's code into /app: add-code.sh AGENT. Always the last layer of an image.
#
# Modules that are named after another agent stay out: a change in them must not give this image
# another content. Readable for every user, whatever the checkout's umask was.
set -eu

agent=$1

install -d /app/docker/base /app/data /app/logs
cp -R /run/code/src /app/src
cp -R /run/code/scripts /app/docker/base/scripts
find /app/src -name __pycache__ -prune -exec rm -rf {} +
for other in chat rag npu research knowledge; do
    [ "$other" = "$agent" ] || rm -rf "/app/src/agents/$other.py" "/app/src/agents/$other" /app/src/agents/"$other"_*
done
chmod -R a+rX,go-w /app
chmod 0555 /app/docker/base/scripts/*.sh
chown 10001:10001 /app/data /app/logs

# Time first, bytecode second, then the folders that bytecode made: as in venv-install.sh.
find /app -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
PYTHONHASHSEED=0 /opt/venv/bin/python -m compileall -q --invalidation-mode timestamp /app/src
find /app -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
touch --date="@$SOURCE_DATE_EPOCH" / /run /etc
