"""Stand-ins for official images, from Debian packages, for machines that reach no image registry.

    python ci/base_images.py                      build what is missing
    python ci/base_images.py --print-env          the same, then KEY=VALUE lines for a .env file
    python ci/base_images.py python postgres      only these

The first image is a minimal Debian of the machine's own suite, made by debootstrap from the machine's own
apt source. The others are built on it by the small Dockerfiles in ci/images/. Each carries a label with a
SHA-256 of everything that decided it, so a second run only asks the engine whether that is still true.

Nothing here decides whether stand-ins are needed: ask `reachable_registry()` and then call `ensure()`.
Only the standard library is used, so that a CI machine needs no installation before it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import apt_sources
from apt_sources import AptSource

IMAGES = Path(__file__).resolve().parent / "images"
NAMES = ("python", "postgres", "mosquitto", "nginx", "haproxy", "registry")

REPOSITORY = "homeport-ci"
LABEL = "io.homeport.ci"
LABEL_VALUE = "base-image"
INPUTS_LABEL = "io.homeport.ci.inputs"

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
EXTRA_CERTIFICATES = Path("/usr/local/share/ca-certificates")

# Bump when the making of the Debian image changes in a way that the constants below don't show.
DEBIAN_RECIPE = "1"
DEBIAN_PACKAGES = "ca-certificates"
DPKG_OPTIONS = """\
# Throw-away images: no fsync per file, no manuals, no translations.
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
"""
APT_OPTIONS = """\
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""
NO_SERVICES = "#!/bin/sh\n# No package may start a service while an image is built.\nexit 101\n"
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/log",
    "dev",
    "proc",
    "sys",
    "run",
)


class BaseImageError(Exception):
    """What happened, why, and what to do next; the exit code says whose fault it is."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def image_name(name: str, suite: str) -> str:
    """The tag of a stand-in; the suite is in it because it decides every version inside."""
    return f"{REPOSITORY}/{name}:{suite}"


def variable_name(name: str) -> str:
    """The variable that Dockerfiles and Compose files of this repository name the image by."""
    return f"{name.upper()}_IMAGE"


def reachable_registry(timeout_s: float = 3) -> bool:
    """Whether Docker Hub answers at all; 401 is its way to greet a client that has no token yet."""
    try:
        with urllib.request.urlopen("https://registry-1.docker.io/v2/", timeout=timeout_s):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False


def ensure(names: Sequence[str] | None = None) -> dict[str, str]:
    """Make the stand-ins that are missing or outdated; return the variables that name them.

    Safe to call from several processes at once: one builds, the others wait and find the work done.
    """
    wanted = _checked(names)
    suite = _suite()
    result = {variable_name(name): image_name(name, suite) for name in wanted}
    fingerprints = _fingerprints(wanted, suite)
    if not _outdated(fingerprints):
        return result
    with _only_one_at_a_time():
        outdated = _outdated(fingerprints)
        debian = image_name("debian", suite)
        if debian in outdated:
            _make_debian(debian, suite, fingerprints[debian])
        missing = [name for name in wanted if image_name(name, suite) in outdated]
        if missing:
            _build(missing, suite, fingerprints)
    return result


# -- facts ------------------------------------------------------------------------------------------------


def _apt_sources(suite: str) -> list[AptSource]:
    """The machine's own sources of its own suite: the main one first, then updates and security."""
    pockets = [suite, f"{suite}-updates", f"{suite}-security", f"{suite}/updates"]
    found = apt_sources.read()
    own = [
        source for source in found if source.suite in pockets and source.uri.startswith(("http:", "https:"))
    ]
    own.sort(key=lambda source: pockets.index(source.suite))
    if not own or own[0].suite != suite:
        raise BaseImageError(
            f"no http(s) apt source for suite {suite!r} in {apt_sources.APT}.\n"
            f"The stand-in images are made from it: add one, or use official images from a registry.",
            exit_code=2,
        )
    return own


def _keyring(source: AptSource) -> str:
    """The file with the key that signs a source; empty where apt's default keys do, or the key is inline."""
    signed_by = dict(source.options).get("Signed-By", "")
    return signed_by if signed_by.startswith("/") else ""


def _line(source: AptSource) -> str:
    """A source in apt's one-line notation, which every version of apt reads."""
    options = f"[signed-by={_keyring(source)}] " if _keyring(source) else ""
    return f"deb {options}{source.uri} {source.suite} {' '.join(source.components)}"


def _suite() -> str:
    """The machine's own Debian or Ubuntu suite, such as bookworm."""
    release = Path("/etc/os-release")
    match = None
    if release.is_file():
        match = re.search(r"^VERSION_CODENAME=\W?(\w+)", release.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise BaseImageError(
            "stand-in images are made from Debian packages, and this machine is neither Debian nor Ubuntu.\n"
            "Use official images from a registry here.",
            exit_code=2,
        )
    return match[1]


def _apt_date_options() -> str:
    """The machine's leniency about dates: a frozen mirror or an odd clock needs the same inside an image."""
    names = {"a": "Acquire::Check-Valid-Until", "b": "Acquire::Check-Date"}
    output = _run(["apt-config", "shell", *(part for pair in names.items() for part in pair)])
    values = dict(token.partition("=")[::2] for token in shlex.split(output))  # a='false' ...
    return "".join(f'{name} "{values[key]}";\n' for key, name in names.items() if values.get(key))


def _fingerprints(names: Sequence[str], suite: str) -> dict[str, str]:
    """A SHA-256 over all inputs, for the Debian image and for each image on it."""
    sources = "\n".join(_line(source) for source in _apt_sources(suite))
    recipe = [DEBIAN_RECIPE, DEBIAN_PACKAGES, DPKG_OPTIONS, APT_OPTIONS, suite, platform.machine(), sources]
    debian = hashlib.sha256("\0".join(recipe).encode())
    for certificate in _certificates():
        debian.update(certificate.read_bytes())
    result = {image_name("debian", suite): debian.hexdigest()}
    for name in names:
        content = hashlib.sha256(debian.digest())
        for path in sorted((IMAGES / name).iterdir()):
            content.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            content.update(path.read_bytes())
        result[image_name(name, suite)] = content.hexdigest()
    return result


def _certificates() -> list[Path]:
    """What the machine trusts: pip inside a RUN step must trust the same."""
    extra = sorted(EXTRA_CERTIFICATES.glob("*.crt")) if EXTRA_CERTIFICATES.is_dir() else []
    return [path for path in [CA_BUNDLE, *extra] if path.is_file()]


def _outdated(fingerprints: dict[str, str]) -> set[str]:
    """The images that don't exist with these inputs. One question to the engine for all of them."""
    command = ["docker", "image", "inspect", *fingerprints]
    try:
        answer = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    except FileNotFoundError:
        raise BaseImageError("docker was not found on PATH.\nInstall Docker Engine and its CLI.", 2) from None
    known = json.loads(answer.stdout or "[]")
    if not known and "no such image" not in answer.stderr.lower():
        cause = answer.stderr.strip().splitlines()[-1:] or ["no message"]
        raise BaseImageError(f"the Docker Engine did not answer: {cause[0]}", 2)
    current = {
        tag: (image.get("Config", {}).get("Labels") or {}).get(INPUTS_LABEL)
        for image in known
        for tag in image.get("RepoTags") or []
    }
    return {image for image, inputs in fingerprints.items() if current.get(image) != inputs}


def _checked(names: Sequence[str] | None) -> tuple[str, ...]:
    """The names asked for, in our order; all of them if none were given."""
    unknown = sorted(set(names or ()) - set(NAMES))
    if unknown:
        raise BaseImageError(f"unknown image: {', '.join(unknown)}.\nKnown are: {', '.join(NAMES)}.", 2)
    return tuple(name for name in NAMES if not names or name in names)


# -- work -------------------------------------------------------------------------------------------------


def _make_debian(image: str, suite: str, inputs: str) -> None:
    """debootstrap, dress up, import. Everything happens in a temporary directory that goes away."""
    _need_debootstrap()
    sources = _apt_sources(suite)
    _say(f"{image}: debootstrap of {suite} (some 40 s)")
    started = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="homeport-debian-"))
    try:
        # dpkg reads its options while it unpacks, so they must be there before the first package.
        _write(root / "etc/dpkg/dpkg.cfg.d/homeport-ci", DPKG_OPTIONS)
        keyring = [f"--keyring={_keyring(sources[0])}"] if _keyring(sources[0]) else []
        components = ",".join(sources[0].components) or "main"
        command = ["debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", *keyring]
        _run([*command, f"--components={components}", suite, str(root), sources[0].uri])
        _dress_up(root, sources)
        _import(root, image, inputs)
    finally:
        _remove(root)
    _say(f"{image}: done in {time.monotonic() - started:.0f} s")


def _need_debootstrap() -> None:
    """Making a root file system needs root and debootstrap; the second can be had, the first can't."""
    if sys.platform == "win32" or os.geteuid() != 0:
        raise BaseImageError("making the Debian image needs root (debootstrap).\nRun this once with sudo.", 2)
    if shutil.which("debootstrap"):
        return
    _say("installing debootstrap")
    install = ["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"]
    try:
        _run(install)
    except BaseImageError:  # the package lists of a fresh machine may be missing or old
        _run(["apt-get", "update"])
        _run(install)


def _dress_up(root: Path, sources: Sequence[AptSource]) -> None:
    """Working apt sources, the machine's certificates, and no services at build time."""
    _write(root / "etc/apt/sources.list", "".join(_line(source) + "\n" for source in sources))
    _write(root / "etc/apt/apt.conf.d/homeport-ci", APT_OPTIONS + _apt_date_options())
    policy = root / "usr/sbin/policy-rc.d"
    _write(policy, NO_SERVICES)
    policy.chmod(0o755)
    keyrings = {Path(_keyring(source)) for source in sources if _keyring(source)}
    for path in [*keyrings, *_certificates()]:
        copy = root / path.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _import(root: Path, image: str, inputs: str) -> None:
    """Stream the tree into the engine. Directories stay, the content that nobody needs does not."""
    pack = ["tar", "--create", "--numeric-owner", f"--directory={root}"]
    pack += [f"--exclude=./{path}/*" for path in LEFT_OUT]
    changes = [f"LABEL {LABEL}={LABEL_VALUE}", f"LABEL {INPUTS_LABEL}={inputs}", 'CMD ["bash"]']
    load = ["docker", "import", *(f"--change={change}" for change in changes), "-", image]
    with subprocess.Popen([*pack, "."], stdout=subprocess.PIPE) as packer:
        result = subprocess.run(load, stdin=packer.stdout, capture_output=True, encoding="utf-8", check=False)
    if packer.returncode or result.returncode:
        raise BaseImageError(f"the engine did not import {image}: {result.stderr.strip()}")


def _remove(root: Path) -> None:
    """Delete the tree, but never through a mount that an interrupted debootstrap left in it."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{root}/")), reverse=True):
        subprocess.run(["umount", mount], check=False)
    if not any(os.path.ismount(path) for path in (root / "proc", root / "sys", root / "dev")):
        shutil.rmtree(root, ignore_errors=True)


def _build(names: Sequence[str], suite: str, fingerprints: dict[str, str]) -> None:
    """All images on the Debian one, in one bake: BuildKit runs them at the same time."""
    _say(f"building {', '.join(names)}")
    started = time.monotonic()
    targets = {
        name: {
            "context": name,
            "args": {"BASE": image_name("debian", suite)},
            "tags": [image_name(name, suite)],
            "labels": {LABEL: LABEL_VALUE, INPUTS_LABEL: fingerprints[image_name(name, suite)]},
        }
        for name in names
    }
    bake = json.dumps({"group": {"default": {"targets": list(names)}}, "target": targets})
    # The builder that lives inside the engine has the name of the context; only it sees local images.
    builder = _run(["docker", "context", "show"]).strip()
    command = ["docker", "buildx", "bake", "--builder", builder, "--provenance=false", "--progress=plain"]
    # Old package lists in the build cache would name packages that the mirror no longer has.
    _run([*command, "--no-cache", "--load", "--file=-"], text=bake, directory=IMAGES)
    _say(f"built {len(names)} image(s) in {time.monotonic() - started:.0f} s")


@contextlib.contextmanager
def _only_one_at_a_time() -> Iterator[None]:
    """A lock on a file: the engine's image names are shared by everyone on this machine."""
    if sys.platform == "win32":
        raise BaseImageError("Base images are made on Linux only.", 2)
    import fcntl

    lock = Path(tempfile.gettempdir()) / f"homeport-ci-base-images-{os.getuid()}.lock"
    with lock.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], text: str | None = None, directory: Path | None = None) -> str:
    """Run a program to its end and return its output; a failure shows the last lines it printed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        result = subprocess.run(
            command,
            input=text,
            cwd=directory,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise BaseImageError(f"{command[0]} was not found on PATH.\nInstall it and try again.", 2) from None
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise BaseImageError(
            f"{command[0]} failed with exit code {result.returncode}: {shlex.join(command)}\n{tail}"
        )
    return result.stdout


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="\n")


def _say(text: str) -> None:
    """Progress is for people: standard output belongs to --print-env."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: exit 0 done, 1 failed work, 2 wrong environment or usage."""
    parser = argparse.ArgumentParser(description="Make stand-ins for official images from Debian packages.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--print-env", action="store_true", help="print KEY=VALUE lines on standard output")
    options = parser.parse_args(arguments)
    try:
        variables = ensure(options.names)
    except BaseImageError as error:
        _say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    for key, value in variables.items():
        print(f"{key}={value}", file=sys.stdout if options.print_env else sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
