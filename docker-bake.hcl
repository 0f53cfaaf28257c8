# The image graph: root → python-agent-base → ai | web → agents; root → redis, postgres.
#
# `inv build` calls this file with an override that adds content tags, labels and the host's own
# settings, and replaces a parent that needs no build by its image. It also works alone:
#   docker buildx bake --set '*.args.ROOT_IMAGE=…' redis

group "default" {
  targets = ["agents", "data"]
}

group "agents" {
  targets = ["chat", "rag", "npu", "research", "knowledge"]
}

group "data" {
  targets = ["redis", "postgres"]
}

# How the host reaches its package mirrors. Secrets are in no layer, no history and no cache key;
# an empty file means that the image's own settings hold.
variable "APT_SOURCES" { default = "/dev/null" }
variable "APT_CONF" { default = "/dev/null" }
variable "CA_BUNDLE" { default = "/dev/null" }
variable "PIP_CONF" { default = "/dev/null" }
variable "UV_CONFIG" { default = "/dev/null" }

target "_debian" {
  context = "."
  secret = [
    "id=apt_sources,src=${APT_SOURCES}",
    "id=apt_conf,src=${APT_CONF}",
    "id=ca_bundle,src=${CA_BUNDLE}",
  ]
}

target "_python" {
  inherits = ["_debian"]
  secret = [
    "id=apt_sources,src=${APT_SOURCES}",
    "id=apt_conf,src=${APT_CONF}",
    "id=ca_bundle,src=${CA_BUNDLE}",
    "id=pip_conf,src=${PIP_CONF}",
    "id=uv_config,src=${UV_CONFIG}",
  ]
}

target "root" {
  inherits   = ["_debian"]
  dockerfile = "docker/base/Dockerfile.root"
  args       = { ROOT_IMAGE = "debian:bookworm-slim" }
}

target "redis" {
  inherits   = ["_debian"]
  dockerfile = "docker/redis/Dockerfile"
  contexts   = { root = "target:root" }
}

target "postgres" {
  inherits   = ["_debian"]
  dockerfile = "docker/postgres/Dockerfile"
  contexts   = { root = "target:root" }
}
