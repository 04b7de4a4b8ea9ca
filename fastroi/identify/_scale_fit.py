"""A scale that no stride is: a scan of both axes, a climb to where most values are equal, and the plainest number there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ._boxes import Scale
from ._evaluate import Evaluator, Hypothesis, Sample, correlation, errors, explained
from ._problem import Array, Geometry

Rating = tuple[float, float]
Pair = tuple[float, float]

#: Parts of a scale that a climb steps by. Where values are cells, more boxes tell finer steps apart.
_STEPS = (0.02, 0.008, 0.003, 0.001, 0.0004, 0.00015, 0.00005)
_CLIMBED = 3
_NEAR = 2e-2
_OCTAVES = np.arange(-1, 0.76, 1 / 24)  # of the scale at which the farthest box ends in the last cell
_PLAIN_OCTAVES = -1.0, 0.75
_FEW_ROIS = 6
_MOST_PARTS = 100


def stretched_axes(evaluator: Evaluator, h: Hypothesis, channels: int | None, least: float) -> Hypothesis | None:
    """The hypothesis with a scale of its own along each axis, that whose values go best; None below a correlation."""
    problem, view = evaluator.problem, h.view
    sample = Sample(evaluator.informative(view, _FEW_ROIS), channels)
    observed = evaluator.observed(view, sample)
    ends = np.abs(h.geometry.format.corners(problem.rows)[:, 2:4]).max(axis=0)
    rough = np.divide(view.map_size, np.maximum(ends[::-1], 1e-9))
    rated: list[tuple[float, int, Hypothesis]] = []
    for pair in itertools.product(*(part * 2**_OCTAVES for part in rough)):
        tried = scaled(h, pair)
        predicted = evaluator.predict(tried, sample)
        if predicted is not None and predicted.shape == observed.shape:
            rated.append((correlation(predicted, observed), -len(rated), tried))
    return max(rated)[2] if rated and max(rated)[0] > least else None


def scaled(h: Hypothesis, pair: Iterable[float]) -> Hypothesis:
    vertical, horizontal = pair
    scale = Scale(float(vertical), float(horizontal), "fitted")
    return replace(h, geometry=Geometry(h.geometry.format, h.geometry.correction, scale))


def plain_scales(ends: Array, map_size: tuple[int, int]) -> list[Scale]:
    """Scales of two digits, and parts of one, under which the farthest box ends on the map or not far beyond."""
    farthest = np.maximum(np.abs(ends).max(axis=0), 1e-9)
    rough = math.sqrt(map_size[1] / farthest[0] * map_size[0] / farthest[1])
    low, high = (rough * 2**octave for octave in _PLAIN_OCTAVES)
    middle, reach = (low + high) / 2, (high - low) / (high + low)
    values = sorted({*_decimals(low, 2, 0.0), *_decimals(middle, 2, reach), *_parts(1, middle, reach)})
    return [Scale(value, value, "fitted") for value in values]


class ScaleFit:
    """A search among scales near to one, for a setting whose values need not change smoothly with the scale."""

    def __init__(self, evaluator: Evaluator, h: Hypothesis, rows: Array, channels: int | None) -> None:
        self._evaluator, self._h = evaluator, h
        self._sample = Sample(rows, channels)
        self._both = evaluator.problem.kind == "levels"  # whose scales halve along both axes
        self._known: dict[Pair, Rating] = {}

    def rating(self, pair: Pair) -> Rating:
        """The share of values that are equal, and how near the others are."""
        if pair not in self._known:
            self._known[pair] = self._rated(scaled(self._h, pair))
        return self._known[pair]

    def _rated(self, h: Hypothesis) -> Rating:
        predicted, observed = self._evaluator.predict(h, self._sample), self._evaluator.observed(h.view, self._sample)
        if predicted is None or predicted.shape != observed.shape:
            return -1.0, -math.inf
        equal = float((errors(predicted, observed) <= self._evaluator.tolerance).mean())
        return equal, explained(predicted, observed)

    def climbed(self, pair: Pair) -> Pair:
        """Where ever smaller steps along one axis, or along both, come nearest."""
        for step in _STEPS:
            factors = [1 + step * i for i in range(-_CLIMBED, _CLIMBED + 1)]
            for moved in self._moves():
                pair = max((moved(pair, factor) for factor in factors), key=self.rating)
        return pair

    def _moves(self) -> list[Callable[[Pair, float], Pair]]:
        both = [lambda pair, factor: (pair[0] * factor, pair[1] * factor)]
        if self._both:
            return both
        return [*both, lambda pair, f: (pair[0] * f, pair[1]), lambda pair, f: (pair[0], pair[1] * f)]

    def plainest(self, pair: Pair) -> Pair:
        """The plainest numbers near to a scale under which no fewer values are equal; the scale itself if there are none."""
        mean = math.sqrt(pair[0] * pair[1])
        height, width = self._h.view.map_size
        alike = [(value, value) for value in plain_numbers(mean, (height, width), _NEAR)]
        best = max([pair, *alike], key=self._rank)
        if self._both or best != pair:
            return best
        for axis, extent in ((0, height), (1, width)):
            others = [replaced(best, axis, value) for value in plain_numbers(best[axis], (extent,), _NEAR)]
            best = max([best, *others], key=self._rank)
        return best

    def _rank(self, pair: Pair) -> tuple[float, float, float]:
        """Of scales that are equally good, a plain one; numbers of fewer digits come first in the lists that are compared."""
        equal, near = self.rating(pair)
        return equal, round(near, 5), float(_is_plain(pair))


def replaced(pair: Pair, axis: int, value: float) -> Pair:
    return (value, pair[1]) if axis == 0 else (pair[0], value)


def _is_plain(pair: Pair) -> bool:
    return all(value == float(f"{value:.3g}") or 1 / value == round(1 / value) for value in pair)


def plain_numbers(value: float, extents: Iterable[int], reach: float) -> list[float]:
    """Numbers near to one that somebody may have written, the plainest first: of few digits, parts of one, cells by pixels."""
    found: dict[float, None] = {}
    for number in (*_decimals(value, 2, reach), *_parts(1, value, reach), *_decimals(value, 3, reach)):
        found.setdefault(number)
    for extent in extents:
        for number in _parts(extent, value, reach):
            found.setdefault(number)
    return list(found)


def _decimals(value: float, digits: int, reach: float) -> list[float]:
    """All within the reach that have so many digits."""
    power = digits - 1 - math.floor(math.log10(value))
    unit = 10.0**power
    near = range(math.ceil(value * (1 - reach) * unit), math.floor(value * (1 + reach) * unit) + 1)
    return [float(f"{n}e{-power}") for n in near]


def _parts(extent: int, value: float, reach: float) -> list[float]:
    """Extents of the map by whole numbers of pixels."""
    near = range(math.ceil(extent / value / (1 + reach)), math.floor(extent / value / (1 - reach)) + 1)
    return [extent / n for n in near if n > 0][:_MOST_PARTS]
