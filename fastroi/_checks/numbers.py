"""Arguments that are numbers: one or a pair of them, of the right kind."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import numpy as np

if TYPE_CHECKING:
    from .._types import Aligned, Sampling, Scale, Size

_MAX_BINS = 2**31 - 1
_INT64 = range(-(2**63), 2**63)


def yes_or_no(value: bool, name: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {value!r} is not a bool")
    return bool(value)


def integer(value: SupportsIndex, name: str) -> int:
    if type(value) is int and value in _INT64:
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {value!r} is not an integer")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is not an integer") from None
    if number not in _INT64:
        raise OverflowError(f"{name}: {number} does not fit into 64 bits")
    return number


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
    if isinstance(value, (bool, str, complex)):
        raise TypeError(f"{name}: {value!r} is not a real number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {value!r} is not a real number") from None


def pair(value: Any, name: str) -> tuple[Any, Any]:
    """The two numbers of a pair, or one number twice."""
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim):
        if len(value) != 2:
            raise ValueError(f"{name}: {len(value)} numbers; one or a pair (vertical, horizontal) required")
        return tuple(value)
    return value, value


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


def scales(spatial_scale: Scale) -> tuple[float, float]:
    """Map cells per image pixel, vertical and horizontal."""
    if isinstance(spatial_scale, (tuple, list)):
        scale_h, scale_w = pair(spatial_scale, "spatial_scale")
        return real_number(scale_h, "spatial_scale"), real_number(scale_w, "spatial_scale")
    scale = real_number(spatial_scale, "spatial_scale")
    return scale, scale


def aligned_name(aligned: Aligned) -> str:
    """The core's name of a convention of RoIAlign; it judges those that are no bool."""
    if isinstance(aligned, (bool, np.bool_)):
        return "half_pixel" if aligned else "asymmetric"
    return aligned
