"""What an audit finds: the rules, each with its reason, and the source that says so."""

from __future__ import annotations

from homeport.model.finding import Rule, Severity

_DOCKERFILE = "https://docs.docker.com/reference/dockerfile/"
_BEST = "https://docs.docker.com/build/building/best-practices/"
_COMPOSE = "https://docs.docker.com/reference/compose-file/"
_CACHE = "https://docs.docker.com/build/cache/optimize/"

CACHE_MISSING = Rule(
    "cache-missing",
    Severity.WARNING,
    "Packages are fetched anew by each build of this step",
    "A cache mount keeps what a package manager fetched between builds, outside of the image. Without one, "
    "each change of the dependencies downloads all of them.",
    f"{_CACHE}#use-cache-mounts",
)
CACHE_DEFEATED = Rule(
    "cache-defeated",
    Severity.WARNING,
    "A cache mount that does nothing",
    "The step has a cache mount, and something keeps the package manager from using it: it costs a line and "
    "saves no time.",
    f"{_CACHE}#use-cache-mounts",
)
COPY_TOO_EARLY = Rule(
    "copy-before-install",
    Severity.WARNING,
    "Sources are copied before dependencies are installed",
    "Any change of any file makes all dependencies be installed again: the step's input is everything.",
    f"{_CACHE}#order-your-layers",
)
RUNS_AS_ROOT = Rule(
    "runs-as-root",
    Severity.WARNING,
    "The image runs as root",
    "Who breaks out of the program is root in the container, and one mistake away from the host.",
    f"{_BEST}#user",
)
BASE_UNTAGGED = Rule(
    "base-latest",
    Severity.WARNING,
    "The base image has no version",
    "'latest' is another image tomorrow: what worked fails, or what was fixed changes, without a commit.",
    f"{_BEST}#pin-base-image-versions",
)
BASE_UNPINNED = Rule(
    "base-unpinned",
    Severity.NOTE,
    "The base image isn't pinned by digest",
    "A tag can be moved. Only a digest says which image it is.",
    f"{_BEST}#pin-base-image-versions",
)
BASE_OUTDATED = Rule(
    "base-outdated",
    Severity.NOTE,
    "The base image's tag has moved on",
    "What the digest pins gets no fixes any more: they come with the tag's new digest.",
    f"{_BEST}#pin-base-image-versions",
)
NO_HEALTH_CHECK = Rule(
    "no-healthcheck",
    Severity.NOTE,
    "Nothing says whether the service is well",
    "Without a health check in image or Compose file a deploy can only see whether the process runs.",
    f"{_DOCKERFILE}#healthcheck",
)
SECRET = Rule(
    "secret-in-image",
    Severity.ERROR,
    "A secret in ENV or ARG",
    "Whoever has the image can read it: ENV stands in its configuration, ARG in its history.",
    "https://docs.docker.com/build/building/secrets/",
)
BUILD_TOOLS = Rule(
    "build-tools-left",
    Severity.NOTE,
    "Compilers are in the final image",
    "They make the image larger, and help whoever breaks in. A stage that builds can be left behind.",
    f"{_BEST}#use-multi-stage-builds",
)
UNREADABLE = Rule(
    "unreadable",
    Severity.ERROR,
    "BuildKit rejects this file",
    "Nothing else can be said of a file that doesn't parse, and no build of it succeeds.",
    _DOCKERFILE,
)
COMPOSE_UNREADABLE = Rule(
    "compose-unreadable",
    Severity.ERROR,
    "Compose can't read this project",
    "Nothing else can be said of it, and no Compose command works with it.",
    f"{_COMPOSE}",
)
NO_BUILD_CACHE = Rule(
    "no-build-cache",
    Severity.NOTE,
    "A build that no other machine can begin from",
    "A fresh CI machine builds everything anew. A cache in a registry, one for each service, helps all.",
    "https://docs.docker.com/build/cache/backends/registry/",
)
SYSTEM_CACHE_MISSING = Rule(
    "system-cache-missing",
    Severity.NOTE,
    "System packages are fetched anew by each build of this step",
    "A cache mount keeps what apt or apk fetched. It changes seldom, so this costs less than elsewhere.",
    f"{_CACHE}#use-cache-mounts",
)
NO_LIMITS = Rule(
    "no-limits",
    Severity.NOTE,
    "A service may take all cores or all memory",
    "One service that runs wild takes the others with it: the kernel ends whichever it likes.",
    f"{_COMPOSE}deploy/#resources",
)
NO_RESTART = Rule(
    "no-restart",
    Severity.WARNING,
    "A service that ends stays down",
    "Without a restart policy a crash, or a restart of the machine, is an outage until somebody looks.",
    f"{_COMPOSE}services/#restart",
)
NO_ROTATION = Rule(
    "no-log-rotation",
    Severity.NOTE,
    "Logs grow until the disk is full",
    "Docker's default driver, json-file, keeps everything unless it is told otherwise, here or in the "
    "daemon's own configuration, which is not looked at.",
    "https://docs.docker.com/engine/logging/configure/",
)
STARTS_EARLY = Rule(
    "starts-too-early",
    Severity.WARNING,
    "A service doesn't wait until what it needs is well",
    "A list only says that the process exists. Its health check would say when it is ready.",
    f"{_COMPOSE}services/#depends_on",
)
PORT_TWICE = Rule(
    "port-twice",
    Severity.ERROR,
    "Two services want the same port of the host",
    "Only one can have it: the other doesn't start.",
    f"{_COMPOSE}services/#ports",
)
PORT_OF_PROFILES = Rule(
    "port-twice-by-profiles",
    Severity.NOTE,
    "Two services of different profiles want the same port of the host",
    "Asked for together, only one of them starts.",
    f"{_COMPOSE}profiles/",
)
INCLUDE_CONFLICT = Rule(
    "include-conflict",
    Severity.ERROR,
    "Compose refuses this project: two files define one thing in two ways",
    "No Compose command works with this file, 'config' and 'up' included.",
    f"{_COMPOSE}include/",
)
IMAGE_UNTAGGED = Rule(
    "image-latest",
    Severity.WARNING,
    "A service's image has no version",
    "The next pull brings another program, and a rollback of the file doesn't bring the old one back.",
    f"{_COMPOSE}services/#image",
)
PRIVILEGED = Rule(
    "privileged",
    Severity.WARNING,
    "A container with the rights of the host",
    "Who breaks into it has the machine.",
    f"{_COMPOSE}services/#privileged",
)
ENGINE_SOCKET = Rule(
    "engine-socket",
    Severity.WARNING,
    "A container that commands the engine",
    "Who can talk to the engine is root on the host, read-only mount or not: it starts any container.",
    "https://docs.docker.com/engine/security/protect-access/",
)
HOST_NETWORK = Rule(
    "host-network",
    Severity.NOTE,
    "A container in the host's network",
    "It sees all that listens on the host's own addresses, and its ports are nobody else's.",
    f"{_COMPOSE}services/#network_mode",
)
STOPS_FIRST = Rule(
    "stops-first",
    Severity.NOTE,
    "A service whose callers notice a deploy",
    "It can't run twice, so the old one stops before the new one starts.",
    f"{_COMPOSE}deploy/#update_config",
)
CONTEXT_SECRET = Rule(
    "context-secret",
    Severity.ERROR,
    "A file with a secret is copied into what is built",
    "It stays in a layer of the image, or of the build cache, even if a later step deletes it.",
    "https://docs.docker.com/build/building/secrets/",
)
CONTEXT_HEAVY = Rule(
    "context-heavy",
    Severity.WARNING,
    "What no image needs is sent to the builder",
    "It is sent again whenever it changes, makes COPY steps run again that would be cached, and makes images "
    "larger.",
    "https://docs.docker.com/build/concepts/context/#dockerignore-files",
)
CONTEXT_NO_IGNORE = Rule(
    "context-no-ignore",
    Severity.NOTE,
    "A whole folder is copied, and nothing is ignored",
    "Whatever comes to lie there gets into the image: caches, logs, keys.",
    "https://docs.docker.com/build/concepts/context/#dockerignore-files",
)
RULES = (
    NO_LIMITS,
    NO_RESTART,
    NO_ROTATION,
    STARTS_EARLY,
    PORT_TWICE,
    PORT_OF_PROFILES,
    INCLUDE_CONFLICT,
    IMAGE_UNTAGGED,
    PRIVILEGED,
    ENGINE_SOCKET,
    HOST_NETWORK,
    STOPS_FIRST,
    CACHE_MISSING,
    SYSTEM_CACHE_MISSING,
    CACHE_DEFEATED,
    COPY_TOO_EARLY,
    RUNS_AS_ROOT,
    BASE_UNTAGGED,
    BASE_UNPINNED,
    BASE_OUTDATED,
    NO_HEALTH_CHECK,
    SECRET,
    BUILD_TOOLS,
    UNREADABLE,
    COMPOSE_UNREADABLE,
    NO_BUILD_CACHE,
    CONTEXT_SECRET,
    CONTEXT_HEAVY,
    CONTEXT_NO_IGNORE,
)
OFF = frozenset({BASE_UNPINNED.id, BASE_OUTDATED.id, NO_BUILD_CACHE.id})
"""Rules that are looked at only where somebody asks for them."""
SECURITY = (PRIVILEGED, ENGINE_SOCKET, SECRET, CONTEXT_SECRET, RUNS_AS_ROOT)
"""What a scan of the repository's images says, too."""
