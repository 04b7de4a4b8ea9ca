"""Pictures of explanations; the only file here that needs matplotlib."""

from __future__ import annotations

import math
from collections import Counter

from ._text import number, options_text, scale_text

try:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, PathPatch, Rectangle
    from matplotlib.path import Path
    from matplotlib.ticker import FixedLocator, MaxNLocator
    from matplotlib.transforms import ScaledTranslation
except ImportError as error:
    raise ImportError("drawing needs matplotlib: pip install matplotlib", name=error.name) from error

from . import _plot_points

# Light to dark: light blue, green, dark blue differ in grey and to colour-blind readers too.
STYLES = {
    "used": dict(facecolor="#f6ecd2", label="used"),
    "lost_first": dict(facecolor="#08306b", label="lost in quantising the box"),
    "lost_second": dict(facecolor="#9ecae1", label="lost in quantising the bins"),
    "outside": dict(facecolor="#bdbdbd", label="outside the map"),
    "gained_pooled": dict(facecolor="#2ca25f", label="gained and pooled"),
    "gained_dropped": dict(facecolor="#2ca25f", hatch="////", edgecolor="white", label="gained, then dropped"),
}
TRUE_BOX = dict(color="#c1272d", linewidth=3.0, label="true box")
QUANTISED_BOX = dict(color="black", linewidth=1.8, linestyle=(0, (5, 2)), label="quantised box")
BIN = dict(color="#1a1a1a", linewidth=1.0, label="bins")
_GRID = "#c9c9c9"
_MOST_GRID_LINES = 80
_MOST_BINS_DRAWN = 10_000
_MOST_BARS = 200
_MARGIN = 1.0
_PANEL_INCHES = 4.2
_LANE_POINTS = 13.0
_LABEL_POINTS = 5.0
_MOST_LANES = 8


def plot_one(explanation, ax=None, *, view=None, legend=True):
    """Draw one explanation; see `Explanation.plot`."""
    window = _window([explanation], view)
    if ax is None:
        ax = _figure(1, window, headroom=_headroom([explanation])).subplots()
    _panel(ax, explanation, window, _headroom([explanation]), mixed=False)
    if legend:
        ax.legend(
            handles=_key([explanation]),
            loc="upper center",
            bbox_to_anchor=(0.5, -0.1),
            ncols=2,
            frameon=False,
            fontsize=9,
        )
    return ax


def plot_many(explanations, *, image=None, view=None, title=None):
    """Draw explanations side by side; see `plot_rules`."""
    if not explanations:
        raise ValueError("explanations: there is nothing to draw")
    window = _window(explanations, view)
    count = len(explanations) + (image is not None)
    columns = count if count <= 3 else math.ceil(count / math.ceil(count / 3))
    rows = math.ceil(count / columns)
    headroom = _headroom(explanations)
    handles = _key(explanations)
    key_columns = _key_columns(len(handles), columns)
    figure = _figure(
        columns,
        window,
        rows,
        headroom,
        square=image is not None,
        title=title,
        key_rows=math.ceil(len(handles) / key_columns),
    )
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in panels[count:]:
        spare.remove()
    if image is not None:
        _image_panel(panels.pop(0), image, explanations[0], headroom)
    mixed = len({hasattr(e, "regions") for e in explanations}) > 1
    for ax, explanation in zip(panels, explanations):
        _panel(ax, explanation, window, headroom, mixed)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=key_columns,
        frameon=False,
        fontsize=10,
    )
    if title:
        figure.suptitle(title, fontsize=13)
    return figure


def save(figure, path) -> None:
    """Write a figure to `path`, the same bytes each time it is made by the same matplotlib."""
    import matplotlib

    metadata = {"Date": None} if str(path).endswith(".svg") else None
    with matplotlib.rc_context({"svg.hashsalt": "fastroi"}):
        figure.savefig(path, dpi=150, bbox_inches="tight", metadata=metadata)


def without_display() -> None:
    """Draw to files only, whatever backend the environment names."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")


def _figure(columns, window, rows=1, headroom=1, square=False, title=None, key_rows=4):
    """Make an empty figure in which panels of the window's shape leave little room unused."""
    from matplotlib import pyplot

    left, top, right, bottom = window
    aspect = min(max((bottom - top) / (right - left), 1.0 if square else 0.4), 1.6)
    lane = _LANE_POINTS / 72
    panel = (_panel_inches(columns) - 0.4 - headroom * lane) * aspect + 1.0 + headroom * lane
    size = (
        _panel_inches(columns) * columns,
        panel * rows + 0.15 + 0.21 * key_rows + (0.4 if title else 0),
    )
    figure = pyplot.figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.06, hspace=0.08 if rows > 1 else 0)
    return figure


def _panel_inches(columns) -> float:
    return 5.4 if columns == 1 else _PANEL_INCHES


def _headroom(explanations) -> int:
    """Lanes that the widest ruler needs; all panels leave room for as many."""
    axes = [axis for e in explanations for axis in (e.x, e.y)]
    return min(_MOST_LANES, max(len(set(_lanes(_distinct(axis)))) for axis in axes))


def _key_columns(entries, panels) -> int:
    """As many columns as fit, then as few as keep the number of rows."""
    rows = math.ceil(entries / int(panels * _panel_inches(panels) / 2.3))
    return math.ceil(entries / rows)


def _window(explanations, view):
    """Return left, top, right, bottom in cells: the boxes with a margin, or the map."""
    if view not in (None, "map"):
        raise ValueError(f"view: {view!r} is neither None nor 'map'")
    if view == "map":
        sizes = [e.map_size for e in explanations if e.map_size is not None]
        if not sizes:
            raise ValueError("view: 'map' needs explanations with a map_size")
        return 0, 0, max(w for _, w in sizes), max(h for h, _ in sizes)
    spans = [_span([getattr(e, name) for e in explanations]) for name in ("x", "y")]
    return spans[0][0], spans[1][0], spans[0][1], spans[1][1]


def _span(axes):
    ends = [end for axis in axes for end in (*axis.exact, *axis.quantised)]
    ends += [end for axis in axes for pair in _full(axis) for end in pair]
    margin = max(_MARGIN, (max(ends) - min(ends)) * 0.06)
    return math.floor(min(ends) - margin), math.ceil(max(ends) + margin)


def _interpolates(e) -> bool:
    return not hasattr(e, "regions") and not _is_plan(e)


def _is_plan(e) -> bool:
    return hasattr(e, "operator")


def _panel(ax, e, window, headroom, mixed):
    _grid(ax, e.map_size, window)
    if _interpolates(e):
        _plot_points.draw(ax, e, BIN)
    elif _is_plan(e):
        _plot_points.draw_weights(ax, e)
        ax.add_collection(_bin_outlines(e))
    else:
        for kind, rectangles in e.regions().items():
            if rectangles:
                ax.add_patch(_patch(kind, rectangles))
        ax.add_collection(_bin_outlines(e))
    if not _is_plan(e):
        (qx1, qx2), (qy1, qy2) = e.x.quantised, e.y.quantised
        ax.add_patch(_outline(qx1, qy1, qx2, qy2, QUANTISED_BOX, 6))
    (x1, x2), (y1, y2) = e.x.exact, e.y.exact
    ax.add_patch(_outline(x1, y1, x2, y2, TRUE_BOX, 5))
    _ruler(ax, e.x, window, "x")
    _ruler(ax, e.y, window, "y")
    pad = 6 + headroom * _LANE_POINTS
    title = _point_title(e) if _interpolates(e) or _is_plan(e) else _title(e, mixed)
    ax.set_title(title, fontsize=10, pad=pad, linespacing=1.35)
    ax.set_gid(f"operator:{e.operator}" if _is_plan(e) else f"rule:{e.rule}")


def _point_title(e) -> str:
    b = e.balance()
    used = f"used {_rounded(b.box - b.unseen)} of {_rounded(b.box)} cells"
    parts = [f"lost {_rounded(b.unseen)}", f"misplaced {_rounded(b.short)}"]
    if b.off_map:
        parts.append(f"off the map {_rounded(b.off_map)}")
    return "\n".join([options_text(e), used, " · ".join(parts)])


def _title(e, mixed) -> str:
    a = e.areas
    lost = f"{_rounded(a.lost_first)} + {_rounded(a.lost_second)}" if a.lost else "0"
    parts = [f"lost {lost}", f"gained {_rounded(a.gained)}"]
    if a.outside:
        parts.append(f"off the map {_rounded(a.outside)}")
    if mixed:
        parts.append(f"misplaced {_rounded(e.balance().short)}")
    used = f"used {_rounded(a.used)} of {_rounded(a.box)} cells"
    return "\n".join([f'"{e.rule}"', used, " · ".join(parts)])


def _rounded(area) -> str:
    return number(round(area, 2))


def _grid(ax, map_size, window):
    left, top, right, bottom = window
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    x1, y1, x2, y2 = window
    if map_size is not None:
        x1, y1 = max(left, 0), max(top, 0)
        x2, y2 = min(right, map_size[1]), min(bottom, map_size[0])
        ax.set_facecolor("#ededed")
        size = max(x2 - x1, 0), max(y2 - y1, 0)
        ax.add_patch(Rectangle((x1, y1), *size, facecolor="white", edgecolor="none", zorder=0.5))
    lines = []
    if max(x2 - x1, y2 - y1) <= _MOST_GRID_LINES:
        lines += [((x, y1), (x, y2)) for x in range(x1, x2 + 1)]
        lines += [((x1, y), (x2, y)) for y in range(y1, y2 + 1)]
    ax.add_collection(LineCollection(lines, colors=_GRID, linewidths=0.7, zorder=3))
    for axis, first, last in ((ax.xaxis, left, right), (ax.yaxis, top, bottom)):
        many = last - first > 18
        locator = MaxNLocator(9, integer=True) if many else FixedLocator(range(first, last + 1))
        axis.set_major_locator(locator)
    ax.tick_params(length=2.5, labelsize=8.5, color="#808080")
    ax.spines[:].set_color("#a0a0a0")


def _patch(kind, rectangles) -> PathPatch:
    """One patch per kind, so that neighbouring rectangles leave no seam."""
    style = dict(STYLES[kind])
    edge = style.pop("edgecolor", "none")
    path = Path.make_compound_path(*(_rectangle_path(r) for r in rectangles))
    return PathPatch(path, edgecolor=edge, linewidth=0, zorder=2, gid=kind, **style)


def _rectangle_path(rectangle) -> Path:
    x1, y1, x2, y2 = rectangle
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
    return Path(corners, [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY])


def _outline(x1, y1, x2, y2, style, zorder) -> Rectangle:
    return Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, zorder=zorder, **style)


def _bin_outlines(e) -> LineCollection:
    """Outlines of the bins, a little inside their cells so that overlapping bins can be told."""
    lines = []
    columns, rows = _distinct(e.x), _distinct(e.y)
    if len(columns) * len(rows) > _MOST_BINS_DRAWN:
        columns = rows = []
    for row, (y1, y2) in enumerate(rows):
        for column, (x1, x2) in enumerate(columns):
            inset_x, inset_y = 0.07 + 0.07 * (column % 2), 0.07 + 0.07 * (row % 2)
            a, b, c, d = x1 + inset_x, y1 + inset_y, x2 - inset_x, y2 - inset_y
            lines.append([(a, b), (c, b), (c, d), (a, d), (a, b)])
    return LineCollection(lines, colors=BIN["color"], linewidths=BIN["linewidth"], zorder=4)


def _ruler(ax, axis, window, name):
    """Draw the ranges of the bins above or right of the panel."""
    counted = Counter(_full(axis))
    ranges = list(counted)
    lanes = _lanes(ranges)
    if len(ranges) > _MOST_BARS or max(lanes, default=0) >= _MOST_LANES:
        return
    labels = [_label(*pair, counted[pair]) for pair in ranges]
    room = _points_per_cell(window)
    labelled = len(ranges) <= 24 and all(
        (end - start) * room >= _LABEL_POINTS * len(label) for (start, end), label in zip(ranges, labels)
    )
    drawn = Counter()
    for (start, end), lane, label in zip(ranges, lanes, labels):
        color = "#c6c6c6" if (drawn[lane] + lane) % 2 else "#dedede"
        drawn[lane] += 1
        _ruler_bar(ax, name, start, end, lane, color, label if labelled else "")


def _points_per_cell(window) -> float:
    left, top, right, bottom = window
    return _PANEL_INCHES * 72 * 0.75 * min(1 / (right - left), 1.6 / (bottom - top))


def _full(axis) -> list[tuple[int, int]]:
    """The bins that hold a cell."""
    return [pair for pair in axis.pooled if pair[1] > pair[0]]


def _label(start, end, count) -> str:
    return f"{start}–{end}" if count == 1 else f"{start}–{end} ×{count}"


def _ruler_bar(ax, name, start, end, lane, color, label):
    depth = 4 + lane * _LANE_POINTS, 4 + (lane + 1) * _LANE_POINTS - 2.5
    middle = sum(depth) / 2
    along_x = name == "x"
    base = ax.get_xaxis_transform() if along_x else ax.get_yaxis_transform()
    shift = (0, middle / 72) if along_x else (middle / 72, 0)
    transform = base + ScaledTranslation(*shift, ax.figure.dpi_scale_trans)
    ends = ([start, end], [1, 1]) if along_x else ([1, 1], [start, end])
    ax.plot(
        *ends,
        transform=transform,
        clip_on=False,
        color=color,
        linewidth=depth[1] - depth[0],
        solid_capstyle="butt",
        gid="ruler",
    )
    if label:
        centre = ((start + end) / 2, 1) if along_x else (1, (start + end) / 2)
        ax.text(
            *centre,
            label,
            transform=transform,
            fontsize=8,
            rotation=0 if along_x else 270,
            ha="center",
            va="center_baseline" if along_x else "center",
        )


def _distinct(axis) -> list[tuple[int, int]]:
    """The bins that hold a cell, equal ones once."""
    return list(dict.fromkeys(_full(axis)))


def _lanes(ranges) -> list[int]:
    """The first lane in which each range overlaps nothing that is already there."""
    free = []
    lanes = []
    for start, end in ranges:
        lane = next((i for i, until in enumerate(free) if until <= start), len(free))
        free[lane : lane + 1] = [end]
        lanes.append(lane)
    return lanes


def _image_panel(ax, image, e, headroom):
    """The image with the map's cells and the box, in cells like the other panels."""
    import numpy

    pixels = numpy.asarray(image)
    height, width = pixels.shape[:2]
    scale_h, scale_w = e.spatial_scale or (1.0, 1.0)
    extent = (0, width * scale_w, height * scale_h, 0)
    ax.imshow(pixels, extent=extent, cmap="gray", zorder=0)
    right, bottom = math.ceil(extent[1]), math.ceil(extent[2])
    if max(right, bottom) <= _MOST_GRID_LINES:
        ax.vlines(range(right + 1), 0, bottom, colors="white", linewidths=0.4, alpha=0.6)
        ax.hlines(range(bottom + 1), 0, right, colors="white", linewidths=0.4, alpha=0.6)
    (x1, x2), (y1, y2) = e.x.exact, e.y.exact
    ax.add_patch(_outline(x1, y1, x2, y2, TRUE_BOX, 6))
    ax.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(9, integer=True))
    ax.tick_params(length=2.5, labelsize=8.5, color="#808080")
    scales = {scale_text(scale) for scale in (scale_h, scale_w)}
    size = f"{width}x{height} pixels, scale {' and '.join(sorted(scales))}"
    pad = 6 + headroom * _LANE_POINTS
    ax.set_title(f"the image\n{size}", fontsize=10, pad=pad, linespacing=1.35)


def _key(explanations) -> list:
    """The legend: only what the pictures contain."""
    ranged = [e for e in explanations if hasattr(e, "regions")]
    interpolated = [e for e in explanations if _interpolates(e)]
    plans = [e for e in explanations if _is_plan(e)]
    present = {k for e in ranged for k, found in e.regions().items() if found}
    lines = [Line2D([], [], **TRUE_BOX)]
    if ranged or interpolated:
        taken = {**QUANTISED_BOX, "label": "box as the rule takes it"} if interpolated else QUANTISED_BOX
        lines.append(Line2D([], [], **taken))
    patches = [
        Patch(**{"edgecolor": "#808080", "linewidth": 0.5, **style})
        for kind, style in STYLES.items()
        if kind in present
    ]
    if plans or any(e.cells.pooled for e in ranged):
        lines.append(Patch(fill=False, edgecolor=BIN["color"], linewidth=1.0, label=BIN["label"]))
    points = _plot_points.key(interpolated, BIN) if interpolated else []
    weights = _plot_points.weights_key([*interpolated, *plans]) if interpolated or plans else []
    return [*lines, *patches, *points, *weights]
