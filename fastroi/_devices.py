"""Where a call is computed: the host here, a GPU in :mod:`fastroi.gpu`. Both answer the same questions.

``array(value, name)`` is a value of any kind as an array of the device. ``element_code(dtype)`` is the core's number for a dtype
of features, or None; ``elements`` says in words which have one. ``empty`` makes results of a size in bytes, ``blank`` those of
operators that write only part of them. ``check_kind`` and ``checked_out`` judge an array that is to receive one. ``attach`` makes
an array a parameter, ``run`` runs an operator.
"""

import numpy as np

from . import _core
from ._arrays import check_result, is_on_gpu, overlaps, plain_array, unsigned
from ._threads import resolve_num_threads
from .memory import empty_aligned
from .simd import _forced

_FEATURE_CODES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}
_WORTH_ALIGNING = 1 << 16  # bytes; a smaller result is not worth another microsecond


class Host:
    """This machine's processor and memory."""

    elements = "float32 or float64"
    array = staticmethod(plain_array)
    element_code = staticmethod(_FEATURE_CODES.get)
    blank = staticmethod(np.zeros)

    @staticmethod
    def empty(shape, dtype, size):
        return np.empty(shape, dtype) if size < _WORTH_ALIGNING else empty_aligned(shape, dtype)

    @staticmethod
    def check_kind(out, name):
        if type(out) is not np.ndarray and not isinstance(out, np.memmap):
            raise TypeError(f"{name}: {type(out).__name__} is not an ndarray")

    def checked_out(self, out, shape, dtype, inputs, name):
        self.check_kind(out, name)
        check_result(out, shape, dtype, name)
        if not out.flags.writeable:
            raise ValueError(f"{name}: the array is read-only")
        for other in inputs:
            if overlaps(out, other):
                raise ValueError(f"{name}: shares memory with an input or another output")
        return out

    @staticmethod
    def run(params, maps, code, boxes, batch_indices, out, out_code, num_threads):
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
    def attach(params, name, array, code=0):
        """An array that is a parameter of a call."""
        params.attach(name, unsigned(array) if array.ndim == 4 else array, code)


HOST = Host()


def device_of(value):
    """The device whose memory `value` lies in, or that it names itself; the host for anything else."""
    if type(value) is np.ndarray:
        return HOST
    if isinstance(named := getattr(value, "fastroi_device", None), Host):
        return named
    if not is_on_gpu(value):
        return HOST
    from . import gpu

    return gpu.device_of(value)
