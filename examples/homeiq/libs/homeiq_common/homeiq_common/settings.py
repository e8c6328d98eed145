"""Settings come from the environment, so that one image runs everywhere."""

from __future__ import annotations

import os

VERSION = os.environ.get("APP_VERSION", "dev")


def number(name: str, default: float) -> float:
    """A numeric setting; a value that is no number fails at start, with its name."""
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise SystemExit(f"{name} must be a number, not {text!r}") from None


def pairs(name: str) -> dict[str, str]:
    """A setting such as `data-api=http://data-api:8006,weather-api=http://weather-api:8009`."""
    items = (item.partition("=") for item in os.environ.get(name, "").split(",") if item.strip())
    return {key.strip(): value.strip() for key, _, value in items}
