"""The part of a picture that only what weighs cells has: weighted cells, bins, sample points."""

from __future__ import annotations

import math

from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.patches import Patch

_SHADES = LinearSegmentedColormap.from_list("weight", ["#ffffff", "#fbe3ae", "#f3b553", "#d9781e", "#8c3a07"])
_DARKEST = 2.0  # times what a wholly covered cell should weigh
_KEY_LEVELS = (0.25, 0.5, 1.0, 2.0)
POINT = dict(
    marker="o",
    color="#1f2a44",
    markersize=4.2,
    markeredgecolor="white",
    markeredgewidth=0.6,
    linestyle="none",
    label="sample point",
)
ABSENT = dict(POINT, markerfacecolor="white", markeredgecolor="#1f2a44", label="point off the map: 0")
EDGES_OF_BINS = "edges of bins"
LEAST_APART = 3.0  # points, of lines that are to be told apart
_POINTS_APART = 7.0
_MOST_SHARP_CELLS = 10_000


def draw(ax, e, bin_style, points_per_cell) -> None:
    """Draw the cells by weight, the bins and the sample points of one `Interpolation`."""
    draw_weights(ax, e)
    _draw_bins(ax, e, bin_style, points_per_cell)
    (columns, _, apart_x), (rows, _, apart_y) = (_thinned(axis, e.aligned, points_per_cell) for axis in (e.x, e.y))
    size = min(POINT["markersize"], 0.45 * min(apart_x, apart_y))
    for style, present in ((POINT, True), (ABSENT, False)):
        found = [(x, y) for y, in_y in rows for x, in_x in columns if (in_x and in_y) == present]
        if found:
            ax.plot(*zip(*found), zorder=7, gid="points", **{**style, "markersize": size})


def one_in(e, points_per_cell) -> int:
    """Of how many sample points one is drawn."""
    return math.prod(_thinned(axis, e.aligned, points_per_cell)[1] for axis in (e.x, e.y))


def _thinned(axis, aligned, points_per_cell):
    """Every n-th point of all bins along an axis, whether it counts, n, and how far apart they are drawn."""
    bins, grid = axis.bins, axis.grid
    if not grid:
        return [], 1, math.inf
    clamped = str(aligned).startswith("clamp")  # points far off the map count in its outer cells
    step = (bins[0][1] - bins[0][0]) / grid
    if step == 0:  # all points lie in one place
        counts = any(share for of_bin in axis.points for _, share in of_bin)
        return [(bins[0][0], counts or clamped)], 1, math.inf
    apart = abs(step) * points_per_cell
    total = len(bins) * grid
    every = min(math.ceil(_POINTS_APART / apart), total) if apart * total > 1e-6 else total
    phase = _phase(axis, step)
    listed = {}
    for p, found in enumerate(axis.points):
        listed.update((round((v - bins[p][0]) / step - phase) + p * grid, share) for v, share in found)
    chosen = range((every - 1) // 2, total, every)
    points = [(bins[0][0] + (i + phase) * step, bool(listed.get(i, clamped))) for i in chosen]
    return points, every, apart * every


def _phase(axis, step) -> float:
    """Where in its part of a bin a point lies, from any that is listed: those far off the map are not."""
    for (start, _), found in zip(axis.bins, axis.points):
        if found:
            return round(2 * ((found[0][0] - start) / step % 1)) % 2 / 2
    return 0.5


def _key_levels(explanations) -> list:
    """Of the levels in a legend those that some cell comes nearest to."""
    found = {level for e in explanations for level in _nearest(_levels(e)[2])}
    return sorted(found)


def _nearest(levels):
    import numpy

    present = numpy.unique(levels[levels > 0])
    return {min(_KEY_LEVELS, key=lambda level: abs(math.log(level / found))) for found in present.tolist()}


def weights_key(explanations) -> list:
    """Legend entries for what `draw_weights` has drawn."""
    drawn = [e for e in explanations if e.x.weights and e.y.weights]
    if not drawn:
        return []
    units = {_unit(e) if e.balance().box else None for e in drawn}
    (unit,) = units if len(units) == 1 else (None,)
    return [
        Patch(facecolor=_shade(level), edgecolor="#808080", linewidth=0.5, label=_level_text(level, unit))
        for level in _key_levels(drawn)
    ]


def _level_text(level, unit) -> str:
    more = " or more" if level == _DARKEST else ""
    if unit is None:
        return f"weight {level:g}{more}"
    return f"counts as {level * unit:.2g} {'cell' if level * unit == 1 else 'cells'}{more}"


def _shade(level):
    return to_hex(_SHADES(min(level / _DARKEST, 1.0)))


def _unit(e) -> float:
    """The largest part of a cell that the box covers: what such a cell should weigh."""
    return _covered(e.x) * _covered(e.y) or 1.0


def _covered(axis) -> float:
    return min(max(axis.exact[1] - axis.exact[0], 0.0), 1.0)


def draw_weights(ax, e) -> None:
    import numpy

    if not (e.x.weights and e.y.weights):
        return
    x, y, levels = _levels(e)
    ax.pcolormesh(
        numpy.array(x),
        numpy.array(y),
        levels,
        cmap=_SHADES,
        vmin=0,
        vmax=_DARKEST,
        zorder=2,
        gid="weights",
        rasterized=levels.size > _MOST_SHARP_CELLS,
    )


def _levels(e):
    """Edges of the columns and rows that weigh, and of each cell its weight against what it should be."""
    import numpy

    rows, columns = (dict(axis.weights) for axis in (e.y, e.x))
    y, x = (range(min(cells), max(cells) + 2) for cells in (rows, columns))
    shares = numpy.outer([rows.get(cell, 0.0) for cell in y[:-1]], [columns.get(cell, 0.0) for cell in x[:-1]])
    area = e.balance().box
    return x, y, shares * area / _unit(e) if area else shares / shares.max()


def _draw_bins(ax, e, style, points_per_cell) -> None:
    (x1, x2), (y1, y2) = e.x.quantised, e.y.quantised
    lines = []
    for axis, span, along_x in ((e.x, (y1, y2), True), (e.y, (x1, x2), False)):
        start, end = axis.bins[0]
        if abs(end - start) * points_per_cell >= LEAST_APART:
            inner = [edge for edge, _ in axis.bins[1:]]
            lines += [[(edge, v) if along_x else (v, edge) for v in span] for edge in inner]
    if lines:
        lines = LineCollection(
            lines, colors=style["color"], linewidths=style["linewidth"], zorder=4, label=EDGES_OF_BINS
        )
        ax.add_collection(lines)
