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

# Wheels that no index offers, or that shall not be fetched twice.
variable "WHEELS" { default = "docker/base/wheels" }

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
  contexts = { wheels = "${WHEELS}" }
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

target "uv" {
  inherits   = ["_python"]
  dockerfile = "docker/base/Dockerfile.uv"
  contexts   = { root = "target:root" }
}

target "python-agent-base" {
  inherits   = ["_python"]
  dockerfile = "docker/base/Dockerfile.python-agent"
  target     = "base"
  contexts   = { root = "target:root", uv = "target:uv" }
}

target "ai" {
  inherits   = ["_python"]
  dockerfile = "docker/base/Dockerfile.python-agent"
  target     = "ai"
  contexts   = { python-agent-base = "target:python-agent-base", uv = "target:uv" }
}

target "web" {
  inherits   = ["_python"]
  dockerfile = "docker/base/Dockerfile.python-agent"
  target     = "web"
  contexts   = { python-agent-base = "target:python-agent-base", uv = "target:uv" }
}

target "chat" {
  inherits   = ["_python"]
  dockerfile = "docker/agents/Dockerfile.chat-agent"
  contexts   = { ai = "target:ai", uv = "target:uv" }
}

target "rag" {
  inherits   = ["_python"]
  dockerfile = "docker/agents/Dockerfile.rag-agent"
  contexts   = { ai = "target:ai", uv = "target:uv" }
}

target "npu" {
  inherits   = ["_python"]
  dockerfile = "docker/agents/Dockerfile.npu-agent"
  contexts   = { ai = "target:ai", uv = "target:uv" }
}

target "research" {
  inherits   = ["_python"]
  dockerfile = "docker/agents/Dockerfile.research-agent"
  contexts   = { web = "target:web", uv = "target:uv" }
}

target "knowledge" {
  inherits   = ["_python"]
  dockerfile = "docker/agents/Dockerfile.knowledge-agent"
  contexts   = { python-agent-base = "target:python-agent-base", uv = "target:uv" }
}
