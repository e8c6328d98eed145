"""Why a target failed, as people read it."""

from __future__ import annotations

from rich.text import Text

from homeport.model.result import TargetResult
from homeport.model.solve import Failure
from homeport.report.words import one_line


def failure_text(target: TargetResult) -> Text:
    """One failed target: stage, Dockerfile line and the last lines of its log."""
    failure = target.failure
    text = Text.assemble(("failed: ", "bold red"), (target.name, "bold"))
    if failure is None:
        return text
    if failure.stage:
        text.append(f"  stage {failure.stage}")
    if failure.dockerfile:
        text.append(f"  {failure.dockerfile}:{failure.line}")
    if failure.step:
        text.append(f"\n  {one_line(failure.step, 300)}", style="cyan")
    for line in failure.log:
        text.append(f"\n  | {line}", style="dim")
    text.append(f"\n  {failure.message}")
    if hint := failure_hint(failure):
        text.append(f"\n  next: {hint}")
    return text


def failure_hint(failure: Failure) -> str:
    """A next step for failures that are not the Dockerfile's own fault; empty for all others."""
    # That a disk is full is often only in the words of the step that could not write.
    full = next((line for line in failure.log if "no space left on device" in line.lower()), "")
    folded = (full or failure.message).lower()
    hints = (
        (
            "no space left on device",
            "The engine's disk is full: 'docker system df' shows by what, "
            "'docker builder prune' frees build cache.",
        ),
        (
            "insufficient_scope",
            "The registry refuses this: 'docker login' as somebody who may pull or push there.",
        ),
        (
            "401 unauthorized",
            "The registry refuses this login: 'docker login' again, as somebody who may pull or push there.",
        ),
        (
            "authorization failed",
            "The registry refuses this: 'docker login' as somebody who may pull or push there.",
        ),
        (
            "no such host",
            "This machine can't resolve the registry's name: check the network, or the image's name.",
        ),
        (
            "not found",
            "Check the image's or file's name; a .dockerignore may also leave the file out of the context.",
        ),
        ("requires entitlement", "Allow it in homeport.toml: [build] allow = [...]."),
        ("additional privileges requested", "Allow it in homeport.toml: [build] allow = [...]."),
    )
    return next((hint for needle, hint in hints if needle in folded), "")
