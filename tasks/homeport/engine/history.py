"""What an image says of itself to whoever has it: its variables, and the steps that made it.

Both may hold secrets. They are read to be looked for, and belong into no output, no file and no message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from homeport.engine import api, process
from homeport.errors import EnvironmentProblem


@dataclass(frozen=True)
class Told:
    """The variables of an image (``NAME=value``), and its steps as the builder wrote them down."""

    variables: tuple[str, ...] = field(repr=False)
    steps: tuple[str, ...] = field(repr=False)


def read(images: Iterable[str]) -> dict[str, Told]:
    """By id what images tell. Raises EnvironmentProblem where the engine can't say it."""
    wanted = list(images)
    try:
        paths = [path for image in wanted for path in (api.image_path(image), f"/images/{image}/history")]
        answers = api.get_all(paths)
        if all(status == 200 for status, _ in answers):
            pairs = zip(answers[::2], answers[1::2], strict=True)
            return {
                image: parse(settings, steps)
                for image, ((_, settings), (_, steps)) in zip(wanted, pairs, strict=True)
            }
    except api.NoDirectWay:
        pass
    return {image: _by_command(image) for image in wanted}


def parse(settings: Any, steps: Any) -> Told:
    """What the engine's two documents say. Raises EnvironmentProblem for any other ones."""
    try:
        variables = tuple(map(str, (settings.get("Config") or {}).get("Env") or ()))
        return Told(variables, tuple(str(step.get("CreatedBy") or "") for step in steps))
    except (AttributeError, TypeError) as error:
        raise EnvironmentProblem(
            "The engine's description of an image can't be read.",
            cause=f"{type(error).__name__}.",
            hint="Run 'homeport doctor'.",
        ) from error


def _by_command(image: str) -> Told:
    settings = process.run(["docker", "image", "inspect", "--", image])
    steps = process.run(["docker", "image", "history", "--no-trunc", "--format", "json", image])
    try:
        (document,) = json.loads(settings.stdout)
        return parse(document, [json.loads(line) for line in steps.stdout.splitlines() if line.strip()])
    except ValueError as error:
        said = (settings.stderr or steps.stderr).strip().splitlines()
        raise EnvironmentProblem(
            f"The engine can't say how {image} was made.",
            cause=said[-1] if said else "",
            hint="Run 'homeport doctor'.",
        ) from error
