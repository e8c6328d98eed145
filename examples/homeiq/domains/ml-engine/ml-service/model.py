"""Forecasting by double exponential smoothing: a level and a trend that follow the series. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Model:
    """How fast the level and the trend follow new values."""

    alpha: float
    beta: float

    def forecast(self, series: Sequence[float], steps: int) -> list[float]:
        """The next values of a series."""
        level, trend = series[0], 0.0
        for value in series[1:]:
            level, trend = self._next(level, trend, value)
        return [level + trend * step for step in range(1, steps + 1)]

    def error(self, series: Sequence[float]) -> float:
        """The root mean square of one-step forecasts."""
        level, trend, squares = series[0], 0.0, 0.0
        for value in series[1:]:
            squares += (value - level - trend) ** 2
            level, trend = self._next(level, trend, value)
        return math.sqrt(squares / max(1, len(series) - 1))

    def _next(self, level: float, trend: float, value: float) -> tuple[float, float]:
        new_level = self.alpha * value + (1 - self.alpha) * (level + trend)
        return new_level, self.beta * (new_level - level) + (1 - self.beta) * trend


def train(series: Sequence[float]) -> Model:
    """The best of a grid of models on this series."""
    grid = [step / 20 for step in range(1, 20)]
    models = [Model(alpha, beta) for alpha, beta in product(grid, grid)]
    return min(models, key=lambda model: model.error(series))
