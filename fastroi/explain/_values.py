"""Arguments in, plain values out."""

from __future__ import annotations

import math
import operator
from typing import Any

_MOST_BINS = 65536


def corners(box) -> tuple[float, float, float, float]:
    """Return the finite floats x1, y1, x2, y2 of a box."""
    return numbers(box, ("x1", "y1", "x2", "y2"))


def numbers(box, names) -> tuple[float, ...]:
    """Return a box as finite floats that have these names."""
    values = tuple(box)
    if len(values) != len(names):
        raise ValueError(f"box: expected {', '.join(names)}, got {len(values)} values")
    values = tuple(float(value) for value in values)
    for name, value in zip(names, values):
        if not math.isfinite(value):
            raise ValueError(f"box: {name} = {value!r} is not finite")
    return values


def size(value, name) -> tuple[int, int]:
    """Return a pair of positive integers, from one or a pair."""
    sizes = integers(value, name)
    if min(sizes) < 1:
        raise ValueError(f"{name}: {sizes} is not positive")
    return sizes


def bins(output_size) -> tuple[int, int]:
    """Return PH and PW, not more than can be listed."""
    output_size = size(output_size, "output_size")
    if max(output_size) > _MOST_BINS:
        raise ValueError(f"output_size: {output_size} has more than {_MOST_BINS} bins on an axis")
    return output_size


def integers(value, name) -> tuple[int, int]:
    """Return a pair of integers, from one or a pair."""
    found = []
    for item in _pair(value, name):
        if isinstance(item, bool):
            raise TypeError(f"{name}: {item!r} is not an integer")
        try:
            found.append(operator.index(item))
        except TypeError:
            raise TypeError(f"{name}: {item!r} is not an integer") from None
    return tuple(found)


def scales(value) -> tuple[float, float]:
    """Return a pair of positive finite floats, from one or a pair."""
    found = tuple(float(scale) for scale in _pair(value, "spatial_scale"))
    for scale in found:
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"spatial_scale: {scale!r} is not finite and positive")
    return found


def frozen(value: Any) -> Any:
    """Return a value that cannot be changed and can be hashed: arrays and lists as tuples, their numbers as Python's."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(map(frozen, value)) if isinstance(value, (tuple, list)) else value


def plain(value: Any) -> Any:
    """Return nested dicts, lists, numbers and strings only."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def _pair(value, name) -> tuple:
    try:
        pair = tuple(value)
    except TypeError:
        return (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name}: expected one number or two, got {len(pair)}")
    return pair
