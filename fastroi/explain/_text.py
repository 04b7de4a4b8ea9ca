"""An explanation as a table, in the order of the article."""

from __future__ import annotations

from fractions import Fraction

_MOST_BINS_LISTED = 16


def table(e) -> str:
    """Return the whole explanation as lines of text."""
    return "\n".join([_heading(e), "", *_coordinates(e), "", *_bins(e), "", *_figures(e)])


def number(value: float) -> str:
    """Write a number with at most ten significant digits and no trailing zeros."""
    return f"{value:.10g}"


def scale_text(scale: float) -> str:
    """Write 0.03125 as 1/32, and what is no simple fraction as a decimal number."""
    fraction = Fraction(scale).limit_denominator(4096)
    if fraction.denominator > 1 and float(fraction) == scale:
        return f"{fraction.numerator}/{fraction.denominator}"
    return number(scale)


def _heading(e) -> str:
    scale_h, scale_w = map(scale_text, e.spatial_scale)
    scale = scale_w if scale_h == scale_w else f"{scale_w} (x), {scale_h} (y)"
    where = "" if e.map_size is None else f" of a {e.map_size[0]}x{e.map_size[1]} map"
    bins = f"{e.output_size[0]}x{e.output_size[1]}"
    return f'RoI pooling, rule "{e.rule}": {bins} bins{where}, spatial scale {scale}'


def _coordinates(e) -> list[str]:
    rows = [("", "image, px", "on the map", "quantised")]
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
        line = f"  {label:<8} {_listed(axis.pooled)}"
        if axis.clipped is not None and axis.clipped != axis.bins:
            line += f"  (before clipping {_listed(axis.bins)})"
        if axis.dropped:
            line += f"  dropped {_listed(axis.dropped)}"
        lines.append(line)
    return lines


def _listed(ranges) -> str:
    texts = [f"[{start},{end})" for start, end in ranges]
    if len(texts) > _MOST_BINS_LISTED:
        half = _MOST_BINS_LISTED // 2
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
