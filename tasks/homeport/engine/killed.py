"""What runs left that were killed: programs that still run, folders, and what the engine has of them."""

from __future__ import annotations

from homeport.engine import folders, owner, projects

PREFIXES = ("homeport-build-", "homeport-test-", "homeport-scan-")
"""How the folders begin that hold nothing anybody would miss."""
_FOLDER = "folder/"
_OWNER = "owner"


def sweep(label: str, owner_label: str) -> tuple[str, ...]:
    """End and remove all of it; returns what was done, in words.

    Of the engine those things that have ``label``; ``owner_label`` names whose they are. Nothing of a run
    that may still be at work is touched, and nothing of another user (see engine/owner.py).
    """
    place = owner.me().place
    # First the programs: they may be about to make more.
    strays = owner.strays(place)
    owner.end(strays)
    said = [_times("Ended {} that runs had started which were killed.", len(strays), "program")]
    things = {
        name: {_OWNER: labels.get(owner_label, "")} for name, labels in projects.labelled(label).items()
    }
    there = {
        f"{_FOLDER}{folder}": (folder, whose) for prefix in PREFIXES for folder, whose in folders.left(prefix)
    }
    things |= {name: {_OWNER: whose} for name, (_, whose) in there.items()}
    dead = owner.orphans(things, _OWNER, place)
    problem = projects.remove(dead)
    for name in dead:
        if name in there:
            folders.remove(there[name][0])
    runs = {
        (one.place, one.pid, one.mark) for labels in dead.values() if (one := owner.parse(labels[_OWNER]))
    }
    what = _times("Removed what {} left that had been killed.", len(runs), "run")
    said.append(f"{what[:-1]}, but for: {problem}" if problem else what)
    return tuple(filter(None, said))


def _times(words: str, count: int, what: str) -> str:
    return words.format(f"{count} {what}{'s' * (count > 1)}") if count else ""
