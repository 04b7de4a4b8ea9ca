"""What an array is to fastroi, whosever it is: where it lies, whether it can be read, what it shares memory with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._types import Array

_GPU_DEVICE_TYPES = (2, 13)  # of DLPack: CUDA, CUDA managed
_UNSIGNED: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.uint16),
    4: np.dtype(np.uint32),
    8: np.dtype(np.uint64),
}
_SHARING_EFFORT: Any = 100_000  # NumPy's own types know of no effort but 0 and -1
_TooHardError: type[Exception] = getattr(np, "exceptions", np).TooHardError


def is_on_gpu(value: object) -> bool:
    """Whether an array of any library lies in GPU memory; its library need not be known here."""
    device = getattr(value, "__dlpack_device__", None)
    if device is not None:
        try:
            return device()[0] in _GPU_DEVICE_TYPES
        except Exception:  # JAX's of an array in pieces, which NumPy reads all the same
            return False
    return hasattr(value, "__cuda_array_interface__")


def plain_array(value: Any, name: str) -> Array:
    """`value` as an ndarray, without copying one; refuses the kinds whose meaning an ndarray would lose."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(f"{name}: a {type(value).__name__} is not accepted; pass a plain ndarray")
    if value is None:
        raise TypeError(f"{name}: None is not an array")
    if is_on_gpu(value):
        raise TypeError(f"{name}: a GPU array where a NumPy array is required")
    try:
        array = np.asarray(value)
    except MemoryError:
        raise MemoryError(f"{name}: no memory to read it as an array") from None
    except Exception as error:  # other libraries' arrays raise errors of their own
        raise TypeError(f"{name}: cannot be read as an array ({error})") from None
    if array.dtype == object and array.ndim == 0:
        raise TypeError(f"{name}: a {type(value).__name__} is not an array")
    return array


def unsigned(array: Array) -> Array:
    """The same memory as unsigned integers of the same width, as the core's memoryviews take it."""
    return array.view(_UNSIGNED[array.itemsize])


def check_result(out: Array, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    """Refuse an array that cannot be a result, wherever it lies."""
    if out.dtype != dtype:
        raise TypeError(f"{name}: dtype {out.dtype}; {dtype} required")
    if out.shape != shape:
        raise ValueError(f"{name}: shape {out.shape}; {shape} required")
    if overlaps_itself(out):
        raise ValueError(f"{name}: its elements overlap one another in memory")


def overlaps(a: Array, b: Array) -> bool:
    """Whether two arrays may share memory."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=_SHARING_EFFORT)
    except _TooHardError:
        return True


def overlaps_itself(array: Array) -> bool:
    """True if two elements of a strided array may be the same memory (a stride shorter than the axes inside it)."""
    if array.size == 0 or (isinstance(array, np.ndarray) and array.flags.c_contiguous):
        return False
    reach = array.itemsize
    for stride, extent in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += stride * (extent - 1)
    return False
