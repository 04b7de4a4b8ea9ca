"""Pictures of explanations; the files here that begin with _plot need matplotlib."""

from __future__ import annotations

import math
from collections import Counter

from ._text import number, options_text, scale_text

try:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, PathPatch, Rectangle
    from matplotlib.path import Path
    from matplotlib.transforms import ScaledTranslation
except ImportError as error:
    raise ImportError("drawing needs matplotlib: pip install matplotlib", name=error.name) from error

from . import _plot_layout as layout
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
# A box that is but a point on the page has no outline to be seen.
_AT = dict(linestyle="none", markersize=9.0)
TRUE_PLACE = dict(_AT, marker="x", color=TRUE_BOX["color"], markeredgewidth=2.4, label="true box, without extent")
QUANTISED_PLACE = dict(_AT, marker="+", color="black", markeredgewidth=1.4, label="quantised box, without extent")
_GRID = "#c9c9c9"
_TAKEN_BOX = "box as the rule takes it"
_MARGIN = 1.0
_ONE_PANEL, _PANEL = 300.0, 235.0  # points, of the axes
_FLAT, _FLAT_BESIDE_IMAGE, _TALL = 0.4, 0.75, 1.6
_LEAST_OUTLINE = 0.5  # points
_MOST_LANES = 8
_MOST_BARS = 200
_NOTE_EDGES = "Cells count from the edge of the map: cell i reaches from i to i + 1."
_NOTE_CENTRES = "Where frameworks interpolate they count from the centre of cell 0: 0.5 less."
_NOTE_MISPLACED = "Misplaced: how much the cells under the box count too little, all together, in cells."


def plot_one(explanation, ax=None, *, view=None, legend=True):
    """Draw one explanation; see `Explanation.plot`."""
    if ax is None:
        return _plot_alone(explanation, view, legend)
    window = layout.shaped(_window([explanation], view), _FLAT, _TALL)
    place = ax.get_window_extent()
    width, height = (72 * side / ax.figure.dpi for side in (place.width, place.height))
    scale = min(width / (window[2] - window[0]), height / (window[3] - window[1]))
    lanes = _headroom([explanation])
    _panel(
        ax, explanation, window, scale, lanes, layout.wrapped(_title(explanation, False, scale), layout.TITLE, width)
    )
    if legend:
        below = layout.panel_room(width, [window], lanes, 0).bottom
        handles = _key([ax], [explanation])
        ax.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            bbox_transform=ax.transAxes + ScaledTranslation(0, -below / 72, ax.figure.dpi_scale_trans),
            ncols=layout.key_columns([handle.get_label() for handle in handles], width),
            frameon=False,
            fontsize=layout.KEY,
        )
    return ax


def plot_many(explanations, *, image=None, view=None, title=None):
    """Draw explanations side by side; see `plot_rules`."""
    if not explanations:
        raise ValueError("explanations: there is nothing to draw")
    figure, panels = _panels(explanations, image, view)
    _finish(figure, panels, explanations, title, legend=figure.legend)
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


def _plot_alone(explanation, view, legend):
    figure, panels = _panels([explanation], None, view)
    ax = panels[0][0]
    _finish(figure, panels, [explanation], None, legend=ax.legend if legend else None)
    return ax


def _panels(explanations, image, view):
    """A figure with all panels drawn, and of each panel its axes and its lower left corner from the upper left of the figure."""
    from matplotlib import pyplot

    count = len(explanations) + (image is not None)
    columns = count if count <= 3 else math.ceil(count / math.ceil(count / 3))
    width = _ONE_PANEL if columns == 1 else _PANEL
    flat = _FLAT if image is None else _FLAT_BESIDE_IMAGE
    window = layout.shaped(_window(explanations, view), flat, _TALL)
    scale = width / (window[2] - window[0])
    mixed = len({hasattr(e, "regions") for e in explanations}) > 1
    titles = [layout.wrapped(_title(e, mixed, scale), layout.TITLE, width) for e in explanations]
    windows = [window]
    if image is not None:
        windows.append(_image_window(image, explanations[0], window))
        titles.insert(0, layout.wrapped(_image_title(image, explanations[0]), layout.TITLE, width))
    lanes = _headroom(explanations)
    room = layout.panel_room(width, windows, lanes, max(map(len, titles)))
    figure = pyplot.figure(figsize=[side / 72 for side in (room.whole[0] * columns, room.whole[1])])
    panels = []
    for index, lines in enumerate(titles):
        row, column = divmod(index, columns)
        corner = room.whole[0] * column + room.left, room.whole[1] * (row + 1) - room.bottom
        ax = figure.add_axes((0, 0, 1, 1))
        panels.append((ax, corner, room))
        if image is not None and index == 0:
            _image_panel(ax, image, explanations[0], windows[1], width, lines)
        else:
            _panel(ax, explanations[index - (image is not None)], window, scale, lanes, lines)
    return figure, panels


def _finish(figure, panels, explanations, title, legend) -> None:
    """Give the figure its heading, its size, the panels their places, and, by the function `legend`, a key with notes."""
    room = panels[0][2]
    width = max(corner[0] for _, corner, _ in panels) + room.width + room.right
    heading = layout.wrapped(title, 13, width - 20) if title else []
    above = layout.height_of(len(heading), 13) + (8 if heading else 0)
    key_top = above + max(corner[1] for _, corner, _ in panels) + room.bottom
    axes = [ax for ax, *_ in panels]
    handles = _key(axes, explanations) if legend else []
    columns = layout.key_columns([handle.get_label() for handle in handles], width) if legend else 1
    notes_top = key_top + (layout.key_height(len(handles), columns) if legend else 0)
    notes = layout.wrapped("\n".join(_notes(axes, explanations)), layout.NOTE, width - 20) if legend else []
    height = notes_top + layout.height_of(len(notes), layout.NOTE) + 4
    figure.set_size_inches(width / 72, height / 72)
    for ax, (left, bottom), _ in panels:
        place = left / width, 1 - (above + bottom) / height, room.width / width, room.height / height
        ax.set_position(place)
    if heading:
        figure.suptitle("\n".join(heading), x=0.5, y=1 - 4 / height, va="top", fontsize=13, parse_math=False)
    if legend:
        legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 1 - key_top / height),
            bbox_transform=figure.transFigure,
            borderaxespad=0,
            ncols=columns,
            frameon=False,
            fontsize=layout.KEY,
        )
        place = 10 / width, 1 - notes_top / height
        figure.text(*place, "\n".join(notes), va="top", fontsize=layout.NOTE, color="#404040")


def _notes(axes, explanations) -> list[str]:
    notes = [_NOTE_EDGES]
    if any(map(_interpolates, explanations)):
        notes.append(_NOTE_CENTRES)
    titles = "\n".join(ax.get_title() for ax in axes)
    if "misplaced" in titles:
        notes.append(_NOTE_MISPLACED)
    return notes


def _headroom(explanations) -> int:
    """Lanes that the widest ruler needs; all panels leave room for as many."""
    rulers = [_ruler_lanes(_distinct(axis)) for e in explanations for axis in (e.x, e.y)]
    return max(len(set(lanes)) for lanes in rulers)


def _window(explanations, view):
    """Return left, top, right, bottom in cells: the boxes with a margin, or the map and all that is drawn."""
    if view not in (None, "map"):
        raise ValueError(f"view: {view!r} is neither None nor 'map'")
    margin = None if view is None else 0
    (left, right), (top, bottom) = (_span([getattr(e, name) for e in explanations], margin) for name in ("x", "y"))
    if view == "map":
        sizes = [e.map_size for e in explanations if e.map_size is not None]
        if not sizes:
            raise ValueError("view: 'map' needs explanations with a map_size")
        left, top = min(left, 0), min(top, 0)
        right, bottom = max(right, *(w for _, w in sizes)), max(bottom, *(h for h, _ in sizes))
    return left, top, right, bottom


def _span(axes, margin):
    ends = [end for axis in axes for end in (*axis.exact, *axis.quantised)]
    ends += [end for axis in axes for pair in _full(axis) for end in pair]
    margin = max(_MARGIN, (max(ends) - min(ends)) * 0.06) if margin is None else margin
    return math.floor(min(ends) - margin), math.ceil(max(ends) + margin)


def _interpolates(e) -> bool:
    return not hasattr(e, "regions") and not _is_plan(e)


def _is_plan(e) -> bool:
    return hasattr(e, "operator")


def _panel(ax, e, window, scale, lanes, title):
    """Draw one explanation; `scale` is points per cell."""
    _grid(ax, e.map_size, window, scale)
    if _interpolates(e):
        _plot_points.draw(ax, e, BIN, scale)
    elif _is_plan(e):
        _plot_points.draw_weights(ax, e)
        ax.add_collection(_bin_outlines(e, scale))
    else:
        for kind, rectangles in e.regions().items():
            if rectangles:
                ax.add_patch(_patch(kind, rectangles))
        ax.add_collection(_bin_outlines(e, scale))
    if not _is_plan(e):
        (qx1, qx2), (qy1, qy2) = e.x.quantised, e.y.quantised
        _draw_box(ax, (qx1, qy1, qx2, qy2), scale, QUANTISED_BOX, QUANTISED_PLACE, 6)
    (x1, x2), (y1, y2) = e.x.exact, e.y.exact
    _draw_box(ax, (x1, y1, x2, y2), scale, TRUE_BOX, TRUE_PLACE, 5)
    _ruler(ax, e.x, scale, "x")
    _ruler(ax, e.y, scale, "y")
    ax.set_xlabel("x, cells from the edge of the map", fontsize=layout.LABEL)
    ax.set_ylabel("y, cells", fontsize=layout.LABEL)
    _set_title(ax, title, lanes)
    ax.set_gid(f"operator:{e.operator}" if _is_plan(e) else f"rule:{e.rule}")


def _set_title(ax, lines, lanes) -> None:
    pad = 6 + lanes * layout.LANE
    ax.set_title("\n".join(lines), fontsize=layout.TITLE, pad=pad, linespacing=1.2, parse_math=False)


def _title(e, mixed, scale) -> str:
    return _point_title(e, scale) if _interpolates(e) or _is_plan(e) else _range_title(e, mixed)


def _point_title(e, scale) -> str:
    b = e.balance()
    lines, parts = [options_text(e)], []
    if b.box:
        lines.append(f"used {_rounded(b.box - b.unseen, b.box)} of {_rounded(b.box, b.box)} cells")
        parts += [f"lost {_rounded(b.unseen, b.box)}", f"misplaced {_rounded(b.short, b.box)}"]
    else:
        lines.append(_without_area(e))
    if round(b.off_map, 2):
        parts.append(f"off the map {_rounded(b.off_map, b.box)}")
    thinned = _plot_points.one_in(e, scale) if _interpolates(e) else 1
    if thinned > 1:
        parts.append(f"1 in {thinned} points drawn")
    return "\n".join([*lines, " · ".join(parts)] if parts else lines)


def _range_title(e, mixed) -> str:
    a = e.areas
    lost = f"{_rounded(a.lost_first, a.box)} + {_rounded(a.lost_second, a.box)}" if a.lost else "0"
    parts = [f"lost {lost}"] if a.box else []
    parts.append(f"gained {_rounded(a.gained, a.box)}")
    if a.outside:
        parts.append(f"off the map {_rounded(a.outside, a.box)}")
    if mixed and a.box:
        parts.append(f"misplaced {_rounded(e.balance().short, a.box)}")
    used = f"used {_rounded(a.used, a.box)} of {_rounded(a.box, a.box)} cells" if a.box else _without_area(e)
    return "\n".join([f'"{e.rule}"', used, " · ".join(parts)])


def _without_area(e) -> str:
    """What a box is that has no area to be used or lost."""
    reversed_axes = [axis.name for axis in (e.x, e.y) if axis.exact[1] < axis.exact[0]]
    return f"the box is reversed along {' and '.join(reversed_axes)}" if reversed_axes else "the box has no area"


def _rounded(area, box) -> str:
    """To a hundredth of a cell, and of a small box to two digits."""
    digits = 2 if not 0 < box < 0.1 else 1 - math.floor(math.log10(box))
    return number(round(area, digits))


def _grid(ax, map_size, window, scale):
    left, top, right, bottom = window
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    x1, y1, x2, y2 = window
    if map_size is not None:
        x1, y1 = max(left, 0), max(top, 0)
        x2, y2 = min(right, map_size[1]), min(bottom, map_size[0])
        ax.set_facecolor("#ededed")
    seen = x2 > x1 and y2 > y1
    if map_size is not None and seen:
        ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor="white", edgecolor="none", zorder=0.5))
    lines = []
    if scale >= _plot_points.LEAST_APART and seen:
        lines += [((x, y1), (x, y2)) for x in range(x1, x2 + 1)]
        lines += [((x1, y), (x2, y)) for y in range(y1, y2 + 1)]
    ax.add_collection(LineCollection(lines, colors=_GRID, linewidths=0.7, zorder=3))
    layout.set_ticks(ax, window, scale)
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


def _draw_box(ax, box, scale, outline, place, zorder) -> None:
    x1, y1, x2, y2 = box
    if max(abs(x2 - x1), abs(y2 - y1)) * scale < _LEAST_OUTLINE:
        ax.plot((x1 + x2) / 2, (y1 + y2) / 2, zorder=zorder, gid="place", **place)
    else:
        ax.add_patch(_outline(*box, outline, zorder))


def _outline(x1, y1, x2, y2, style, zorder) -> Rectangle:
    return Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, zorder=zorder, **style)


def _bin_outlines(e, scale) -> LineCollection:
    """Outlines of the bins, a little inside their cells so that overlapping bins can be told."""
    columns, rows = _distinct(e.x), _distinct(e.y)
    if any((end - start) * scale < _plot_points.LEAST_APART for start, end in (*columns, *rows)):
        columns = rows = []
    lines = []
    for row, (y1, y2) in enumerate(rows):
        for column, (x1, x2) in enumerate(columns):
            inset_x, inset_y = 0.07 + 0.07 * (column % 2), 0.07 + 0.07 * (row % 2)
            a, b, c, d = x1 + inset_x, y1 + inset_y, x2 - inset_x, y2 - inset_y
            lines.append([(a, b), (c, b), (c, d), (a, d), (a, b)])
    label = BIN["label"] if lines else ""
    return LineCollection(lines, colors=BIN["color"], linewidths=BIN["linewidth"], zorder=4, label=label)


def _ruler(ax, axis, scale, name):
    """Draw the ranges of the bins above or right of the panel, with those numbers that have room."""
    counted = Counter(_full(axis))
    ranges = list(counted)
    drawn = Counter()
    for (start, end), lane in zip(ranges, _ruler_lanes(ranges)):
        color = "#c6c6c6" if (drawn[lane] + lane) % 2 else "#dedede"
        drawn[lane] += 1
        label = _label(start, end, counted[start, end])
        fits = layout.width_of(label, layout.RULER) + 2 <= (end - start) * scale
        _ruler_bar(ax, name, start, end, lane, color, label if fits else "")


def _ruler_lanes(ranges) -> list[int]:
    """The lane of each bar of a ruler; none where there are too many to be drawn."""
    lanes = _lanes(ranges) if len(ranges) <= _MOST_BARS else []
    return lanes if max(lanes, default=0) < _MOST_LANES else []


def _full(axis) -> list[tuple[int, int]]:
    """The bins that hold a cell."""
    return [pair for pair in axis.pooled if pair[1] > pair[0]]


def _label(start, end, count) -> str:
    return f"{start}–{end}" if count == 1 else f"{start}–{end} ×{count}"


def _ruler_bar(ax, name, start, end, lane, color, label):
    depth = 4 + lane * layout.LANE, 4 + (lane + 1) * layout.LANE - 2.5
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
            fontsize=layout.RULER,
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


def _image_panel(ax, image, e, window, width, title):
    """The image with the map's cells and the box, in pixels."""
    import numpy

    pixels = numpy.asarray(image)
    height_px, width_px = pixels.shape[:2]
    left, top, right, bottom = window
    scale = width / (right - left)
    ax.imshow(pixels, extent=(0, width_px, height_px, 0), cmap="gray", zorder=0)
    if e.spatial_scale is not None:
        cell_h, cell_w = (1 / v for v in e.spatial_scale)
        if min(cell_h, cell_w) * scale >= _plot_points.LEAST_APART:
            lines = [((x * cell_w, 0), (x * cell_w, height_px)) for x in range(math.ceil(width_px / cell_w))]
            lines += [((0, y * cell_h), (width_px, y * cell_h)) for y in range(math.ceil(height_px / cell_h))]
            ax.add_collection(LineCollection(lines, colors="white", linewidths=0.4, alpha=0.6))
    _draw_box(ax, _box_on(image, e), scale, TRUE_BOX, TRUE_PLACE, 6)
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", facecolor="#ededed")
    layout.set_ticks(ax, window, scale)
    ax.set_xlabel("x, pixels of the image", fontsize=layout.LABEL)
    ax.set_ylabel("y, pixels", fontsize=layout.LABEL)
    _set_title(ax, title, 0)


def _image_title(image, e) -> str:
    import numpy

    height, width = numpy.shape(image)[:2]
    scales = sorted({scale_text(scale) for scale in e.spatial_scale or ()})
    scale = f", scale {' and '.join(scales)}" if scales else ""
    return f"the image\n{width}x{height} pixels{scale}"


def _image_window(image, e, like):
    """The image and the box, in the shape of another window."""
    import numpy

    height, width = numpy.shape(image)[:2]
    x1, y1, x2, y2 = _box_on(image, e)
    left, top = min(0, math.floor(min(x1, x2))), min(0, math.floor(min(y1, y2)))
    right, bottom = max(width, math.ceil(max(x1, x2))), max(height, math.ceil(max(y1, y2)))
    aspect = (like[3] - like[1]) / (like[2] - like[0])
    more_height = max((right - left) * aspect - (bottom - top), 0)
    more_width = max((bottom - top) / aspect - (right - left), 0)
    return left - more_width / 2, top - more_height / 2, right + more_width / 2, bottom + more_height / 2


def _box_on(image, e):
    """The box in pixels of the image."""
    import numpy

    if getattr(e, "operator", None) != "crop_and_resize":
        return e.box
    height, width = numpy.shape(image)[:2]
    y1, x1, y2, x2 = e.box  # 0 and 1 are the centres of the outer pixels
    return x1 * (width - 1) + 0.5, y1 * (height - 1) + 0.5, x2 * (width - 1) + 0.5, y2 * (height - 1) + 0.5


def _key(axes, explanations) -> list:
    """The legend: only what the pictures contain, by the labels of what was drawn."""
    drawn = {artist.get_label() for ax in axes for artist in ax.get_children()}
    points = any(map(_interpolates, explanations))
    taken = {**QUANTISED_BOX, "label": _TAKEN_BOX} if points else QUANTISED_BOX
    taken_place = {**QUANTISED_PLACE, "label": f"{_TAKEN_BOX}, without extent"} if points else QUANTISED_PLACE
    patches = [Patch(**{"edgecolor": "#808080", "linewidth": 0.5, **style}) for style in STYLES.values()]
    entries = [
        (TRUE_BOX["label"], Line2D([], [], **TRUE_BOX)),
        (TRUE_PLACE["label"], Line2D([], [], **TRUE_PLACE)),
        (QUANTISED_BOX["label"], Line2D([], [], **taken)),
        (QUANTISED_PLACE["label"], Line2D([], [], **taken_place)),
        (BIN["label"], Patch(fill=False, edgecolor=BIN["color"], linewidth=1.0, label=BIN["label"])),
        *((patch.get_label(), patch) for patch in patches),
        *((style["label"], Line2D([], [], **style)) for style in (_plot_points.POINT, _plot_points.ABSENT)),
        (_plot_points.EDGES_OF_BINS, Line2D([], [], **{**BIN, "label": _plot_points.EDGES_OF_BINS})),
    ]
    weighed = [e for e in explanations if not hasattr(e, "regions")]
    return [handle for label, handle in entries if label in drawn] + _plot_points.weights_key(weighed)
