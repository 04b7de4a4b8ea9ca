"""The same operators on arrays in GPU memory, through CuPy.

Nothing needs to be called from here: every operator of ``fastroi`` that is given a GPU array (CuPy, or anything with
``__cuda_array_interface__`` or a CUDA DLPack) computes on its device and CuPy's current stream and returns a CuPy array,
without synchronising. What the host can see (shapes, dtypes, sizes) is checked as on the CPU; what only the device sees,
boxes that are not finite and batch indices out of range, gives a result of zeros and a note that :func:`check` raises from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from . import _core
from ._arrays import check_result, is_on_gpu, plain_array
from ._threads import resolve_num_threads
from .cuda import operators
from .cuda.runtime import ELEMENTS, NO_ERROR, element_code, runtime

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ._types import Array

__all__ = ["check", "options", "warmup"]

_strict = ContextVar("fastroi_gpu_strict", default=False)

# --- what the argument checks ask --------------------------------------------------------------------------------------


class Device:
    """One GPU; its questions are those of :mod:`fastroi._devices`."""

    elements = "float16, bfloat16, float32 or float64"
    element_code = staticmethod(element_code)

    def __init__(self, number: int) -> None:
        self.number = number

    def array(self, value: Any, name: str) -> Array:
        """A GPU array of any library as a CuPy array on the same memory; a host array is copied to the device."""
        device, array = runtime(), value
        if not device.is_array(value):
            source = value if is_on_gpu(value) else plain_array(value, name)
            with device.on(self.number):
                array = device.array(source)
        if device.device_id(array) != self.number:
            raise ValueError(f"{name}: on another device than the features")
        return array

    def blank(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """The kernels write all of a result."""
        with runtime().on(self.number):
            return runtime().empty(shape, dtype)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike, size: int) -> Array:
        return self.blank(shape, dtype)

    def check_kind(self, out: Any, name: str) -> None:
        if not runtime().is_array(out):
            raise TypeError(f"{name}: {type(out).__name__} is not a CuPy array, as a result on the GPU must be")

    def checked_out(
        self, out: Array, shape: tuple[int, ...], dtype: np.dtype[Any], inputs: Iterable[Any], name: str
    ) -> Array:
        self.check_kind(out, name)
        if runtime().device_id(out) != self.number:
            raise ValueError(f"{name}: on another device than the features")
        check_result(out, shape, dtype, name)
        reach = _memory(out)
        for other in inputs:
            if runtime().is_array(other) and _intersect(reach, _memory(other)):
                raise ValueError(f"{name}: shares memory with an input or another output")
        return out

    def run(
        self,
        params: _core.Params,
        maps: Sequence[Array],
        code: int,
        boxes: Array,
        batch_indices: Array | None,
        out: Array,
        out_code: int,
        num_threads: SupportsIndex | None,
    ) -> None:
        resolve_num_threads(num_threads)
        _check_shapes(params, maps, code, boxes, batch_indices, out, out_code)
        with runtime().on(self.number):
            operators.run(params, maps, boxes, batch_indices, out)
            if _strict.get():
                check()

    @staticmethod
    def attach(params: _core.Params, name: str, array: Array, code: int = 0) -> None:
        params.attach(name, array, code)


def _check_shapes(
    params: _core.Params,
    maps: Sequence[Array],
    code: int,
    boxes: Array,
    batch_indices: Array | None,
    out: Array,
    out_code: int,
) -> None:
    """Have the core judge a call, by arrays of the same shapes whose memory it does not look at."""
    arrays = {name: _shadow(value, code) for name, (value, code) in params.arrays.items()}
    shadows = [_shadow(array, code) for array in maps]
    _core.run(
        params.with_arrays(arrays),
        [shadow for shadow, _ in shadows],
        shadows[0][1],
        _shadow(boxes, 0)[0],
        None if batch_indices is None else _shadow(batch_indices, 0)[0],
        *_shadow(out, out_code),
        0,
        None,
        _core.CHECK_SHAPES,
    )


def _shadow(array: Array, code: int) -> tuple[Array, int]:
    """A host array of the same shape, one item large, and the code of its dtype; the half types stand for float32."""
    if type(array) is np.ndarray:
        return array, code
    if array.ndim == 1:
        return np.zeros(max(1, array.size), np.int64), code
    size = array.itemsize
    zero = np.zeros((), f"u{4 if size == 2 else size}")
    return np.broadcast_to(zero, array.shape), 0 if size == 2 else code


_devices: dict[int, Device] = {}


def device_of(array: object) -> Device:
    """The :class:`Device` that a GPU array lies on."""
    number = runtime().device_id(array)
    if number not in _devices:
        _devices[number] = Device(number)
    return _devices[number]


def _memory(array: Array) -> tuple[int, int]:
    """First and last byte address that an array may reach, as a half-open range."""
    first = last = runtime().pointer(array)
    for stride, extent in zip(array.strides, array.shape, strict=True):
        reach = stride * (extent - 1)
        first, last = first + min(reach, 0), last + max(reach, 0)
    return (first, last + array.itemsize) if array.size else (first, first)


def _intersect(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


# --- errors, options, warming up -----------------------------------------------------------------------------------------

_ROTATED_NUMBERS = ("cx", "cy", "w", "h", "angle")
_MESSAGES = {
    1: "rois[{row}]: x1 is not finite; box coordinates must be",
    2: "rois[{row}]: y1 is not finite; box coordinates must be",
    3: "rois[{row}]: x2 is not finite; box coordinates must be",
    4: "rois[{row}]: y2 is not finite; box coordinates must be",
    5: "rois[{row}]: the batch index is not an integer",
    6: "rois[{row}]: the batch index is outside the images",
    7: "levels[{row}]: outside the pyramid",
    8: "rois[{row}]: too many taps for one RoI",
    9: "batch_indices[{row}]: the batch index is outside the images",
    **{
        10 + i: f"rois[{{row}}]: {name} is not finite; box coordinates must be"
        for i, name in enumerate(_ROTATED_NUMBERS)
    },
    15: "offset[{row}]: not finite; offsets must be",
    16: "trans[{row}]: not finite; offsets must be",
    17: "masks: that of box {row} has a cell above 1, and a threshold in [0, 1] takes uint8 masks of 0 and 1; pass masks > 0, "
    "masks / 255, or a threshold above 1 that is in the masks' unit",
}


def check() -> None:
    """Raise if a RoI of any call on the current device since the last check was refused; synchronises the current stream.

    Raises
    ------
    ValueError
        Names argument and row of the first such RoI. The results of these RoIs are zeros; all others are valid.
    OverflowError
        A RoI whose plan does not fit.

    Examples
    --------
    >>> import fastroi
    >>> with fastroi.gpu.options(strict=True):  # doctest: +SKIP
    ...     pooled = fastroi.roi_align(features, rois, 7)
    """
    number = runtime().take_error()
    if number == NO_ERROR:
        return
    row, code = number >> 8, number & 255
    kind = OverflowError if code == 8 else ValueError
    raise kind(_MESSAGES[code].format(row=row))


class options:
    """Set options of GPU calls in this context; as a context manager, until its end.

    Parameters
    ----------
    strict : bool
        True: each call ends with :func:`check`, so it waits for the device and raises as on the CPU.

    Examples
    --------
    >>> import fastroi
    >>> with fastroi.gpu.options(strict=True):
    ...     pass
    """

    def __init__(self, *, strict: bool) -> None:
        self._token = _strict.set(bool(strict))

    def __enter__(self) -> options:
        return self

    def __exit__(self, *exc_info: object) -> None:
        _strict.reset(self._token)


def warmup(dtypes: Iterable[str] = ("float32",)) -> None:
    """Compile the kernels of these feature dtypes for the current device, so that no later call waits for it.

    Parameters
    ----------
    dtypes : iterable of str
        Of ``"float32"``, ``"float64"``, ``"float16"``, ``"bfloat16"``.

    Raises
    ------
    ValueError
        An unknown dtype.
    ImportError
        CuPy is not installed.

    Examples
    --------
    >>> import fastroi
    >>> fastroi.gpu.warmup(("float32", "float16"))  # doctest: +SKIP
    """
    for dtype in dtypes:
        if dtype not in ELEMENTS:
            raise ValueError(f"dtypes: {dtype!r} is not one of {', '.join(map(repr, ELEMENTS))}")
        runtime().kernel(ELEMENTS[dtype], "plan_ranges")
    runtime().error_word()
