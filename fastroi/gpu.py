"""The same operators on arrays in GPU memory, through CuPy.

Nothing needs to be called from here: every operator of ``fastroi`` that is given a GPU array (CuPy, or anything with
``__cuda_array_interface__`` or a CUDA DLPack) computes on its device and CuPy's current stream and returns a CuPy array,
without synchronising. What the host can see (shapes, dtypes, sizes) is checked as on the CPU; what only the device sees,
boxes that are not finite and batch indices out of range, gives a result of zeros and a note that :func:`check` raises from.
"""

from contextvars import ContextVar

from ._arguments import is_on_gpu, overlaps_itself, plain_array
from .cuda.operators import Core
from .cuda.runtime import ELEMENTS, NO_ERROR, element_code, runtime

__all__ = ["check", "options", "warmup"]

_strict = ContextVar("fastroi_gpu_strict", default=False)

# --- what the argument checks ask --------------------------------------------------------------------------------------


class Device:
    """One GPU as the argument checks see it: arrays on it, memory on it, and the operators that compute on it."""

    def __init__(self, number):
        self.number = number
        self.core = Core(number, _check_if_strict)

    element_code = staticmethod(element_code)

    def array(self, value, name):
        """A GPU array of any library as a CuPy array on the same memory; a host array is copied to the device."""
        device, array = runtime(), value
        if not device.is_array(value):
            source = value if is_on_gpu(value) else plain_array(value, name)
            with device.on(self.number):
                array = device.array(source)
        if device.device_id(array) != self.number:
            raise ValueError(f"{name}: on another device than the features")
        return array

    def empty(self, shape, dtype):
        with runtime().on(self.number):
            return runtime().empty(shape, dtype)

    def check_kind(self, out, name):
        if not runtime().is_array(out):
            raise TypeError(f"{name}: {type(out).__name__} is not a CuPy array, as a result on the GPU must be")

    def checked_out(self, out, shape, dtype, inputs, name):
        self.check_kind(out, name)
        if runtime().device_id(out) != self.number:
            raise ValueError(f"{name}: on another device than the features")
        if out.dtype != dtype:
            raise TypeError(f"{name}: dtype {out.dtype}; {dtype} required")
        if out.shape != shape:
            raise ValueError(f"{name}: shape {out.shape}; {shape} required")
        if overlaps_itself(out):
            raise ValueError(f"{name}: its elements overlap one another in memory")
        reach = _memory(out)
        for other in inputs:
            if runtime().is_array(other) and _intersect(reach, _memory(other)):
                raise ValueError(f"{name}: shares memory with an input or another output")
        return out


_devices = {}


def device_of(array):
    """The :class:`Device` that a GPU array lies on."""
    number = runtime().device_id(array)
    if number not in _devices:
        _devices[number] = Device(number)
    return _devices[number]


def _memory(array):
    """First and last byte address that an array may reach, as a half-open range."""
    first = last = runtime().pointer(array)
    for stride, extent in zip(array.strides, array.shape, strict=True):
        reach = stride * (extent - 1)
        first, last = first + min(reach, 0), last + max(reach, 0)
    return (first, last + array.itemsize) if array.size else (first, first)


def _intersect(a, b):
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
    **{10 + i: f"rois[{{row}}]: {name} is not finite; box coordinates must be" for i, name in enumerate(_ROTATED_NUMBERS)},
    15: "offset[{row}]: not finite; offsets must be",
    16: "trans[{row}]: not finite; offsets must be",
}


def check():
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


def _check_if_strict():
    if _strict.get():
        check()


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

    def __init__(self, *, strict):
        self._token = _strict.set(bool(strict))

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        _strict.reset(self._token)


def warmup(dtypes=("float32",)):
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
