#!/bin/sh
# Makes what one build step wrote the same on every run: seal-layer.sh STAMP [FOLDER]
#
# FOLDER is where the step wrote; without one the whole root is searched.
# STAMP is a file made when the step began, and a moment before it wrote anything, since a file
# system's clock ticks slowly. Only files that changed after it are touched: anything else belongs to
# a layer below, and touching it would copy it into this one.
set -eu

stamp=$1
folder=${2:-/}
epoch=${SOURCE_DATE_EPOCH:?set by the Dockerfile}

# Logs, caches that programs rebuild, and what identifies one machine.
rm -rf /var/lib/dbus/machine-id /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/ssl/private/ssl-cert-snakeoil.key \
    /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log \
    /var/log/fontconfig.log /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old \
    /var/cache/fontconfig /var/lib/dpkg/*-old /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-

# Nothing here may gain rights by being executed.
find "$folder" -xdev -perm /6000 -cnewer "$stamp" -exec chmod a-s {} +

find "$folder" -xdev -cnewer "$stamp" -newermt "@$epoch" -exec touch --no-dereference --date="@$epoch" {} +
# The mount points of build steps come and go in these.
touch --date="@$epoch" / /run /etc
