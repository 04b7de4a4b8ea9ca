"""The plane split into what is used, lost and gained; exact, because every set is a product."""

from __future__ import annotations

import math

KINDS = ("used", "lost_first", "lost_second", "outside", "gained_pooled", "gained_dropped")

Rectangle = tuple[float, float, float, float]


def divide(x, y) -> dict[str, tuple[Rectangle, ...]]:
    """Rectangles (x1, y1, x2, y2) in cells of each kind, for two `Axis` objects."""
    found = {kind: [] for kind in KINDS}
    columns = _pieces(x)
    for y1, y2, in_y in _pieces(y):
        for x1, x2, in_x in columns:
            kind = _kind(*(a and b for a, b in zip(in_x, in_y)))
            if kind is not None:
                found[kind].append((x1, y1, x2, y2))
    return {kind: tuple(_joined(rectangles)) for kind, rectangles in found.items()}


def total_area(rectangles):
    """The sum of the areas, as a `fractions.Fraction`: floats are exact fractions."""
    from fractions import Fraction

    total = Fraction(0)
    for x1, y1, x2, y2 in rectangles:
        total += (Fraction(x2) - Fraction(x1)) * (Fraction(y2) - Fraction(y1))
    return total


def union(ranges) -> list[tuple[float, float]]:
    """Disjoint ascending intervals that cover exactly what the ranges cover."""
    merged = []
    for start, end in sorted(r for r in ranges if r[1] > r[0]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def length(ranges) -> int:
    """Cells in disjoint ranges."""
    return sum(end - start for start, end in ranges)


def difference(span, ranges):
    """What disjoint ascending `ranges` leave of one `span`."""
    start, end = span
    left = []
    for a, b in ranges:
        if a > start:
            left.append((start, min(a, end)))
        start = max(start, b)
    return [(a, b) for a, b in [*left, (start, end)] if b > a]


def _kind(true, quantised, pooled, on_map) -> str | None:
    if true and not on_map:
        return "outside"
    if not on_map:
        return None
    if true:
        if pooled:
            return "used"
        return "lost_second" if quantised else "lost_first"
    if pooled:
        return "gained_pooled"
    return "gained_dropped" if quantised else None


def _pieces(axis):
    """Cut one axis where anything changes: (start, end, (in T, in Q, in B, on the map))."""
    sets = (
        union([axis.exact]),
        union([axis.quantised]),
        union(axis.pooled),
        [(-math.inf, math.inf) if axis.extent is None else (0, axis.extent)],
    )
    cuts = sorted({float(c) for ranges in sets for r in ranges for c in r if math.isfinite(c)})
    return [
        (start, end, tuple(any(a <= start and end <= b for a, b in ranges) for ranges in sets))
        for start, end in zip(cuts, cuts[1:])
    ]


def _joined(rectangles):
    """Join neighbours in a row, then equal runs in neighbouring rows."""
    rows = []
    for x1, y1, x2, y2 in rectangles:
        if rows and rows[-1][1] == y1 and rows[-1][2] == x1:
            rows[-1] = (rows[-1][0], y1, x2, y2)
        else:
            rows.append((x1, y1, x2, y2))
    joined = []
    above = {}
    for x1, y1, x2, y2 in rows:
        index = above.get((x1, x2, y1))
        if index is None:
            joined.append((x1, y1, x2, y2))
            index = len(joined) - 1
        else:
            joined[index] = joined[index][:3] + (y2,)
        above[x1, x2, y2] = index
    return joined
