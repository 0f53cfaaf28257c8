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
rm -f /opt/venv/.lock

# What only a compiler or the authors' own tests would use; a third of these packages' size.
cd "$site_packages"
rm -rf torch/include torch/share/cmake openvino/include
if [ -d torch/bin ]; then find torch/bin -mindepth 1 ! -name torch_shm_manager -delete; fi
for package in networkx numpy scipy sklearn sympy; do
    [ ! -d "$package" ] || find "$package" -type d -name tests -cnewer "$stamp" -prune -exec rm -rf {} +
done

# Time first, bytecode second: a .pyc remembers its source's time, and on a read-only root a stale one
# would be compiled again at every start. The seed fixes the order of sets inside the files.
# Without a mode Python would take the constant date as a wish for hashes, and read every source to
# check its hash. A package may carry sources for another Python version, which don't compile.
find . -cnewer "$stamp" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
find "$site_packages" -cnewer "$stamp" -name '*.py' -type f |
    PYTHONHASHSEED=0 /opt/venv/bin/python -m compileall -qq -j 0 --invalidation-mode timestamp -i - || true
/run/build-steps/seal-layer.sh "$stamp" /opt
rm -f "$stamp"
