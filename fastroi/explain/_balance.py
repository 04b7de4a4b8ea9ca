"""How the weight of a result lies on the map, beside how the box lies on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_CELLS = 4096
_ROUNDING = 1e-12  # of the box: what float64 sums leave of a difference that is zero


@dataclass(frozen=True, slots=True)
class Balance:
    """Areas in cells: where the box lies against what the result weighs.

    The mean over all bins is a weighted mean of cells. Scaled to the area of the box, the weights
    say how many cells' worth each cell counts; a faultless rule would count every cell by the part
    of it that the box covers. ``box`` is ``placed + short``, and the weights add up to
    ``placed + extra``, which is ``box - off_map``.

    Attributes
    ----------
    box : float
        The true box on the map.
    placed : float
        Weight that lies as the box does: the smaller of weight and covered part, over all cells.
    short : float
        By how much cells count less than the box covers of them.
    extra : float
        By how much cells count more than the box covers of them.
    unseen : float
        Part of the box in cells that do not count at all; it is in ``short``.
    off_map : float
        Weight of empty bins and of points outside the map, which count as 0.
    """

    box: float
    placed: float
    short: float
    extra: float
    unseen: float
    off_map: float


def balance(x, y) -> Balance:
    """Compare the weights of two axes with the true box; float64 sums over the cells involved.

    Raises
    ------
    ValueError
        More than 4096 cells along an axis are involved.
    """
    import numpy

    wx, tx = _shares(x)
    wy, ty = _shares(y)
    (x1, x2), (y1, y2) = x.exact, y.exact
    box = max(x2 - x1, 0.0) * max(y2 - y1, 0.0)
    weight = box * numpy.outer(wy, wx)
    covered = numpy.outer(ty, tx)
    placed = numpy.minimum(weight, covered).sum()

    def area(value):
        return 0.0 if abs(value) < _ROUNDING * box else float(value)

    return Balance(
        box=box,
        placed=area(placed),
        short=area(box - placed),
        extra=area(numpy.maximum(weight - covered, 0).sum()),
        unseen=area(box - covered[weight > 0].sum()),
        off_map=area(box * (1 - math.fsum(wx) * math.fsum(wy))),
    )


def range_weights(ranges) -> tuple[tuple[int, float], ...]:
    """The share of each cell in the mean over all bins, every cell of a bin counting alike."""
    full = [(start, end) for start, end in ranges if end > start]
    if sum(end - start for start, end in full) > MOST_CELLS * 16:
        raise ValueError("box: its bins hold more cells than can be listed")
    return weights_of([[(cell, 1 / (b - a)) for cell in range(a, b)] for a, b in full], len(ranges))


def hulls_of(taps) -> tuple[tuple[int, int], ...]:
    """For each bin the half-open range from its first to its last cell."""
    cells = [[cell for cell, _ in of_bin] for of_bin in taps]
    return tuple((min(c), max(c) + 1) if c else (0, 0) for c in cells)


def weights_of(taps, bins) -> tuple[tuple[int, float], ...]:
    """The share of each cell in the mean over the bins, by cell."""
    parts = {}
    for of_bin in taps:
        for cell, weight in of_bin:
            parts.setdefault(cell, []).append(weight)
    return tuple((cell, math.fsum(parts[cell]) / bins) for cell in sorted(parts))


def _shares(axis):
    """Weight of each cell, and the part of it that the box covers, for the cells where either is not zero."""
    start, end = axis.exact
    low, high = math.floor(start), math.ceil(end)
    if axis.extent is not None:
        low, high = max(low, 0), min(high, axis.extent)
    if high - low > MOST_CELLS:
        raise ValueError(f"box: it covers {high - low} cells along {axis.name}; up to {MOST_CELLS} can be weighed")
    weights = dict(axis.weights)
    cells = sorted({*weights, *range(low, high)})
    covered = [max(min(end, cell + 1) - max(start, cell), 0.0) for cell in cells]
    return [weights.get(cell, 0.0) for cell in cells], covered
