"""The plan of an operator as a table."""

from __future__ import annotations

from fastroi import _core

from ._text import MOST_BINS_LISTED, listed, number, options_text, scale_text, shortened

_REDUCES = {
    "max": "the maximum of its cells",
    "mean": "the mean of its cells",
    "sum": "the sum of weight x cell",
    "max_points": "the maximum over its points, each the sum of weight x cell",
    "mixed": "the sum of weight x cell, then orientations are mixed",
}


def plan_table(p) -> str:
    """Return the plan of an operator as lines of text, those of many bins shortened."""
    parts = [_plan_heading(p)]
    if p.cells is not None:
        parts += [_gathered(cells, f" of class {i}" if len(p.cells) > 1 else "") for i, cells in enumerate(p.cells)]
    elif p.row_points is not None:
        parts += [_points(p.column_points, "columns"), _points(p.row_points, "rows")]
    elif p.reduce == "sum":
        parts += [_axis(p.columns, "columns"), _axis(p.rows, "rows")]
    else:
        parts += [_ranges(p.columns, "columns"), _ranges(p.rows, "rows")]
    if p.bin_channels is not None:
        parts.append(_channels(p))
    if p.orientations is not None:
        parts.append(["  orientation  from:weight", *_numbered(map(_weighed_cells, p.orientations))])
    return "\n\n".join("\n".join(lines) for lines in parts)


def _plan_heading(p) -> list[str]:
    where = "" if p.level is None else f" level {p.level},"
    bins, size = (f"{rows}x{columns}" for rows, columns in (p.output_size, p.map_size))
    channels = f"{p.channels} channel" + ("s" if p.channels > 1 else "")
    return [
        f"{options_text(p)}: {bins} bins of a {size} map,{where} {channels}" + _scale_of(p),
        f"  box{_order_of(p)} {' '.join(map(number, p.box))}; a bin is {_REDUCES[p.reduce]}",
    ]


def _order_of(p) -> str:
    """Where y comes first, which nobody expects of a box."""
    return " (y1 x1 y2 x2)" if _core.OPERATORS[p.operator].flags & _core.TAKES_NORMALISED_BOXES else ""


def _scale_of(p) -> str:
    if p.spatial_scale is None:
        return ""
    scale_h, scale_w = map(scale_text, p.spatial_scale)
    return f", spatial scale {scale_w}" + ("" if scale_h == scale_w else f" (x), {scale_h} (y)")


def _weighed_cells(taps) -> str:
    return " ".join(shortened(f"{cell}:{weight:.3f}" for cell, weight in taps)) or "none"


def _numbered(texts) -> list[str]:
    return _cut([f"{bin:5}  {text}" for bin, text in enumerate(texts)])


def _cut(lines) -> list[str]:
    if len(lines) > MOST_BINS_LISTED:
        half = MOST_BINS_LISTED // 2
        lines[half:-half] = [f"       ... {len(lines) - 2 * half} more ..."]
    return lines


def _axis(taps, label) -> list[str]:
    return [f"  {label}", "  bin  cell:weight", *_numbered(map(_weighed_cells, taps))]


def _ranges(taps, label) -> list[str]:
    """Bins whose cells all count alike, each a range."""
    return [f"  {label:<8} {listed((of_bin[0][0], of_bin[-1][0] + 1) if of_bin else (0, 0) for of_bin in taps)}"]


def _points(of_bins, label) -> list[str]:
    texts = [" | ".join(shortened([_weighed_cells(point) for point in points])) or "none" for points in of_bins]
    return [f"  {label}", "  bin  cell:weight of each point", *_numbered(texts)]


def _gathered(by_row, of_class) -> list[str]:
    lines = []
    for ph, of_row in enumerate(by_row):
        for pw, cells in enumerate(of_row):
            text = " ".join(shortened(f"{row},{column}:{weight:.3f}" for row, column, weight in cells))
            lines.append(f"{ph:5},{pw:<4}{len(cells):6}  {text}".rstrip())
    return [f"  bins{of_class}", "    row,column  cells  row,column:weight", *_cut(lines)]


def _channels(p) -> list[str]:
    step = p.bin_channels[0][0][1]
    rows = [" ".join(shortened(str(first) for first, _ in of_row)) for of_row in p.bin_channels]
    return [f"  channel of each bin for output channel 0, {step} more for each next", *_numbered(rows)]
