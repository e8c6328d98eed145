"""Numbers as people read them."""

from __future__ import annotations


def seconds(value: float) -> str:
    """``0.4 s``, ``12.3 s``, ``3 min 05 s``."""
    if value < 59.95:  # what rounds to 60 is a minute
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """Bytes in decimal units, as Docker shows them: ``0 B``, ``12.3 kB``, ``4.0 MB``."""
    return _in_steps(count, 1000, ("B", "kB", "MB", "GB"))


def plural(count: int, word: str) -> str:
    """``1 target``, ``2 targets``, ``3 batches``."""
    ending = "es" if word.endswith(("s", "ch", "x")) else "s"
    return f"{count} {word}" if count == 1 else f"{count} {word}{ending}"


def one_line(text: str, most: int) -> str:
    """``text`` on one line of at most ``most`` characters, the end cut off."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def printable(text: str) -> str:
    """``text`` with control characters written out: a file's name may hold line breaks and escape codes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def short_digest(digest: str) -> str:
    """The first twelve digits, as ``docker images`` shows them."""
    return digest.removeprefix("sha256:")[:12]


def binary_size(count: int) -> str:
    """Bytes in steps of 1024, as limits of memory are counted: ``0 B``, ``12.3 MiB``, ``2.0 GiB``."""
    return _in_steps(count, 1024, ("B", "KiB", "MiB", "GiB"))


def _in_steps(count: int, step: int, units: tuple[str, ...]) -> str:
    value, unit = float(count), units[0]
    for following in units[1:]:
        if value < step:
            break
        value, unit = value / step, following
    return f"{value:.0f} {unit}" if unit == units[0] else f"{value:.1f} {unit}"
