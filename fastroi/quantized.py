"""Operators on affine maps of integers, where the number ``q`` stands for ``scale * (q - zero_point)``.

    >>> import numpy as np, fastroi
    >>> q = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    >>> fastroi.quantized.roi_align(q, [[0, 0, 4, 4]], 1, scale=0.1, zero_point=4, out_scale=0.05)[0, 0]
    array([[11]], dtype=uint8)

Every operator here commutes with a positive factor: the answer for the real map is `scale` times the answer for ``q - zero_point``.
Those differences are whole numbers of 9 or 17 bits, which int16 and float32 hold exactly, so this is what is pooled: by the
operators of :mod:`fastroi`, in float32. What is 0 without a map, a point off it or an empty bin, is then the real 0 by itself.
Correcting the result for raw integers instead, by ``zero_point`` times the sum of a bin's weights, would need those sums, would
subtract one rounded number from another of the same size, and is not possible for maxima of interpolated points.

The differences are made for a block of channels at a time, whose map and result take about 32 MiB (more only where one channel does),
not for the whole map; position-sensitive operators and orientation channels, of which a result needs several channels, take the map as
one block. A `zero_point` of 0 needs no differences: the map is read where it lies.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import deformable, ops, rotated
from ._arrays import plain_array
from ._checks.call import Features, checked_choice
from ._checks.numbers import integer, real_number
from ._core import OPERATORS, TAKES_LEVELS, TAKES_MASKS
from ._devices import HOST

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._types import Array, Formula, Layout

_INTEGERS = tuple(map(np.dtype, (np.uint8, np.int8, np.uint16, np.int16)))
_BLOCK_BYTES = 32 << 20
_ROUNDED_AT_ONCE = 1 << 16  # numbers, which stay in a cache from the first pass over them to the last
_SEVERAL_CHANNELS = {"group_size", "orientations"}  # parameters of operators whose results need more than one channel
_NOT_OURS = {"dtype", "out"}


def _half_away(values: Array, out: Array) -> None:
    whole = np.trunc(values)
    np.add(whole, np.copysign(np.abs(values - whole) >= 0.5, values), out=out)


def _times_reciprocal(values: Array, scale: np.float32, out: Array) -> None:
    np.multiply(values, np.float32(1) / scale, out=out)


#: How each formula divides a real number by the scale of the result, and how it rounds what comes out.
_FORMULAS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "torchvision": (_times_reciprocal, np.rint),
    "onnx": (np.divide, np.rint),
    "tflite": (np.divide, _half_away),
}
FORMULAS = tuple(_FORMULAS)


class _Affine:
    """What the numbers of a map and of its result stand for."""

    __slots__ = ("divide", "dtype", "out_scale", "out_zero_point", "round", "scale", "zero_point")

    def __init__(
        self,
        dtype: np.dtype[Any],
        scale: float,
        zero_point: int,
        out_scale: float | None,
        out_zero_point: int | None,
        formula: Formula,
    ) -> None:
        self.dtype = dtype
        self.scale = _checked_scale(scale, "scale")
        self.zero_point = _checked_zero_point(zero_point, "zero_point", dtype)
        self.out_scale = self.scale if out_scale is None else _checked_scale(out_scale, "out_scale")
        self.out_zero_point = (
            self.zero_point if out_zero_point is None else _checked_zero_point(out_zero_point, "out_zero_point", dtype)
        )
        self.divide, self.round = _FORMULAS[checked_choice(formula, FORMULAS, "formula")]

    def differences(self, q: Array) -> Array:
        """Whole numbers, `scale` times which the map stands for."""
        if self.zero_point == 0:
            return q
        kind = np.int16 if self.dtype.itemsize == 1 else np.float32
        return np.subtract(q, kind(self.zero_point), dtype=kind)

    def store(self, pooled: Array, out: Array) -> None:
        """Quantise `pooled`, which is in units of `scale` and is lost."""
        limits = np.iinfo(self.dtype)
        low, high = (np.float32(limit - self.out_zero_point) for limit in (limits.min, limits.max))
        step = max(1, _ROUNDED_AT_ONCE // max(1, math.prod(pooled.shape[1:])))
        with np.errstate(over="ignore", under="ignore"):
            for rows in (slice(first, first + step) for first in range(0, len(pooled), step)):
                units = pooled[rows]
                np.multiply(units, self.scale, out=units)
                self.divide(units, self.out_scale, out=units)
                self.round(units, out=units)
                np.maximum(units, low, out=units)
                np.minimum(units, high, out=units)
                np.add(units, np.float32(self.out_zero_point), out=out[rows], casting="unsafe")


def _checked_scale(value: float, name: str) -> np.float32:
    number = real_number(value, name)
    with np.errstate(over="ignore", under="ignore"):
        held = np.float32(number)
    if not np.finfo(np.float32).tiny <= held < np.inf:
        raise ValueError(f"{name}: {number:g}; it must be positive, and a normal number in float32")
    return held


def _checked_zero_point(value: int, name: str, dtype: np.dtype[Any]) -> int:
    number, limits = integer(value, name), np.iinfo(dtype)
    if not limits.min <= number <= limits.max:
        raise ValueError(f"{name}: {number} is outside [{limits.min}, {limits.max}], what {dtype} holds")
    return number


def _checked_map(value: ArrayLike, name: str, layout: Layout) -> Features:
    array = plain_array(value, name)
    if array.dtype not in _INTEGERS:
        raise TypeError(
            f"{name}: dtype {array.dtype} is not one of {', '.join(map(str, _INTEGERS))} in native byte order"
        )
    return Features(array, layout, name)


def _channels(features: Features, chosen: slice) -> Array:
    return features.source[..., chosen] if features.channels_last else features.source[..., chosen, :, :]


def _blocks(channels: int, bytes_of_one: int) -> Iterator[slice]:
    step = max(1, _BLOCK_BYTES // max(1, bytes_of_one))
    return (slice(first, min(first + step, channels)) for first in range(0, channels, step))


def _affine(function: Callable[..., Any]) -> Callable[..., Any]:
    """The operator on affine maps of the one on real maps."""
    native = inspect.signature(function)
    own = native.replace(parameters=[p for name, p in native.parameters.items() if name not in _NOT_OURS])
    map_name = next(iter(own.parameters))
    mixes_channels = not _SEVERAL_CHANNELS.isdisjoint(own.parameters)

    def call(
        *args: Any,
        scale: float,
        zero_point: int,
        out_scale: float | None = None,
        out_zero_point: int | None = None,
        formula: Formula = "torchvision",
        out: NDArray[Any] | None = None,
        **options: Any,
    ) -> Any:
        bound = own.bind(*args, **options)
        bound.apply_defaults()
        arguments = bound.arguments
        features = _checked_map(arguments.pop(map_name), map_name, arguments["layout"])
        affine = _Affine(features.array.dtype, scale, zero_point, out_scale, out_zero_point, formula)
        if "extrapolation_value" in arguments:
            arguments["extrapolation_value"] = _in_units(arguments["extrapolation_value"], affine.scale)
        if out is not None:
            inputs = [features.source, *(value for value in arguments.values() if isinstance(value, np.ndarray))]
            HOST.check_kind(out, "out")
            HOST.checked_out(out, out.shape, affine.dtype, inputs, "out")

        def pool(chosen: slice) -> Any:
            return function(affine.differences(_channels(features, chosen)), **arguments)

        if mixes_channels:
            return _whole(pool(slice(None)), affine, out)
        return _by_blocks(pool, features, affine, out)

    keywords = [p for p in inspect.signature(call).parameters.values() if p.kind is p.KEYWORD_ONLY]
    functools.update_wrapper(call, function)
    call.__module__ = __name__
    call.__doc__ = _documented(function)
    call.__signature__ = own.replace(parameters=[*own.parameters.values(), *keywords])  # type: ignore[attr-defined]
    return call


def _in_units(value: Any, scale: np.float32) -> float:
    number = real_number(value, "extrapolation_value")
    if math.isnan(number):
        raise ValueError("extrapolation_value: nan has no integer")
    return number / float(scale)


def _whole(pooled: Array, affine: _Affine, out: Array | None) -> Array:
    result = _receiver(out, pooled.shape, affine.dtype)
    affine.store(pooled, result)
    return result


def _by_blocks(pool: Callable[[slice], Any], features: Features, affine: _Affine, out: Array | None) -> Any:
    """What `pool` gives for the blocks of channels, together; without any channel it judges all arguments, and tells the shape."""
    empty = pool(slice(0))
    has_places = isinstance(empty, tuple)
    axis = -1 if features.channels_last else -3
    shape = list((empty[0] if has_places else empty).shape)
    shape[axis] = features.channels
    result = _receiver(out, tuple(shape), affine.dtype)
    places = np.empty(shape, empty[1].dtype) if has_places else None
    widened = 0 if affine.zero_point == 0 else 2 * affine.dtype.itemsize
    map_bytes = features.array[:, :1].size * widened
    for chosen in _blocks(features.channels, map_bytes + 4 * math.prod(shape) // max(1, features.channels)):
        at = (..., chosen) if features.channels_last else (..., chosen, slice(None), slice(None))
        pooled = pool(chosen)
        if places is not None:
            pooled, places[at] = pooled
        affine.store(pooled, result[at])
    return result if places is None else (result, places)


def _receiver(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if out is None:
        return HOST.empty(shape, dtype, math.prod(shape) * dtype.itemsize)
    return HOST.checked_out(out, shape, dtype, (), "out")


def _documented(function: Callable[..., Any]) -> str:
    name, map_name = function.__name__, next(iter(inspect.signature(function).parameters))
    return _DOCUMENTATION.format(name=name, map_name=map_name) + _EXAMPLES.get(name, "")


_DOCUMENTATION = """:func:`fastroi.{name}` of an affine map of integers, the result quantised again.

    Parameters
    ----------
    {map_name} : ndarray of uint8, int8, uint16 or int16
        In the shapes that :func:`fastroi.{name}` takes.
    scale : float
        What a step of the map is worth; rounded to float32.
    zero_point : int
        The number of the map that stands for 0. A point off the map is that, and so is an empty bin.
    out_scale, out_zero_point : optional
        The same of the result; by default the map's.
    formula : str
        How a real number becomes one of the result. All compute in float32 and saturate. ``"torchvision"``, PyTorch's
        ``quantize_per_tensor``: times the reciprocal of the scale, rounded to nearest, ties to even, plus the zero point.
        ``"onnx"``, QuantizeLinear: divided by the scale, ties to even. ``"tflite"``, its Quantize: divided, ties away from zero.
    out : ndarray, optional
        Array of the result's shape and of the dtype of the map to fill; it must not overlap the inputs.
    others
        As in :func:`fastroi.{name}`.

    Returns
    -------
    ndarray
        In the shape of that of :func:`fastroi.{name}` and the dtype of the map; what comes beside it there comes beside it here.

    Raises
    ------
    ValueError
        A scale that is not positive or no normal number in float32, a zero point that the dtype does not hold, and whatever
        :func:`fastroi.{name}` refuses. Nothing has been written then.
    TypeError, OverflowError
        As :func:`fastroi.{name}`; TypeError also for a map of another dtype.
    """

_EXAMPLES = {
    "roi_align": """
    Examples
    --------
    The left half of the bin lies off the map, and counts as the zero point:

    >>> import numpy as np, fastroi
    >>> q = np.full((1, 1, 4, 4), 30, np.int8)
    >>> fastroi.quantized.roi_align(q, [[-4, 0, 4, 4]], (1, 2), sampling_ratio=1, scale=0.5, zero_point=-10)[0, 0]
    array([[-10,  30]], dtype=int8)
    """,
    "roi_pool": """
    Examples
    --------
    >>> import numpy as np, fastroi
    >>> q = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    >>> fastroi.quantized.roi_pool(q, [[0, 0, 3, 3], [9, 9, 12, 12]], 1, scale=0.5, zero_point=3).ravel()
    array([15,  3], dtype=uint8)
    """,
}

_ROOMS = (ops, rotated, deformable)


def _operators() -> dict[str, Callable[..., Any]]:
    """Every operator of the table but those of masks, which stand for no reals, and of levels, which have scales of their own."""
    names = [name for name, row in OPERATORS.items() if not row.flags & (TAKES_MASKS | TAKES_LEVELS)]
    return {name: _affine(getattr(room, name)) for name in names for room in _ROOMS if name in room.__all__}


_OPERATORS = _operators()
globals().update(_OPERATORS)
__all__ = ["FORMULAS"] + list(_OPERATORS)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]: ...
