"""From what users pass to what the core takes: shapes, dtypes, layouts, outputs. Shared by every operator.

Everything that needs no look at a box is checked here; boxes are checked by the core, on its own copy.
"""

import math
import operator
import sys

import numpy as np

from . import _core
from ._threads import resolve_num_threads
from .memory import empty_aligned
from .simd import _forced

_FEATURE_CODES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}
_GPU_DEVICE_TYPES = (2, 13)  # of DLPack: CUDA, CUDA managed
_UNSIGNED = {1: np.dtype(np.uint8), 2: np.dtype(np.uint16), 4: np.dtype(np.uint32), 8: np.dtype(np.uint64)}
_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
_MAX_BINS = 2**31 - 1
_MAX_SAMPLING = 2**20
_SHARING_EFFORT = 100_000
_WORTH_ALIGNING = 1 << 16  # bytes; a smaller result is not worth another microsecond
_TooHardError = np.exceptions.TooHardError if hasattr(np, "exceptions") else np.TooHardError

LAYOUTS = ("NCHW", "NHWC")


def is_on_gpu(value):
    """Whether an array of any library lies in GPU memory; its library need not be known here."""
    device = getattr(value, "__dlpack_device__", None)
    if device is not None:
        return device()[0] in _GPU_DEVICE_TYPES
    return hasattr(value, "__cuda_array_interface__")


def gpu_of(value):
    """The :class:`fastroi.gpu.Device` whose memory `value` lies in, or None for anything else."""
    if type(value) is np.ndarray or not is_on_gpu(value):
        return None
    from . import gpu

    return gpu.device_of(value)


def plain_array(value, name, gpu=None):
    """`value` as an ndarray, or a CuPy array beside a GPU map, without copying one.

    Refuses the kinds whose meaning an ndarray would lose.
    """
    if gpu is not None:
        return gpu.array(value, name)
    if type(value) is np.ndarray:
        return value
    if isinstance(value, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(f"{name}: a {type(value).__name__} is not accepted; pass a plain ndarray")
    if value is None:
        raise TypeError(f"{name}: None is not an array")
    if is_on_gpu(value):
        raise TypeError(f"{name}: a GPU array where a NumPy array is required")
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise TypeError(f"{name}: cannot be read as an array ({error})") from None


def unsigned(array):
    """The same memory as unsigned integers of the same width, as the core's memoryviews take it; GPU arrays as they are."""
    if not isinstance(array, np.ndarray):
        return array
    return array.view(_UNSIGNED[array.itemsize])


def checked_choice(value, choices, name):
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(map(repr, choices))}")
    return value


def floating_array(value, name, gpu=None):
    """`value` as an array of a dtype that its operators are computed in, and that dtype's code."""
    array = plain_array(value, name, gpu)
    code = _FEATURE_CODES.get(array.dtype) if gpu is None else gpu.element_code(array.dtype)
    if code is None:
        kinds = "float32 or float64" if gpu is None else "float16, bfloat16, float32 or float64"
        raise TypeError(f"{name}: dtype {array.dtype} is not {kinds} in native byte order; use .astype")
    return array, code


def yes_or_no(value, name):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {value!r} is not a bool")
    return bool(value)


class Features:
    """A feature map in the logical order N, C, H, W, whatever its layout in memory."""

    __slots__ = ("array", "channels_last", "code", "gpu", "source")

    def __init__(self, features, layout):
        self.gpu = gpu_of(features)
        source, code = floating_array(features, "features", self.gpu)
        checked_choice(layout, LAYOUTS, "layout")
        array = source[None] if source.ndim == 3 else source
        if array.ndim != 4:
            raise ValueError(f"features: {source.ndim} dimensions; 4 (or 3 for one image) required")
        self.source = source
        self.code = code
        self.channels_last = layout == "NHWC"
        self.array = array.transpose(0, 3, 1, 2) if self.channels_last else array

    @property
    def images(self):
        return self.array.shape[0]

    @property
    def channels(self):
        return self.array.shape[1]


class Boxes:
    """K boxes of four or five coordinates with an image index each, in their own precision."""

    __slots__ = ("array", "batch_indices", "sources")

    def __init__(self, rois, batch_indices, images, coordinates=4, gpu=None):
        # What the caller owns, for the check against `out`: a copy made here shares no memory, the original may.
        self.sources = []
        if isinstance(rois, (list, tuple)) and _is_list_of_tables(rois):
            self.sources += rois
            rois, batch_indices = _join_tables(rois, batch_indices, images, coordinates, gpu)
        source = plain_array(rois, "rois", gpu)
        if source.ndim != 2 or source.shape[1] not in (coordinates, coordinates + 1):
            raise ValueError(f"rois: shape {source.shape}; (K, {coordinates}) or (K, {coordinates + 1}) required")
        self.sources.append(source)
        self.batch_indices = None
        if batch_indices is not None:
            indices = plain_array(batch_indices, "batch_indices", gpu)
            self.sources.append(indices)
            self.batch_indices = _index_vector(indices, source, coordinates)
        elif source.dtype.kind == "f" and source.itemsize < 4 and source.shape[1] > coordinates and images > 2048:
            raise TypeError(f"rois: {source.dtype} cannot tell {images} batch indices apart; pass batch_indices")
        self.array = _box_numbers(source)

    def __len__(self):
        return self.array.shape[0]


def _is_list_of_tables(rois):
    return bool(rois) and all(getattr(table, "ndim", None) == 2 for table in rois)


def _join_tables(tables, batch_indices, images, coordinates, gpu):
    if batch_indices is not None:
        raise ValueError("batch_indices: given, but rois is already a list with one array per image")
    if len(tables) != images:
        raise ValueError(f"rois: a list of {len(tables)} arrays for {images} images")
    tables = [plain_array(table, f"rois[{i}]", gpu) for i, table in enumerate(tables)]
    for i, table in enumerate(tables):
        if table.shape[1] != coordinates:
            raise ValueError(f"rois[{i}]: shape {table.shape}; (Ki, {coordinates}) required")
        _check_box_dtype(table.dtype, f"rois[{i}]")
    return np.concatenate(tables), np.repeat(np.arange(images), [len(table) for table in tables])


def _check_box_dtype(dtype, name):
    if dtype.kind not in "fiu" or not dtype.isnative or dtype.itemsize > 8:
        raise TypeError(f"{name}: dtype {dtype} is not a native real number of at most 64 bits")


def _box_numbers(source):
    if source.dtype is _FLOAT32 or source.dtype is _FLOAT64:
        return source
    _check_box_dtype(source.dtype, "rois")
    return source.astype(_FLOAT64 if source.dtype != _FLOAT32 else _FLOAT32)


def _index_vector(array, rois, coordinates):
    if rois.shape[1] != coordinates:
        raise ValueError("batch_indices: given, but rois already has a batch column")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"batch_indices: dtype {array.dtype} is not an integer type")
    if array.shape != (len(rois),):
        raise ValueError(f"batch_indices: shape {array.shape}; ({len(rois)},) required")
    is_wide = array.dtype.kind == "u" and array.itemsize == 8
    if is_wide and type(array) is np.ndarray and array.size and array.max() > 2**63 - 1:
        row = int(array.argmax())
        raise ValueError(f"batch_indices[{row}]: batch index {array[row]} is out of range")
    return array if array.dtype is _INT64 else array.astype(_INT64)


def positive_integer(value, name):
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {value!r} is not an integer")
    try:
        extent = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is not an integer") from None
    if extent < 1:
        raise ValueError(f"{name}: {extent} is not positive")
    if extent > _MAX_BINS:
        raise OverflowError(f"{name}: {extent} exceeds {_MAX_BINS}")
    return extent


def _pair(value, name):
    """The two numbers of a pair, or one number twice."""
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim):
        if len(value) != 2:
            raise ValueError(f"{name}: {len(value)} numbers; one or a pair (vertical, horizontal) required")
        return tuple(value)
    return value, value


def output_extents(output_size, name="output_size"):
    """(PH, PW) of an int or a pair."""
    height, width = _pair(output_size, name)
    return positive_integer(height, name), positive_integer(width, name)


def _sampling(value):
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"sampling_ratio: {value!r} is not an integer")
    try:
        ratio = operator.index(value)
    except TypeError:
        raise TypeError(f"sampling_ratio: {value!r} is not an integer") from None
    if ratio > _MAX_SAMPLING:
        raise ValueError(f"sampling_ratio: {ratio} exceeds {_MAX_SAMPLING}")
    return max(ratio, 0)


def sampling(sampling_ratio):
    """(vertical, horizontal) sample points per bin; 0 leaves them to the size of the bin."""
    vertical, horizontal = _pair(sampling_ratio, "sampling_ratio")
    return _sampling(vertical), _sampling(horizontal)


def real_number(value, name):
    if isinstance(value, (bool, str, complex)):
        raise TypeError(f"{name}: {value!r} is not a real number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {value!r} is not a real number") from None


def _scale(value):
    scale = real_number(value, "spatial_scale")
    if not (scale > 0 and math.isfinite(scale)):
        raise ValueError(f"spatial_scale: {value!r}; it must be positive and finite")
    return scale


def scales(spatial_scale):
    """(scale_h, scale_w) in map cells per image pixel."""
    if isinstance(spatial_scale, (tuple, list)):
        scale_h, scale_w = _pair(spatial_scale, "spatial_scale")
        return _scale(scale_h), _scale(scale_w)
    scale = _scale(spatial_scale)
    return scale, scale


class Output:
    """The result array in its layout, and the logical K, C, PH, PW view of it that the core fills."""

    __slots__ = ("array", "view")

    def __init__(self, out, count, channels, extents, dtype, channels_last, inputs=(), name="out", gpu=None):
        shape = (count, *extents, channels) if channels_last else (count, channels, *extents)
        if math.prod(shape) * dtype.itemsize > sys.maxsize:
            raise OverflowError(f"output_size: an array of shape {shape} exceeds the address space ({name})")
        if out is None:
            self.array = _empty(shape, dtype) if gpu is None else gpu.empty(shape, dtype)
        else:
            self.array = (_checked_out if gpu is None else gpu.checked_out)(out, shape, dtype, inputs, name)
        self.view = self.array.transpose(0, 3, 1, 2) if channels_last else self.array


def _empty(shape, dtype):
    if math.prod(shape) * dtype.itemsize < _WORTH_ALIGNING:
        return np.empty(shape, dtype)
    return empty_aligned(shape, dtype)


def _checked_out(out, shape, dtype, inputs, name):
    if type(out) is not np.ndarray and not isinstance(out, np.memmap):
        raise TypeError(f"{name}: {type(out).__name__} is not an ndarray")
    if out.dtype != dtype:
        raise TypeError(f"{name}: dtype {out.dtype}; {dtype} required")
    if out.shape != shape:
        raise ValueError(f"{name}: shape {out.shape}; {shape} required")
    if not out.flags.writeable:
        raise ValueError(f"{name}: the array is read-only")
    if overlaps_itself(out):
        raise ValueError(f"{name}: its elements overlap one another in memory")
    for other in inputs:
        if overlaps(out, other):
            raise ValueError(f"{name}: shares memory with an input or another output")
    return out


class Call:
    """The arguments that every operator shares, checked against each other, and its result array."""

    __slots__ = ("boxes", "extents", "inputs", "maps", "output")

    def __init__(
        self, features, rois, output_size, batch_indices, layout, out, *, coordinates=4, channels_per_output=1, sources=()
    ):
        self.extents = output_extents(output_size)
        self.maps = Features(features, layout)
        self.boxes = Boxes(rois, batch_indices, self.maps.images, coordinates, self.maps.gpu)
        if self.maps.channels % channels_per_output:
            raise ValueError(
                f"features: {self.maps.channels} channels are not a multiple of the {channels_per_output} bins of group_size"
            )
        self.inputs = (self.maps.source, *self.boxes.sources, *sources)
        self.output = self._output(out, self.maps.channels // channels_per_output, self.maps.array.dtype, "out")

    def _output(self, out, channels, dtype, name):
        return Output(
            out, len(self.boxes), channels, self.extents, dtype, self.maps.channels_last, self.inputs, name,
            self.maps.gpu,
        )  # fmt: skip

    def extra_output(self, dtype, name):
        """Another fresh array of the result's shape."""
        return self._output(None, self.output.view.shape[1], dtype, name)

    @property
    def core(self):
        """Where the operator is computed: the functions of _core, or theirs for GPU arrays."""
        return _core if self.maps.gpu is None else self.maps.gpu.core

    @property
    def result(self):
        return self.output.array

    def arguments(self, num_threads):
        """What every operator of the core starts with."""
        return (
            unsigned(self.maps.array),
            unsigned(self.boxes.array),
            self.boxes.batch_indices,
            unsigned(self.output.view),
            self.maps.code,
            resolve_num_threads(num_threads),
            _forced.get(),
        )


def overlaps(a, b):
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=_SHARING_EFFORT)
    except _TooHardError:
        return True


def overlaps_itself(array):
    """True if two elements of a strided array may be the same memory (a stride shorter than the axes inside it)."""
    if array.flags.c_contiguous or array.size == 0:
        return False
    reach = array.itemsize
    for stride, extent in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += stride * (extent - 1)
    return False
