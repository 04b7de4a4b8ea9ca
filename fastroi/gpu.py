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
from ._checks.call import checked_result_dtype, named_dtype
from ._devices import Host
from ._threads import resolve_num_threads
from .cuda import operators
from .cuda.call import Arrays, arithmetic_of
from .cuda.runtime import NO_ERROR, runtime

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ._types import Array

__all__ = ["check", "options", "warmup"]

_strict = ContextVar("fastroi_gpu_strict", default=False)

# --- what the argument checks ask --------------------------------------------------------------------------------------


class Device:
    """One GPU; its questions are those of :mod:`fastroi._devices`."""

    elements = Host.elements
    element_code = staticmethod(Host.element_code)

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
            operators.run(params, Arrays(tuple(maps), code, boxes, batch_indices, out, out_code))
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
    arrays = {name: (_shadow(value), code) for name, (value, code) in params.arrays.items()}
    _core.run(
        params.with_arrays(arrays),
        [_shadow(array) for array in maps],
        code,
        _shadow(boxes),
        None if batch_indices is None else _shadow(batch_indices),
        _shadow(out),
        out_code,
        0,
        None,
        _core.CHECK_SHAPES,
    )


def _shadow(array: Array) -> Array:
    """A host array of the same shape and item size; of more axes than one, one item large."""
    if type(array) is np.ndarray:
        return array
    if array.ndim == 1:
        return np.zeros(max(1, array.size), np.int64)
    return np.broadcast_to(np.zeros((), f"u{array.itemsize}"), array.shape)


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
    17: "masks: that of box {row} has a cell that is neither 0 nor 1, and a threshold in [0, 1] takes integer masks of 0 and 1; "
    "pass masks > 0, masks / 255, or a threshold above 1 that is in the masks' unit",
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


def warmup(dtypes: Iterable[DTypeLike | tuple[DTypeLike, DTypeLike]] = ("float32",)) -> None:
    """Compile the kernels of these elements for the current device, so that no later call waits for it.

    Kernels are those of the element of the maps and that of the results. Masks of any element need what ``"float64"`` needs,
    and :func:`riroi_align_rotated` with a result of another element than its sums those of a result of float32 (float64 for maps
    of float64) too.

    Parameters
    ----------
    dtypes : iterable of dtype or (dtype, dtype)
        Of maps, whose results are as without ``dtype=``; or of maps and results. Any that an operator takes, by name or as NumPy
        has them.

    Raises
    ------
    ValueError
        A dtype that no operator takes.
    ImportError
        CuPy is not installed.

    Examples
    --------
    >>> import fastroi
    >>> fastroi.gpu.warmup(("float32", "float16", ("uint8", "float16")))  # doctest: +SKIP
    """
    for element, result in [_elements_of(entry) for entry in dtypes]:
        runtime().kernel((arithmetic_of(element),), "plan_ranges")
        runtime().kernel((element, result), "max_direct")
    runtime().error_word()


def _elements_of(entry: Any) -> tuple[int, int]:
    """The codes of an entry of `warmup`."""
    of_maps, wanted = entry if isinstance(entry, tuple) else (entry, None)
    device = Device(0)
    try:
        own, code = checked_result_dtype(of_maps, named_dtype(of_maps), device)
        return code, checked_result_dtype(wanted, own, device)[1]
    except TypeError as error:
        raise ValueError(f"dtypes: {entry!r}: {error}") from None
