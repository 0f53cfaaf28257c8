#!/bin/sh
# Brings the installed Debian packages up to date and adds some: apt-install.sh [PACKAGE...]
#
# Bind-mounted by every Dockerfile, so that the rules stand once:
# - The host's apt sources, proxies and certificates come in as build secrets. Nothing of them is
#   written to the image, and neither are package lists or downloaded packages.
# - Documentation, manuals and translations stay out, as in Debian's own slim images.
#   DPKG_EXCLUDE names more patterns, separated by spaces, that dpkg must not unpack.
# - Services don't start inside a build.
set -eu

cache=/run/apt # a cache mount: lists and packages survive there between builds, never in a layer
mkdir -p "$cache/lists/partial" "$cache/archives/partial"

secret() { [ -s "/run/secrets/$1" ]; }

# One file for apt's options. APT_CONFIG is read before the image's own apt.conf.d.
APT_CONFIG=$(mktemp)
export APT_CONFIG DEBIAN_FRONTEND=noninteractive
{
    if secret apt_conf; then cat /run/secrets/apt_conf; fi
    if secret ca_bundle; then echo 'Acquire::https::CAInfo "/run/secrets/ca_bundle";'; fi
    if secret apt_sources; then
        echo 'Dir::Etc::SourceList "/run/secrets/apt_sources";'
        echo 'Dir::Etc::SourceParts "/dev/null";'
    elif ! grep -rqsE '^(deb |Types:)' /etc/apt/sources.list /etc/apt/sources.list.d; then
        echo "apt-install.sh: the root image has no apt sources and the host gave none" >&2
        exit 2
    fi
    cat <<EOF
Dir::State::lists "$cache/lists";
Dir::Cache::archives "$cache/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "3";
# The cache mount belongs to root, and apt's own user could not write there.
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
DPkg::Options {
    "--path-exclude=/usr/share/doc/*";
    "--path-include=/usr/share/doc/*/copyright";
    "--path-exclude=/usr/share/man/*";
    "--path-exclude=/usr/share/info/*";
    "--path-exclude=/usr/share/lintian/*";
    "--path-exclude=/usr/share/locale/*";
};
EOF
    set -f # the patterns are dpkg's, not the shell's
    for pattern in ${DPKG_EXCLUDE:-}; do
        echo "DPkg::Options:: \"--path-exclude=$pattern\";"
    done
    set +f
} >"$APT_CONFIG"

# Exit 101 tells a package's scripts that starting services is forbidden.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
    made_policy=yes
fi

apt-get update -qq
apt-get upgrade -qq
if [ $# -gt 0 ]; then
    apt-get install -qq "$@"
fi

rm -f "$APT_CONFIG" ${made_policy:+"$policy"}
