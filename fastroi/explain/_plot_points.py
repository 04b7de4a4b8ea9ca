"""The part of a picture that only what weighs cells has: weighted cells, bins, sample points."""

from __future__ import annotations

from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

_SHADES = LinearSegmentedColormap.from_list("weight", ["#ffffff", "#fbe3ae", "#f3b553", "#d9781e", "#8c3a07"])
_DARKEST = 2.0  # times what a wholly covered cell should weigh
_KEY_LEVELS = (0.25, 0.5, 1.0, 2.0)
_POINT = dict(
    marker="o",
    color="#1f2a44",
    markersize=4.2,
    markeredgecolor="white",
    markeredgewidth=0.6,
    linestyle="none",
    label="sample point",
)
_ABSENT = dict(_POINT, markerfacecolor="white", markeredgecolor="#1f2a44", label="point off the map: 0")
_MOST_POINTS_DRAWN = 4000
_MOST_BIN_LINES = 200
_MOST_SHARP_CELLS = 10_000


def draw(ax, e, bin_style) -> None:
    """Draw the cells by weight, the bins and the sample points of one `Interpolation`."""
    draw_weights(ax, e)
    _draw_bins(ax, e, bin_style)
    for style, points in zip((_POINT, _ABSENT), _points(e)):
        if 0 < len(points) <= _MOST_POINTS_DRAWN:
            ax.plot(*zip(*points), zorder=7, clip_on=False, gid="points", **style)


def key(explanations, bin_style) -> list:
    """Legend entries for what `draw` has drawn."""
    present, absent = map(list, zip(*map(_points, explanations)))
    lines = [Line2D([], [], **style) for style, found in ((_POINT, present), (_ABSENT, absent)) if any(found)]
    return [*lines, Line2D([], [], color=bin_style["color"], linewidth=bin_style["linewidth"], label="edges of bins")]


def weights_key(explanations) -> list:
    """Legend entries for what `draw_weights` has drawn."""
    unit = max(map(_unit, explanations))
    return [
        Patch(
            facecolor=_shade(level),
            edgecolor="#808080",
            linewidth=0.5,
            label=f"counts as {level * unit:.2g} {'cell' if level * unit == 1 else 'cells'}"
            + (" or more" if level == _DARKEST else ""),
        )
        for level in _KEY_LEVELS
    ]


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
    rows, columns = (dict(axis.weights) for axis in (e.y, e.x))
    y, x = (range(min(cells), max(cells) + 2) for cells in (rows, columns))
    shares = numpy.outer([rows.get(cell, 0.0) for cell in y[:-1]], [columns.get(cell, 0.0) for cell in x[:-1]])
    area = e.balance().box
    levels = shares * area / _unit(e) if area else shares / shares.max()
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


def _draw_bins(ax, e, style) -> None:
    columns, rows = e.x.bins, e.y.bins
    if max(len(columns), len(rows)) > _MOST_BIN_LINES:
        return
    (x1, x2), (y1, y2) = e.x.quantised, e.y.quantised
    lines = [((x, y1), (x, y2)) for x, _ in columns[1:]] + [((x1, y), (x2, y)) for y, _ in rows[1:]]
    ax.add_collection(LineCollection(lines, colors=style["color"], linewidths=style["linewidth"], zorder=4))


def _points(e):
    """Positions of the points on the map, and of the others."""
    rows, columns = ([point for of_bin in axis.points for point in of_bin] for axis in (e.y, e.x))
    found = [], []
    if len(rows) * len(columns) <= _MOST_POINTS_DRAWN:
        for y, in_y in rows:
            for x, in_x in columns:
                found[not (in_x and in_y)].append((x, y))
    return found
