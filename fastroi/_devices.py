"""Where a call is computed: the host here, a GPU in :mod:`fastroi.gpu`. Both answer the same questions.

``array(value, name)`` is a value of any kind as an array of the device. ``element_code(dtype)`` is the core's number for a dtype
of features, or None; ``elements`` says in words which have one. ``empty`` makes results of a size in bytes, ``blank`` those of
operators that write only part of them. ``check_kind`` and ``checked_out`` judge an array that is to receive one. ``attach`` makes
an array a parameter, ``run`` runs an operator. Their types: ``Device`` in ``_types``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from . import _core
from ._arrays import check_result, is_on_gpu, overlaps, plain_array, unsigned
from ._threads import resolve_num_threads
from .memory import empty_aligned
from .simd import _forced

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ._types import Array, Device

_BFLOAT16 = "bfloat16"  # an extension type, of ml_dtypes and others
_ELEMENTS: dict[str, int] = _core.elements()
_ELEMENT_CODES: dict[np.dtype[Any], int] = {
    np.dtype(name): code for name, code in _ELEMENTS.items() if name != _BFLOAT16
}
_WORTH_ALIGNING = 1 << 16  # bytes; a smaller result is not worth another microsecond


class Host:
    """This machine's processor and memory."""

    elements = f"one of {', '.join(_ELEMENTS)}"
    array = staticmethod(plain_array)
    blank: Callable[..., Array] = staticmethod(np.zeros)

    @staticmethod
    def element_code(dtype: np.dtype[Any]) -> int | None:
        code = _ELEMENT_CODES.get(dtype)
        if code is None and dtype.name == _BFLOAT16 and dtype.isnative:
            return _ELEMENTS[_BFLOAT16]
        return code

    @staticmethod
    def empty(shape: tuple[int, ...], dtype: DTypeLike, size: int) -> Array:
        return np.empty(shape, dtype) if size < _WORTH_ALIGNING else empty_aligned(shape, dtype)

    @staticmethod
    def check_kind(out: Any, name: str) -> None:
        if type(out) is not np.ndarray and not isinstance(out, np.memmap):
            raise TypeError(f"{name}: {type(out).__name__} is not an ndarray")

    def checked_out(
        self, out: Array, shape: tuple[int, ...], dtype: np.dtype[Any], inputs: Iterable[Any], name: str
    ) -> Array:
        self.check_kind(out, name)
        check_result(out, shape, dtype, name)
        if not out.flags.writeable:
            raise ValueError(f"{name}: the array is read-only")
        for other in inputs:
            if overlaps(out, other):
                raise ValueError(f"{name}: shares memory with an input or another output")
        return out

    @staticmethod
    def run(
        params: _core.Params,
        maps: Sequence[Array],
        code: int,
        boxes: Array,
        batch_indices: Array | None,
        out: Array,
        out_code: int,
        num_threads: SupportsIndex | None,
    ) -> None:
        _core.run(
            params,
            [unsigned(array) for array in maps],
            code,
            unsigned(boxes),
            batch_indices,
            unsigned(out),
            out_code,
            resolve_num_threads(num_threads),
            _forced.get(),
        )

    @staticmethod
    def attach(params: _core.Params, name: str, array: Array, code: int = 0) -> None:
        """An array that is a parameter of a call."""
        params.attach(name, unsigned(array) if array.ndim == 4 else array, code)


HOST = Host()


def device_of(value: object) -> Device:
    """The device whose memory `value` lies in, or that it names itself; the host for anything else."""
    if type(value) is np.ndarray:
        return HOST
    if isinstance(named := getattr(value, "fastroi_device", None), Host):
        return named
    if not is_on_gpu(value):
        return HOST
    from . import gpu

    return gpu.device_of(value)
