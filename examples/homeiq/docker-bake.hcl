# All images of the stack.
#
#   docker buildx bake                      everything
#   docker buildx bake data-collectors      one domain
#   docker buildx bake data-api             one service, with what it is built on
#
# Three levels: python-base -> homeiq-lib -> services.

variable "REGISTRY" {
  default     = ""
  description = "Where images are pushed to, with a slash at the end"
}

variable "TAG" {
  default = "latest"
}

variable "VERSION" {
  default     = "dev"
  description = "What /version answers"
}

variable "PYTHON_IMAGE" {
  default = "python:3.12-slim"
}

variable "NGINX_IMAGE" {
  default = "nginx:1.27"
}

function "tag" {
  params = [name]
  result = ["${REGISTRY}homeiq/${name}:${TAG}"]
}

# -- what others are built on ----------------------------------------------------------------------------

target "_common" {
  context = "."
  labels = {
    "org.opencontainers.image.title"   = "HomeIQ example"
    "org.opencontainers.image.version" = VERSION
  }
}

target "python-base" {
  inherits   = ["_common"]
  dockerfile = "images/python-base/Dockerfile"
  args       = { PYTHON_IMAGE = PYTHON_IMAGE }
  tags       = tag("python-base")
}

target "homeiq-lib" {
  inherits   = ["_common"]
  dockerfile = "libs/homeiq_common/Dockerfile"
  contexts   = { base = "target:python-base" }
  tags       = tag("homeiq-lib")
}

target "_service" {
  inherits = ["_common"]
  contexts = { base = "target:homeiq-lib" }
  args     = { VERSION = VERSION }
}

# -- groups ----------------------------------------------------------------------------------------------

group "default" {
  targets = ["full"]
}

group "full" {
  targets = [
    "base",
    "core-platform",
    "data-collectors",
    "energy-analytics",
    "automation-core",
    "device-management",
    "ml-engine",
    "frontends",
  ]
}

# In the engine too, not only in the build cache: Compose wants every image that it knows.
group "base" {
  targets = ["python-base", "homeiq-lib"]
}

group "core-platform" {
  targets = ["migrate", "data-api", "websocket-ingestion", "admin-api", "data-retention"]
}

group "data-collectors" {
  targets = ["sensor-simulator", "mqtt-ingestion", "weather-api", "collector"]
}

group "energy-analytics" {
  targets = ["energy-service"]
}

group "automation-core" {
  targets = ["automation-service"]
}

group "device-management" {
  targets = ["device-registry"]
}

group "ml-engine" {
  targets = ["ml-service"]
}

group "frontends" {
  targets = ["dashboard"]
}

# Not part of the stack. See tools/event-sender/Dockerfile: it needs homeiq-lib to exist.
group "extras" {
  targets = ["event-sender"]
}

# -- core-platform ---------------------------------------------------------------------------------------

target "migrate" {
  inherits   = ["_service"]
  dockerfile = "domains/core-platform/migrate/Dockerfile"
  tags       = tag("migrate")
}

target "data-api" {
  inherits   = ["_service"]
  dockerfile = "domains/core-platform/data-api/Dockerfile"
  tags       = tag("data-api")
}

target "websocket-ingestion" {
  inherits   = ["_service"]
  dockerfile = "domains/core-platform/websocket-ingestion/Dockerfile"
  tags       = tag("websocket-ingestion")
}

target "admin-api" {
  inherits   = ["_service"]
  dockerfile = "domains/core-platform/admin-api/Dockerfile"
  tags       = tag("admin-api")
}

target "data-retention" {
  inherits   = ["_service"]
  dockerfile = "domains/core-platform/data-retention/Dockerfile"
  tags       = tag("data-retention")
}

# -- data-collectors -------------------------------------------------------------------------------------

target "sensor-simulator" {
  inherits   = ["_service"]
  dockerfile = "domains/data-collectors/sensor-simulator/Dockerfile"
  tags       = tag("sensor-simulator")
}

target "mqtt-ingestion" {
  inherits   = ["_service"]
  dockerfile = "domains/data-collectors/mqtt-ingestion/Dockerfile"
  tags       = tag("mqtt-ingestion")
}

target "weather-api" {
  inherits   = ["_service"]
  dockerfile = "domains/data-collectors/weather-api/Dockerfile"
  tags       = tag("weather-api")
}

target "collector" {
  name       = kind
  matrix     = { kind = ["air-quality", "carbon-intensity", "electricity-pricing"] }
  inherits   = ["_service"]
  dockerfile = "domains/data-collectors/collector/Dockerfile"
  args       = { KIND = kind }
  tags       = tag(kind)
}

# -- the other domains -----------------------------------------------------------------------------------

target "energy-service" {
  inherits   = ["_service"]
  dockerfile = "domains/energy-analytics/energy-service/Dockerfile"
  tags       = tag("energy-service")
}

target "automation-service" {
  inherits   = ["_service"]
  dockerfile = "domains/automation-core/automation-service/Dockerfile"
  tags       = tag("automation-service")
}

target "device-registry" {
  inherits   = ["_service"]
  dockerfile = "domains/device-management/device-registry/Dockerfile"
  tags       = tag("device-registry")
}

target "ml-service" {
  inherits   = ["_service"]
  dockerfile = "domains/ml-engine/ml-service/Dockerfile"
  tags       = tag("ml-service")
}

# Its first stage needs Python and nothing of the library, so it hangs on python-base directly.
target "dashboard" {
  inherits   = ["_service"]
  dockerfile = "domains/frontends/dashboard/Dockerfile"
  contexts   = { base = "target:python-base" }
  args       = { NGINX_IMAGE = NGINX_IMAGE }
  tags       = tag("dashboard")
}

# -- extras ----------------------------------------------------------------------------------------------

target "event-sender" {
  inherits   = ["_common"]
  dockerfile = "tools/event-sender/Dockerfile"
  args       = { REGISTRY = REGISTRY, TAG = TAG }
  tags       = tag("event-sender")
}
