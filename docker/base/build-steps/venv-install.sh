#!/bin/sh
# Installs one layer's Python packages into the shared environment: venv-install.sh REQUIREMENTS
#
# The file pins every package with its hashes and holds only what the layers below lack, so nothing
# of theirs is written again. Where packages come from (index, find-links, certificate) is the
# host's own pip configuration, translated to uv's and mounted as a secret; wheels from a folder of
# the host are mounted on /run/wheels. Sources are never built: an image has no compiler.
set -eu

requirements=$1
site_packages=$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
stamp=$(mktemp)

if [ -s /run/secrets/uv_config ]; then export UV_CONFIG_FILE=/run/secrets/uv_config; else export UV_NO_CONFIG=1; fi
if [ -s /run/secrets/ca_bundle ]; then export SSL_CERT_FILE=/run/secrets/ca_bundle; fi
export UV_CACHE_DIR=/run/uv-cache UV_LINK_MODE=copy UV_NO_PROGRESS=1

# --no-deps: the file is complete, and what it leaves out is in a parent's layer; `check` proves it.
/run/uv pip install --python /opt/venv/bin/python --require-hashes --no-deps --only-binary :all: \
    --find-links /run/wheels --requirements "$requirements"
/run/uv pip check --python /opt/venv/bin/python

# What only a compiler or a test run would read. Everything else stays as its authors ship it.
rm -rf "$site_packages/torch/include" "$site_packages/torch/share/cmake" "$site_packages/torch/test"
find "$site_packages" -cnewer "$stamp" -type d \( -name tests -o -name test \) -path '*/site-packages/*/*' \
    -prune -print >"$stamp.tests"

# Time first, bytecode second: a .pyc remembers its source's time, and on a read-only root a stale one
# would be compiled again at every start. The seed keeps the order of sets in it the same.
find "$site_packages" -cnewer "$stamp" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
find "$site_packages" -cnewer "$stamp" -name '*.py' -type f |
    PYTHONHASHSEED=0 /opt/venv/bin/python -m compileall -q -j 0 -i - || true
rm -f "$stamp.tests"
/run/build-steps/seal-layer.sh "$stamp"
rm -f "$stamp"
