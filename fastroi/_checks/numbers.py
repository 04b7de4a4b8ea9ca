"""Arguments that are numbers: one or a pair of them, of the right kind."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import numpy as np

from .names import shown

if TYPE_CHECKING:
    from .._types import Aligned, Sampling, Scale, Size

_MAX_BINS = 2**31 - 1
_INT64 = range(-(2**63), 2**63)
_NO_REAL_KINDS = tuple("bcmMOSU")  # of NumPy's scalars and arrays, some of which float() takes for numbers


def yes_or_no(value: bool, name: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {shown(value)} is not a bool")
    return bool(value)


def integer(value: SupportsIndex, name: str) -> int:
    if type(value) is int and value in _INT64:
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {shown(value)} is not an integer")
    number = index_of(value, name)
    if number not in _INT64:
        raise OverflowError(f"{name}: {number} does not fit into 64 bits")
    return number


def index_of(value: SupportsIndex, name: str) -> int:
    """A whole number of any library; whatever its own conversion raises, it is none."""
    try:
        return operator.index(value)
    except Exception:
        raise TypeError(f"{name}: {shown(value)} is not an integer") from None


def positive_integer(value: SupportsIndex, name: str) -> int:
    extent = integer(value, name)
    if extent < 1:
        raise ValueError(f"{name}: {extent} is not positive")
    if extent > _MAX_BINS:
        raise OverflowError(f"{name}: {extent} exceeds {_MAX_BINS}")
    return extent


def real_number(value: SupportsFloat, name: str) -> float:
    if type(value) is float:
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if isinstance(value, (bool, str, complex)) or kind in _NO_REAL_KINDS:
        raise TypeError(f"{name}: {shown(value)} is not a real number")
    try:
        return float(value)
    except OverflowError:
        raise OverflowError(f"{name}: an integer beyond float64") from None
    except Exception:
        raise TypeError(f"{name}: {shown(value)} is not a real number") from None


def pair(value: Any, name: str) -> tuple[Any, Any]:
    """The two numbers of a pair, or one number twice. Arrays of any library hold one number or two."""
    dimensions = getattr(value, "ndim", None)
    dimensions = dimensions if isinstance(dimensions, int) else None  # of a module it is a function
    if dimensions == 0 or (dimensions is None and not isinstance(value, (tuple, list))):
        return value, value
    if dimensions is not None and dimensions > 1:
        raise ValueError(f"{name}: shape {tuple(value.shape)}; one number or a pair (vertical, horizontal) required")
    numbers = items_of(value, name)
    if dimensions == len(numbers) == 1:
        return numbers * 2
    if len(numbers) != 2:
        raise ValueError(f"{name}: {len(numbers)} numbers; one or a pair (vertical, horizontal) required")
    return numbers


def items_of(value: Any, name: str) -> tuple[Any, ...]:
    """What an iterable of any library has, or an error that names the argument."""
    try:
        return tuple(value)
    except Exception as error:  # other libraries' arrays raise errors of their own
        raise TypeError(f"{name}: cannot be iterated over ({error})") from None


def output_extents(output_size: Size, name: str = "output_size") -> tuple[int, int]:
    """(PH, PW) of an int or a pair."""
    height, width = pair(output_size, name)
    return positive_integer(height, name), positive_integer(width, name)


def sampling(sampling_ratio: Sampling) -> tuple[int, int]:
    """Sample points per bin, vertical and horizontal."""
    if type(sampling_ratio) is int:
        return (integer(sampling_ratio, "sampling_ratio"),) * 2
    vertical, horizontal = pair(sampling_ratio, "sampling_ratio")
    return integer(vertical, "sampling_ratio"), integer(horizontal, "sampling_ratio")


def scales(spatial_scale: Scale, name: str = "spatial_scale") -> tuple[float, float]:
    """Map cells per image pixel, vertical and horizontal."""
    if type(spatial_scale) is float:
        return spatial_scale, spatial_scale
    vertical, horizontal = pair(spatial_scale, name)
    return real_number(vertical, name), real_number(horizontal, name)


def scales_of_levels(scales_given: Iterable[Scale], levels: int) -> list[tuple[float, float]]:
    """The same of each level of a pyramid, positive and finite."""
    if not isinstance(scales_given, Iterable) or getattr(scales_given, "ndim", 1) == 0:
        raise TypeError(f"scales: {shown(scales_given)}; a sequence with one for each level required")
    found = [scales(scale, f"scales[{level}]") for level, scale in enumerate(items_of(scales_given, "scales"))]
    if len(found) != levels:
        raise ValueError(f"scales: {len(found)} of them for {levels} levels")
    for level, axes in enumerate(found):
        for scale in axes:
            if not (scale > 0 and math.isfinite(scale)):
                raise ValueError(f"scales[{level}]: {scale:g}; it must be positive and finite")
    return found


def aligned_name(aligned: Aligned) -> str:
    """The core's name of a convention of RoIAlign; it judges those that are no bool."""
    if isinstance(aligned, (bool, np.bool_)):
        return "half_pixel" if aligned else "asymmetric"
    return aligned
