"""Arrays placed in memory as the kernels like them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from ._checks.numbers import index_of, items_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["empty_aligned"]

_CACHE_LINE = 64


def _lengths(shape: Any) -> tuple[int, ...]:
    lengths = items_of(shape, "shape") if isinstance(shape, Iterable) and getattr(shape, "ndim", True) else (shape,)
    return tuple(index_of(length, "shape") for length in lengths)


def empty_aligned(shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike = "float32") -> NDArray[Any]:
    """Make an uninitialised C-contiguous array that begins with a cache line.

    Results larger than the cache are written past it in whole lines of 64 bytes. NumPy's arrays begin 16 bytes into a line, so
    that the channels of most bins would share their first and last line with the next ones, which costs up to half of the time
    of a small bin. Results that fastroi allocates are placed this way; use this function for arrays passed as `out`.

    Parameters
    ----------
    shape : int or sequence of int
        Length of each axis.
    dtype : dtype, default float32
        Type of the elements.

    Returns
    -------
    ndarray
        Array of that shape and dtype whose address is a multiple of 64. It is a view of a slightly larger buffer.

    Raises
    ------
    ValueError
        A negative length, or a dtype that holds Python objects.

    Examples
    --------
    >>> import numpy as np
    >>> import fastroi
    >>> out = fastroi.empty_aligned((1, 512, 3, 3))
    >>> out.ctypes.data % 64
    0
    >>> box = np.array([[296, 192, 496, 337]])
    >>> fastroi.roi_pool(np.ones((1, 512, 16, 16), np.float32), box, 3, 1 / 32, out=out) is out
    True
    """
    shape = _lengths(shape)
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise ValueError(f"dtype: {dtype} holds Python objects")
    if any(length < 0 for length in shape):
        raise ValueError(f"shape: {shape} has a negative length")
    buffer = np.empty(math.prod(shape) * dtype.itemsize + _CACHE_LINE - 1, np.uint8)
    return np.ndarray(shape, dtype, buffer, -buffer.ctypes.data % _CACHE_LINE)
