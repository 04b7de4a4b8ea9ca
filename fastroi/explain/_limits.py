"""How long a plan may be, judged before anything is listed."""

from __future__ import annotations

import math

from ._balance import MOST_CELLS
from ._listing import classes_of, gathers

_MOST_POINTS = 2**16  # along an axis
_MOST_GATHERED = 2**18  # cells of all bins


def check_axis(name, start, end, points, extent) -> None:
    """Refuse a side of a box, [start, end) in cells, that has too many cells on the map, or too many points."""
    cells = min(end, extent) - max(start, 0)
    if cells > MOST_CELLS or points > _MOST_POINTS:
        raise ValueError(
            f"box: {max(cells, 0):.0f} cells and {points} points or more along {name}; "
            f"up to {MOST_CELLS} and {_MOST_POINTS} can be explained"
        )


def check_plan(params, box, map_size, scale, output_size) -> None:
    """Refuse a plan that would be too long; scale is None for boxes that are in the map's cells or parts of it."""
    scales = (1.0, 1.0) if scale is None else scale
    _check_count("output_size", math.prod(output_size))
    fields = params.operator.fields
    if "group_h" in fields:
        _check_count("group_size", params["group_h"] * params["group_w"])
    if "orientations" in fields:
        _check_count("orientations", params["orientations"])
    y, x = (_Side(params, axis, box, *of_axis) for axis, of_axis in zip("yx", zip(scales, output_size, map_size)))
    if gathers(params):
        cells = classes_of(params) * y.bins * x.bins * _cells_of_bin(y, x, turned=len(box) == 5)
        if cells > _MOST_GATHERED:
            raise ValueError(f"box: its bins may hold {cells:.0f} cells; up to {_MOST_GATHERED} can be explained")
    elif scale is not None or y.sampling is not None:  # else a bin is a point
        for side in (x, y):
            check_axis(side.axis, *side.interval, side.bins * max(side.sampling or 1, 1), side.extent)


def _check_count(name, count) -> None:
    if count > _MOST_GATHERED:
        raise ValueError(f"{name}: {count}; up to {_MOST_GATHERED} can be explained")


def _cells_of_bin(y, x, turned) -> float:
    """No more than four a point, than the map has, and than lie around the bin."""
    if turned:
        reach = math.hypot(y.bin, x.bin) + 2
        return min(4 * y.points * x.points, reach * reach, y.extent * x.extent)
    return math.prod(min(2 * side.points, side.bin + 2, side.extent) for side in (y, x))


class _Side:
    """One side of a box on the map, and the cells and points of one of its bins along it."""

    def __init__(self, params, axis, box, scale, bins, extent):
        self.axis, self.bins, self.extent = axis, bins, extent
        place = "xy".index(axis)
        low, high = (0, box[2 + place]) if len(box) == 5 else (box[place], box[2 + place])
        self.interval = sorted((low * scale, high * scale))
        self.bin = abs(high - low) * scale / bins
        self.sampling = _points_asked_for(params, axis)
        self.points = self.sampling if self.sampling and self.sampling > 0 else self.bin + 1


def _points_asked_for(params, axis):
    """For each bin, 0 or less for as many as it has cells; None if an operator cannot be asked."""
    names = "sample_per_part", f"sampling_{'h' if axis == 'y' else 'w'}"
    return next((int(params[name]) for name in names if name in params.operator.fields), None)
