"""An explanation as a table, in the order of the article."""

from __future__ import annotations

from fractions import Fraction

MOST_BINS_LISTED = 16
_MOST_ENTRIES_LISTED = 8
_INTERVAL = "divided"

# What the numbers of an explanation count from; of an interpolating rule both lines hold.
EDGES = "positions are in cells from the edge of the map: cell i reaches from i to i + 1"
CENTRES = "where frameworks interpolate they count from the centre of cell 0: 0.5 less"


def table(e) -> str:
    """Return the whole explanation as lines of text."""
    return "\n".join([_heading(e), f"  {EDGES}", "", *_coordinates(e), "", *_bins(e), "", *_figures(e)])


def number(value: float) -> str:
    """Write a number with at most ten significant digits and no trailing zeros."""
    return f"{value:.10g}"


def scale_text(scale: float) -> str:
    """Write 0.03125 as 1/32, and what is no simple fraction as a decimal number."""
    fraction = Fraction(scale).limit_denominator(4096)
    if fraction.denominator > 1 and float(fraction) == scale:
        return f"{fraction.numerator}/{fraction.denominator}"
    return number(scale)


def interpolation_table(e) -> str:
    """Return an explanation of an interpolating rule as lines of text."""
    heading = [_heading(e), f"  {EDGES}", f"  {CENTRES}"]
    parts = heading, _coordinates(e, _INTERVAL), _taps(e.x, "columns"), _taps(e.y, "rows"), _weighed(e)
    return "\n\n".join("\n".join(lines) for lines in parts)


def options_text(e) -> str:
    """Name an interpolating rule or an operator and its options, as in `roi_align, aligned=False`."""
    if hasattr(e, "operator"):
        return ", ".join([e.operator, *(f"{name}={_option(value)}" for name, value in e.options)])
    parts = [e.rule]
    if e.aligned is not None and e.aligned is not True:
        parts.append(f"aligned={e.aligned!r}")
    if e.sampling_ratio is not None and max(e.sampling_ratio) > 0:
        ratio = e.sampling_ratio[0] if len(set(e.sampling_ratio)) == 1 else e.sampling_ratio
        parts.append(f"sampling_ratio={ratio}")
    return ", ".join(parts)


def _option(value) -> str:
    """A value, but of an array no number."""
    is_array = isinstance(value, tuple) and any(isinstance(item, tuple) for item in value)
    return "..." if is_array else repr(value)


def _heading(e) -> str:
    scale_h, scale_w = map(scale_text, e.spatial_scale)
    scale = scale_w if scale_h == scale_w else f"{scale_w} (x), {scale_h} (y)"
    where = "" if e.map_size is None else f" of a {e.map_size[0]}x{e.map_size[1]} map"
    bins = f"{e.output_size[0]}x{e.output_size[1]}"
    name = options_text(e) if hasattr(e, "aligned") else f'RoI pooling, rule "{e.rule}"'
    return f"{name}: {bins} bins{where}, spatial scale {scale}"


def _coordinates(e, last="quantised") -> list[str]:
    rows = [("", "image, px", "on the map", last)]
    for axis in (e.x, e.y):
        rows.append((axis.name, axis.image[0], axis.exact[0], axis.quantised[0]))
    for name, axis in (("width", e.x), ("height", e.y)):
        ends = axis.image, axis.exact, axis.quantised
        rows.append((name, *(end - start for start, end in ends)))
    lines = []
    for name, *values in rows:
        texts = [value if isinstance(value, str) else number(value) for value in values]
        lines.append(f"  {name:<7}" + "".join(f"{text:>14}" for text in texts))
    return lines


def _bins(e) -> list[str]:
    lines = []
    for label, axis in (("columns", e.x), ("rows", e.y)):
        line = f"  {label:<8} {listed(axis.pooled)}"
        if axis.clipped is not None and axis.clipped != axis.bins:
            line += f"  (before clipping {listed(axis.bins)})"
        if axis.dropped:
            line += f"  dropped {listed(axis.dropped)}"
        lines.append(line)
    return lines


def listed(ranges) -> str:
    """Write ranges, of many the first and the last."""
    texts = [f"[{start},{end})" for start, end in ranges]
    if len(texts) > MOST_BINS_LISTED:
        half = MOST_BINS_LISTED // 2
        texts[half:-half] = [f"... {len(texts) - 2 * half} more ..."]
    return " ".join(texts)


def _figures(e) -> list[str]:
    a, c = e.areas, e.cells
    lines = [f"  area of the box      {number(a.box):>12} cells"]
    rows = [
        ("used", a.used),
        ("lost, 1st rounding", a.lost_first),
        ("lost, 2nd rounding", a.lost_second),
    ]
    if e.map_size is not None:
        rows.append(("outside the map", a.outside))
    for name, value in rows:
        share = f"{value / a.box:9.1%}" if a.box else ""
        lines.append(f"    {name:<19}{number(value):>12}{share}")
    split = f"   {number(a.gained_pooled)} pooled, {number(a.gained_dropped)} dropped"
    lines.append(f"  gained               {number(a.gained):>12}" + (split if a.gained else ""))
    cells = f"{c.quantised} quantised, {c.pooled} pooled, {c.dropped} dropped, {c.reads} reads"
    empty = f", {c.empty_bins} empty bins" if c.empty_bins else ""
    lines.append(f"  whole cells          {cells}{empty}")
    return lines


def _taps(axis, label) -> list[str]:
    """For each bin of an axis its points and its weighted cells."""
    points = [_points(of_bin, axis.grid) for of_bin in axis.points]
    taps = [" ".join(shortened(f"{cell}:{weight:.3f}" for cell, weight in of_bin)) for of_bin in axis.taps]
    width = max(map(len, points), default=0) + 3 if axis.grid else 0
    rows = [f"{bin:5}  {points[bin]:<{width}}{taps[bin] or 'none'}" for bin in range(len(taps))]
    if len(rows) > MOST_BINS_LISTED:
        half = MOST_BINS_LISTED // 2
        rows[half:-half] = [f"       ... {len(rows) - 2 * half} more ..."]
    heading = f"{'points':<{width}}cell:weight" if axis.grid else "cell:weight"
    return [f"  {label}", f"  bin  {heading}", *rows]


def _points(of_bin, grid) -> str:
    """The points of a bin; those far off the map are not listed, but counted."""
    texts = shortened(f"{v:.3f}" for v, _ in of_bin)
    absent = grid - len(of_bin)
    return " ".join([*texts, f"{absent} off the map"] if absent else texts)


def shortened(texts) -> list[str]:
    """Leave out the middle of many texts."""
    texts = list(texts)
    if len(texts) > _MOST_ENTRIES_LISTED:
        half = _MOST_ENTRIES_LISTED // 2
        texts[half:-half] = ["..."]
    return texts


def _weighed(e) -> list[str]:
    b = e.balance()
    rows = [
        ("weighed as it lies", b.placed),
        ("weighed too little", b.short),
        ("  of it not at all", b.unseen),
    ]
    lines = [f"  area of the box      {number(b.box):>12} cells"]
    for name, value in rows:
        share = f"{value / b.box:9.1%}" if b.box else ""
        lines.append(f"    {name:<19}{value:12.4f}{share}")
    lines.append(f"  weighed too much     {b.extra:12.4f}")
    if b.off_map:
        lines.append(f"  weight off the map   {b.off_map:12.4f}")
    return lines
