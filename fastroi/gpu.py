"""The same operators on arrays in GPU memory, through CuPy.

Nothing needs to be called from here: every operator of ``fastroi`` that is given a GPU array (CuPy, or anything with
``__cuda_array_interface__`` or a CUDA DLPack) computes on its device and CuPy's current stream and returns a CuPy array,
without synchronising. What the host can see (shapes, dtypes, sizes) is checked as on the CPU; what only the device sees,
boxes that are not finite and batch indices out of range, gives a result of zeros and a note that :func:`check` raises from.
"""

import ctypes
import itertools
import math
from contextlib import nullcontext
from contextvars import ContextVar
from functools import cache
from typing import NamedTuple

import numpy as np

from . import cuda
from ._arguments import is_on_gpu, overlaps_itself, plain_array

__all__ = ["check", "options", "warmup"]

_ELEMENTS = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 3}
_ITEM_SIZES = (4, 8, 2, 2)
_NO_ERROR = 2**64 - 1
_MAX_LEVELS = 16
_MAX_AXIS = 2**31 - 1
_THREADS, _PLAN_THREADS = 256, 128
_SHARED_BYTES = 48 << 10  # what a block may have without asking the driver
_SHARED_PREFERRED = 26 << 10  # lets eight blocks of 256 threads live on a multiprocessor
_PLAN_BYTES = 128 << 20  # plans of one launch; more RoIs are planned and pooled in turns
_MAX_PLANE = 1 << 16  # bins; keeps item numbers of a block in 32 bits
_MAX_ITEMS = 1 << 30
_MAX_BINS = 2**31 - 1  # of kernels that take one value a thread
_MAX_GATHER_SAMPLING = 1 << 10
_CHANNEL_BLOCK = 32
_STAGED_CHANNELS = 128
_BLOCKS_WANTED = 4096
_OUTPUTS_PER_THREAD = 8  # at most; fewer where there would be too few blocks
_TILE_SIDE = 64  # cells and channels that a block packs
_MANY_CELLS = 256  # of a map for each bin, from which on planes are kept in shared memory
_CELLS_OF_LARGE_BINS = 16  # from which on it pays to keep them
_BY_PLANES, _BY_BINS = 1, 2  # Way
_WARPS, _LEAST_WARPS, _LINE_BYTES = 16, 4, 1024  # that share planes; scratch of a warp
_PASTED_ROWS, _PASTE_TAP_BYTES = 16, 24

_KINDS_OF_MAXIMUM = {1: (0, 1, 0), 2: (1, 1, 0), 3: (0, 1, 1), 4: (0, 0, 0)}  # corners, absent_is_zero, from_zero

_strict = ContextVar("fastroi_gpu_strict", default=False)


class _Level(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("data", "image_stride", "channel_stride", "row_stride", "column_stride")),
        *((name, ctypes.c_int64) for name in ("rows", "columns")),
        *((name, ctypes.c_double) for name in ("scale_h", "scale_w")),
    ]


class _Launch(ctypes.Structure):
    """``struct Launch`` of fastroi.cu."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in (
            "first", "count",
            "boxes", "boxes_are_double", "box_columns", "box_numbers", "box_row_stride", "box_column_stride",
            "batch_indices", "batch_stride", "one_image_each", "levels_of_rois", "level_stride", "images", "level_count", "error",
            "planned", "y_first", "x_first", "y_items", "x_items", "y_absent", "x_absent", "y_capacity", "x_capacity",
            "out", "argmax",
        )),
        ("out_strides", ctypes.c_int64 * 4),
        ("argmax_strides", ctypes.c_int64 * 4),
        *((name, ctypes.c_int64) for name in (
            "channels", "bins_h", "bins_w", "first_bin", "planned_bins", "group_h", "group_w", "bin_major",
            "rule", "arithmetic_is_float", "coordinates", "sampling_h", "sampling_w",
        )),
        ("outside", ctypes.c_double),
        *((name, ctypes.c_int64) for name in (
            "mean", "corners", "absent_is_zero", "from_zero",
            "aligned", "clockwise", "degrees", "orientations", "offsets", "offsets_are_double",
        )),
        ("offset_strides", ctypes.c_int64 * 4),
        *((name, ctypes.c_int64) for name in ("classes", "part_h", "part_w", "samples")),
        ("movement", ctypes.c_double),
        ("mask_code", ctypes.c_int64),
        ("out_code", ctypes.c_int64),
        ("threshold", ctypes.c_double),
        *((name, ctypes.c_int64) for name in (
            "scratch", "scratch_cells", "channel_block", "slices", "shared_items", "channels_fastest", "staged",
            "way", "choice", "many_cells", "source",
        )),
        ("source_strides", ctypes.c_int64 * 4),
        ("levels", _Level * _MAX_LEVELS),
    ]  # fmt: skip


_BY_VALUE = np.dtype((np.void, ctypes.sizeof(_Launch)))  # one item: CuPy passes it as a struct

# --- the device ------------------------------------------------------------------------------------------------------


class _CupyRuntime:
    """All that is asked of CuPy: arrays in, memory, one module per device and element type, launches, the error word."""

    threads, plan_threads = _THREADS, _PLAN_THREADS

    def __init__(self, cupy):
        self.cupy = cupy
        self._kernels = {}
        self._errors = {}
        self._attributes = {}

    def device_id(self, array):
        device = getattr(array, "__dlpack_device__", None)
        return device()[1] if device is not None else self.cupy.asarray(array).device.id

    def current(self):
        return self.cupy.cuda.runtime.getDevice()

    def on(self, device_id):
        return nullcontext() if device_id == self.current() else self.cupy.cuda.Device(device_id)

    def is_array(self, value):
        return isinstance(value, self.cupy.ndarray)

    def array(self, value):
        """What is no CuPy array as one: on the same memory if it lies on a GPU, else copied to the current device."""
        if getattr(value, "__dlpack_device__", None) is not None and not isinstance(value, np.ndarray):
            return self.cupy.from_dlpack(value)
        return self.cupy.asarray(value)

    def empty(self, shape, dtype):
        return self.cupy.empty(shape, dtype)

    def pointer(self, array):
        return array.data.ptr

    def _attribute(self, name):
        device = self.current()
        value = self._attributes.get((device, name))
        if value is None:
            value = self._attributes[device, name] = self.cupy.cuda.Device(device).attributes[name]
        return value

    def most_shared_bytes(self):
        """Shared memory that a block may have if the driver is asked."""
        return self._attribute("MaxSharedMemoryPerBlockOptin")

    def multiprocessors(self):
        return self._attribute("MultiProcessorCount")

    def error_word(self):
        device = self.current()
        word = self._errors.get(device)
        if word is None:
            word = self._errors[device] = self.cupy.empty(1, np.uint64)
            self._clear(word)
            self.cupy.cuda.Device().synchronize()  # once per device: other streams may use it next
        return word

    def _clear(self, word):
        word.data.memset_async(255, word.nbytes, self.cupy.cuda.get_current_stream())

    def take_error(self):
        word = self.error_word()
        number = int(word.get()[0])
        if number != _NO_ERROR:
            self._clear(word)
        return number

    def kernel(self, element, name):
        device = self.current()
        kernel = self._kernels.get((device, element, name))
        if kernel is None:
            module = self._kernels.get((device, element))
            if module is None:
                options = (*cuda.OPTIONS, f"-DFASTROI_ELEMENT={element}")
                module = self.cupy.RawModule(code=cuda.source(), options=options, backend="nvrtc")
                self._kernels[device, element] = module
            kernel = self._kernels[device, element, name] = module.get_function("fastroi_" + name)
            if name.endswith("_resident"):
                kernel.max_dynamic_shared_size_bytes = self.most_shared_bytes()
        return kernel

    def launch(self, element, name, blocks, threads, shared_bytes, call):
        arguments = (np.frombuffer(call, _BY_VALUE),)
        self.kernel(element, name)((blocks,), (threads,), arguments, shared_mem=shared_bytes)


_runtime = None


def runtime():
    global _runtime
    if _runtime is None:
        try:
            import cupy
        except ImportError:
            raise ImportError(
                "features: a GPU array needs CuPy; install fastroi[cuda13] or fastroi[cuda12], as your driver has it"
            ) from None
        _runtime = _CupyRuntime(cupy)
    return _runtime


# --- what the argument checks ask --------------------------------------------------------------------------------------


@cache  # a dtype composes its name anew each time
def _element_code(dtype):
    return _ELEMENTS.get(dtype.name) if dtype.isnative else None


class Device:
    """One GPU as the argument checks see it: arrays on it, memory on it, and the operators that compute on it."""

    def __init__(self, number):
        self.number = number
        self.core = _Core(number)

    element_code = staticmethod(_element_code)

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
    if number == _NO_ERROR:
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
        if dtype not in _ELEMENTS:
            raise ValueError(f"dtypes: {dtype!r} is not one of {', '.join(map(repr, _ELEMENTS))}")
        runtime().kernel(_ELEMENTS[dtype], "plan_ranges")
    runtime().error_word()


# --- one call --------------------------------------------------------------------------------------------------------------


class _Kernel(NamedTuple):
    """What reduces planned RoIs; some blocks a RoI."""

    name: str
    shared_bytes: int = 0
    items: int = 0  # of shared memory beside the plan: columns of a planar kernel


class _ResidentKernel(NamedTuple):
    """What reduces all RoIs from planes in shared memory; some blocks for each group of channels."""

    name: str
    shared_bytes: int
    scratch_items: int  # of a warp
    threads: int
    channels: int  # of a group
    groups: int
    slices: int  # of the RoIs


class _Call:
    """Maps, boxes and result of one call as the kernels take them."""

    def __init__(self, maps, boxes, batch_indices, out, scales, box_numbers=4):
        self.launch = launch = _Launch(box_numbers=box_numbers, classes=1)
        self.device, self.maps, self.out = runtime(), maps, out
        self.element = self._element_of(maps[0])
        self.item_size = _ITEM_SIZES[self.element]
        self.weight_size = 8 if self.element == 1 else 4
        self.count, launch.channels, launch.bins_h, launch.bins_w = out.shape
        launch.planned_bins = self.bins = launch.bins_h * launch.bins_w
        self._check(boxes, batch_indices)
        launch.out, launch.out_strides = _pointer_and_strides(out)
        launch.level_count, launch.images = len(maps), maps[0].shape[0]
        self.levels = []
        for array, (scale_h, scale_w) in zip(maps, scales, strict=True):
            pointer, strides = _pointer_and_strides(array)
            self.levels.append(_Level(pointer, *strides, *array.shape[2:], scale_h, scale_w))
        self._pass_levels()
        self.largest_extents = max([level.rows for level in self.levels]), max([level.columns for level in self.levels])
        launch.boxes_are_double, launch.box_columns = boxes.itemsize == 8, boxes.shape[1]
        launch.boxes, (launch.box_row_stride, launch.box_column_stride) = _pointer_and_strides(boxes)
        if batch_indices is not None:
            launch.batch_indices, (launch.batch_stride,) = _pointer_and_strides(batch_indices)
        launch.error = self.device.pointer(self.device.error_word())
        self.plan_items = max(launch.bins_h, launch.bins_w)  # that a block plans side by side
        self.kept = (boxes, batch_indices)

    @staticmethod
    def _element_of(array):
        return _element_code(array.dtype)

    def _check(self, boxes, batch_indices):
        """What the core checks on the host, in its words."""
        images = self.maps[0].shape[0]
        if self.maps[0].shape[1] > _MAX_ITEMS:
            raise OverflowError(f"features: {self.maps[0].shape[1]} channels; at most 2^30 on a GPU")
        for array in self.maps:
            rows, columns = array.shape[2:]
            if max(rows, columns) > _MAX_AXIS:
                raise OverflowError(f"features: a map of {rows} x {columns} cells; an axis holds at most 2^31 - 1")
            if self.count and not (rows and columns):
                raise ValueError(f"features: a map of {rows} x {columns} cells has nothing to pool")
        if self.count and images == 0:
            raise ValueError(f"features: 0 images, but {self.count} rois")
        has_batch_column = boxes.shape[1] > self.launch.box_numbers
        if has_batch_column and boxes.itemsize == 4 and images > 2**24:
            raise TypeError(f"rois: its dtype cannot tell {images} batch indices apart; pass batch_indices")
        if not has_batch_column and batch_indices is None and images != 1 and self.count:
            raise ValueError(
                f"batch_indices: required when rois has no batch column and there are {images} images"
            )

    def set_levels(self, levels):
        self.launch.levels_of_rois, (self.launch.level_stride,) = _pointer_and_strides(levels)
        self.kept += (levels,)

    def set_argmax(self, argmax):
        self.launch.argmax, self.launch.argmax_strides = _pointer_and_strides(argmax)

    def set_groups(self, rows, columns, bin_major):
        self.launch.group_h, self.launch.group_w, self.launch.bin_major = rows, columns, bin_major

    # What decides between the kernels of a family.

    def is_channels_last(self):
        return all(level.channel_stride == 1 and level.column_stride != 1 for level in self.levels)

    def _pass_levels(self):
        self.launch.levels[: len(self.levels)] = self.levels

    def takes_wide_access(self):
        """Whether 16 bytes of channels can be read and written at once, everywhere."""
        wide = 16 // self.item_size
        launch = self.launch
        if launch.group_h or launch.channels % wide or launch.out_strides[1] != 1 or launch.out % 16:
            return False
        strides = [launch.out_strides[i] for i in (0, 2, 3)]
        for level in self.levels:
            if level.channel_stride != 1 or level.data % 16:
                return False
            strides += (level.image_stride, level.row_stride, level.column_stride)
        fits = launch.channels // wide * launch.bins_h * launch.bins_w < _MAX_ITEMS and self._has_short_offsets(0)
        return fits and all(stride % wide == 0 for stride in strides)

    def _has_short_offsets(self, channels):
        """Whether 32 bits hold every offset inside `channels` channels of an image of any level."""
        return all(
            channels * abs(level.channel_stride) + level.rows * abs(level.row_stride) + level.columns * abs(level.column_stride)
            < 2**31
            for level in self.levels
        )

    def planar_shared_bytes(self, plan_bytes, columns, item_bytes):
        """(shared bytes, items) of a planar kernel, or None where a direct kernel has to do."""
        launch = self.launch
        if launch.group_h or self.is_channels_last() or launch.bins_h * launch.bins_w > _MAX_PLANE:
            return None
        if not self._has_short_offsets(_CHANNEL_BLOCK):
            return None
        items = max((_SHARED_PREFERRED - plan_bytes) // item_bytes, columns, 256)
        total = plan_bytes + items * item_bytes
        return (total, items) if total <= _SHARED_BYTES else None

    def stage_bytes(self, plan_bytes):
        """Shared bytes of a wide kernel that writes channels-first results through shared memory, or None.

        The map is packed channels-last first, so it must be read often enough, and its copy must be aligned and short.
        """
        launch, plane = self.launch, self.bins
        if launch.group_h or launch.out_strides[1:] != [plane, launch.bins_w, 1] or self.is_channels_last():
            return None
        cells = max([level.rows * level.columns for level in self.levels])
        often = 4 * self.count * plane >= launch.images * launch.level_count * cells
        short = cells * (launch.channels + 16) < 2**31
        first, channel_bytes, block = _aligned(plan_bytes), (plane | 1) * self.item_size, _STAGED_CHANNELS
        while block > 32 and first + block * channel_bytes > _SHARED_PREFERRED:
            block //= 2
        launch.channel_block, stage = block, first + block * channel_bytes
        return stage if often and short and stage <= _SHARED_BYTES else None

    def pack_maps(self):
        """Replace every level by its channels-last copy. Returns what :meth:`_pack` has to fill these by: (blocks, call)."""
        launch, device, packings = self.launch, self.device, []
        images, wide = launch.images, 16 // self.item_size
        channels = -(-launch.channels // wide) * wide
        for i, level in enumerate(self.levels):
            rows, columns = level.rows, level.columns
            row, cells = columns * channels, rows * columns
            copy = device.empty(images * cells * channels, self.out.dtype)
            self.kept += (copy,)
            strides = level.image_stride, level.channel_stride, level.row_stride, level.column_stride
            packing = _Launch(channels=launch.channels, source=level.data, source_strides=strides)
            self.levels[i] = packing.levels[0] = _Level(
                device.pointer(copy), rows * row, 1, row, channels, rows, columns, level.scale_h, level.scale_w
            )
            packings.append((images * -(-cells // _TILE_SIDE) * -(-channels // _TILE_SIDE), packing))
        self._pass_levels()
        return packings

    def _pack(self, packings):
        shared_bytes = _TILE_SIDE * (_TILE_SIDE + 1) * self.item_size
        for blocks, packing in packings:
            self.device.launch(self.element, "pack", blocks, self.device.threads, shared_bytes, packing)

    def listing_kernel(self, family):
        """The kernel of a gathering family, as `run` takes it."""
        is_whole = self.launch.planned_bins == self.bins
        staged = self.stage_bytes(0) if is_whole and self.launch.classes == 1 else None
        if staged:
            return _Kernel(family + "_staged", staged)
        wide = is_whole and self.launch.classes == 1 and self.takes_wide_access()
        return _Kernel(family + ("_wide" if wide else "_direct"))

    def resident_kernel(self, family):
        """The kernel of a family that keeps whole planes in shared memory, or None.

        It reads the whole map once whatever the boxes are, and is for bins that may have any number of cells: maps that are
        large beside their bins, and RoIs enough to be worth reading them.
        """
        launch, device = self.launch, self.device
        cells, columns = max([level.rows * level.columns for level in self.levels]), self.largest_extents[1]
        is_worth = _MANY_CELLS * self.bins <= cells and launch.images * launch.level_count * cells <= 16 * self.count * self.bins
        if launch.group_h or not is_worth:
            return None
        plane, line = cells * self.item_size, max(_LINE_BYTES, columns * self.weight_size)
        room, blocks_wanted = device.most_shared_bytes(), 2 * device.multiprocessors()
        # Two blocks of half the warps on a multiprocessor where both fit: one loads while the other pools.
        half = room // 2 - 1024
        channels = (half - _WARPS // 2 * line) // plane
        warps = _WARPS // 2 if channels > 0 else min(_WARPS, (room - _aligned(plane)) // line)
        if warps < _LEAST_WARPS:
            return None
        maps = launch.images * launch.level_count
        channels = max(1, min(channels, launch.channels, maps * launch.channels // blocks_wanted))
        groups = maps * -(-launch.channels // channels)
        slices = max(1, min(blocks_wanted // groups, self.count // warps))
        shared_bytes = -(-channels * plane // 16) * 16 + warps * line
        return _ResidentKernel(
            family + "_resident", shared_bytes, line // self.weight_size, 32 * warps, channels, groups, slices
        )

    # Running.

    def run_alone(self, name):
        """A kernel that needs no plan, a thread a value."""
        if self.out.size == 0:
            return
        launch, device = self.launch, self.device
        self._divide_work(False, name)
        for _ in self._turns(_MAX_AXIS // launch.slices):
            device.launch(self.element, name, launch.count * launch.slices, device.threads, 0, launch)

    def _turns(self, step):
        """Sets the RoIs and bins of one launch after the other, at most `step` RoIs and as many bins as are planned at once."""
        launch, bins = self.launch, self.launch.planned_bins
        if step >= self.count and bins == self.bins:
            launch.count = self.count
            yield
            return
        for first, bin_ in itertools.product(range(0, self.count, step), range(0, self.bins, bins)):
            launch.first, launch.count = first, min(step, self.count - first)
            launch.first_bin, launch.planned_bins = bin_, min(bins, self.bins - bin_)
            yield

    def run_points(self):
        """Rotated boxes of many points: a block a bin, its cells in shared memory or, where they do not fit, in scratch."""
        if self.out.size == 0:
            return
        launch, device = self.launch, self.device
        name = "points_direct"
        if self.stage_bytes(0):
            name, launch.staged = "points_wide", 1
            self._pack(self.pack_maps())
        elif self.takes_wide_access():
            name = "points_wide"
        cells = math.prod(self.largest_extents)
        if cells > _MAX_AXIS:
            raise OverflowError("features: a bin of too many cells")
        packs = -(-launch.channels * self.item_size // 16) if name == "points_wide" else launch.channels
        threads = min(device.threads, max(64, -(-packs // 32) * 32))
        launch.shared_items = min(cells, (_SHARED_BYTES - _POINT_CHUNK_BYTES) // _TABLE_CELL_BYTES)
        shared_bytes = max(_POINT_CHUNK_BYTES + launch.shared_items * _TABLE_CELL_BYTES, 16 * threads)
        launch.count = self.count
        blocks = min(self.count * self.bins, _MAX_AXIS)
        device.launch(self.element, name, blocks, threads, shared_bytes, launch)
        if cells > launch.shared_items:
            launch.scratch_cells = cells
            blocks = max(1, min(blocks, _PLAN_BYTES // (cells * _TABLE_CELL_BYTES)))
            scratch = device.empty(blocks * cells * _TABLE_CELL_BYTES, np.uint8)
            launch.scratch = device.pointer(scratch)
            device.launch(self.element, name, blocks, threads, max(_POINT_CHUNK_BYTES, 16 * threads), launch)

    def run(self, plan_name, plan, kernel, resident=None):
        """Plan the RoIs and reduce them by a kernel, or by `resident` where the device finds their bins large.

        `plan` lists (field, bytes per RoI). Either kernel may be None.
        """
        if self.out.size == 0:
            return
        launch, device, element, levels = self.launch, self.device, self.element, list(self.levels)
        if kernel:
            name, threads, packings = self._prepare(kernel)
            if not resident:
                self._pack(packings)
        step = max(1, min(self.count, _PLAN_BYTES // sum([size for _, size in plan]), _MAX_AXIS // (launch.slices or 1)))
        sizes = [_aligned(step * size) for _, size in plan]
        workspace = device.empty(sum(sizes) + _aligned(1), np.uint8)
        address = device.pointer(workspace)
        for (field, _), size in zip(plan, sizes, strict=True):
            setattr(launch, field, address)
            address += size
        launch.choice = address
        by_planes = self._resident_launch(resident, levels) if resident else None
        plan_threads = min(device.plan_threads, -(-self.plan_items // 32) * 32)
        for _ in self._turns(step):
            launch.way = 0
            device.launch(element, plan_name, launch.count, plan_threads, plan_threads * 8, launch)
            if resident:
                self._run_resident(resident, by_planes, packings if kernel else None)
            if kernel:
                device.launch(element, name, launch.count * launch.slices, threads, kernel.shared_bytes, launch)

    def _prepare(self, kernel):
        """Divide the work of a kernel; returns its name, threads a block and what has to be packed for it."""
        launch, name = self.launch, kernel.name
        launch.shared_items = kernel.items
        self._divide_work(kernel.items > 0, name)
        if not name.endswith("_staged"):
            return name, self.device.threads, ()
        packings = self.pack_maps()
        packs = -(-min(launch.channel_block, launch.channels) * self.item_size // 16)
        threads = _fitting_threads(packs * launch.bins_h * launch.bins_w, self.device.threads)
        return name.removesuffix("_staged") + "_wide", threads, packings

    def _resident_launch(self, resident, levels):
        """A copy of the launch, with the maps as they were given."""
        launch = _Launch.from_buffer_copy(self.launch)
        launch.shared_items, launch.channel_block = resident.scratch_items, resident.channels
        launch.slices = resident.slices
        launch.levels[: len(levels)] = levels
        return launch

    def _run_resident(self, resident, by_planes, packings):
        """The resident kernel; if there are packings, maybe none, it and they wait for the device's choice."""
        launch, device = self.launch, self.device
        by_planes.first, by_planes.count = launch.first, launch.count
        if packings is not None:
            launch.many_cells = _CELLS_OF_LARGE_BINS * self.bins
            device.launch(self.element, "choose", 1, device.threads, 8 * device.threads, launch)
            by_planes.way, launch.way = _BY_PLANES, _BY_BINS
        blocks = resident.groups * resident.slices
        device.launch(self.element, resident.name, blocks, resident.threads, resident.shared_bytes, by_planes)
        for _, packing in packings or ():
            packing.way, packing.choice = _BY_BINS, launch.choice
        self._pack(packings or ())

    def _divide_work(self, planar, name):
        launch = self.launch
        if name.endswith("_staged"):
            launch.staged, launch.slices = 1, -(-launch.channels // launch.channel_block)
            return
        if planar:
            block = _CHANNEL_BLOCK
            while block > 4 and self.count * -(-launch.channels // block) < _BLOCKS_WANTED:
                block //= 2
            launch.channel_block, launch.slices = block, -(-launch.channels // block)
            return
        launch.channels_fastest = launch.out_strides[1] == 1 and launch.channels > 1
        width = 1
        if name.endswith("_wide"):
            width = 16 // self.item_size
        else:
            if self.bins > _MAX_BINS:
                raise OverflowError(f"output_size: {launch.bins_h} x {launch.bins_w} bins; at most 2^31 - 1 here on a GPU")
            launch.planned_bins = min(launch.planned_bins, _MAX_ITEMS // launch.channels)
        outputs, threads = launch.channels // width * launch.planned_bins, self.device.threads
        blocks = self.count * -(-outputs // threads)
        per_thread = max(1, min(blocks // (_BLOCKS_WANTED // 2), _OUTPUTS_PER_THREAD))
        launch.slices = min(-(-outputs // (threads * per_thread)), 1 << 16)


class _MaskCall(_Call):
    """The same for masks, whose kernels are those of float64 whatever the type of the masks."""

    def __init__(self, masks, boxes, batch_indices, out, code, out_code, threshold):
        super().__init__([masks], boxes, batch_indices, out, [(1.0, 1.0)])
        if not 0 <= threshold < math.inf:
            raise ValueError(f"threshold: {threshold:g}; it must be finite and not negative")
        launch = self.launch
        launch.mask_code, launch.out_code, launch.threshold = code, out_code, threshold
        launch.one_image_each = batch_indices is None

    @staticmethod
    def _element_of(array):
        return _ELEMENTS["float64"]

    def _check(self, boxes, batch_indices):
        images, _, rows, columns = self.maps[0].shape
        if max(rows, columns) > _MAX_AXIS - 2:
            raise OverflowError(f"masks: {rows} x {columns}; an axis holds at most 2^31 - 3")
        if self.count and not (images and rows and columns):
            raise ValueError(f"masks: {images} of {rows} x {columns} cells; there is nothing to paste or crop")

    def paste(self):
        """A block for some rows of each image."""
        if self.out.size == 0:
            return
        launch, device = self.launch, self.device
        launch.shared_items = min(launch.bins_h, _PASTED_ROWS)
        launch.slices = -(-launch.bins_h // launch.shared_items)
        threads = min(device.threads, -(-launch.bins_w // 32) * 32)
        step = max(1, _MAX_AXIS // launch.slices)
        for first in range(0, self.count, step):
            launch.first, launch.count = first, min(step, self.count - first)
            blocks = launch.count * launch.slices
            device.launch(self.element, "paste_masks", blocks, threads, launch.shared_items * _PASTE_TAP_BYTES, launch)


def _fitting_threads(items, most):
    """Whole warps that share `items` evenly."""
    rounds = -(-items // most)
    return -(-items // (32 * rounds)) * 32


def _aligned(size):
    return -(-size // 256) * 256


def _pointer_and_strides(array):
    item, strides = array.itemsize, array.strides
    if any(stride % item for stride in strides):
        raise ValueError(f"array: strides {array.strides} are not multiples of the item size {item}; use .copy()")
    return runtime().pointer(array), tuple([stride // item for stride in strides])


# --- families ---------------------------------------------------------------------------------------------------------------

_PLANNED_BYTES = 48


def _run_max(call):
    launch = call.launch
    with_argmax = bool(launch.argmax)
    prefix = "argmax" if with_argmax else "max"
    plan = [("planned", _PLANNED_BYTES), ("y_items", 8 * launch.bins_h), ("x_items", 8 * launch.bins_w)]
    lanes = 16 // call.weight_size
    item_bytes = 16 + 4 * lanes * with_argmax
    plan_bytes = 8 * (launch.bins_h + launch.bins_w)
    resident = None if with_argmax else call.resident_kernel("max")
    if not with_argmax and (staged := call.stage_bytes(0)):
        kernel = _Kernel("max_staged", staged)
    elif not with_argmax and call.takes_wide_access():
        kernel = _Kernel("max_wide")
    elif resident:
        kernel = None
    elif shared := call.planar_shared_bytes(plan_bytes, call.largest_extents[1], item_bytes):
        kernel = _Kernel(prefix + "_planar", *shared)
    else:
        kernel = _Kernel(prefix + "_direct")
    call.run("plan_ranges", plan, kernel, resident)


def _tap_capacity(kind, bins, extent, sampling):
    """Most taps that the bins of one axis can have together: consecutive bins share at most a few cells."""
    if kind in ("warp", "crop", "crop_nearest"):
        return 2 * bins
    shared = extent + 4 * bins
    return min(2 * sampling * bins, shared) if kind == "align" and sampling > 0 else shared


def _run_sum(call, kind, kernel=None):
    launch = call.launch
    rows, columns = call.largest_extents
    tap_bytes = 2 * call.weight_size
    launch.y_capacity = _tap_capacity(kind, launch.bins_h, rows, launch.sampling_h)
    launch.x_capacity = _tap_capacity(kind, launch.bins_w, columns, launch.sampling_w)
    plan = [
        ("planned", _PLANNED_BYTES),
        ("y_items", tap_bytes * launch.y_capacity),
        ("x_items", tap_bytes * launch.x_capacity),
        ("y_first", 4 * (launch.bins_h + 1)),
        ("x_first", 4 * (launch.bins_w + 1)),
    ]
    call.run("plan_" + kind, plan, *([kernel] if kernel else _sum_kernels(call, kind, tap_bytes)))


def _sum_kernels(call, kind, tap_bytes):
    """The kernel, or None, and the resident one, or None."""
    launch = call.launch
    columns = call.largest_extents[1]
    plan_bytes = tap_bytes * (launch.y_capacity + launch.x_capacity) + 4 * (launch.bins_h + launch.bins_w + 2)
    of_any_size = kind in ("range_means", "precise") or (kind == "align" and min(launch.sampling_h, launch.sampling_w) <= 0)
    resident = call.resident_kernel("sum") if of_any_size else None
    if staged := call.stage_bytes(plan_bytes):
        return _Kernel("sum_staged", staged), resident
    if plan_bytes <= _SHARED_PREFERRED and call.takes_wide_access():
        return _Kernel("sum_wide", plan_bytes), resident
    if resident:
        return None, resident
    if shared := call.planar_shared_bytes(plan_bytes + 4 * launch.x_capacity, min(columns, launch.x_capacity), 16):
        return _Kernel("sum_planar", *shared), None
    return _Kernel("sum_direct"), None


def _sample_capacity(bins, extent, sampling):
    """Points on the map: an adaptive grid has at most two a cell, and one for each bin smaller than a cell."""
    return bins * sampling if sampling > 0 else 2 * (extent + 2) + 2 * bins


def _run_samples(call):
    launch = call.launch
    rows, columns = call.largest_extents
    sample_bytes = 24 if call.weight_size == 8 else 12
    launch.y_capacity = _sample_capacity(launch.bins_h, rows, launch.sampling_h)
    launch.x_capacity = _sample_capacity(launch.bins_w, columns, launch.sampling_w)
    plan = [
        ("planned", _PLANNED_BYTES),
        ("y_items", sample_bytes * launch.y_capacity),
        ("x_items", sample_bytes * launch.x_capacity),
        ("y_first", 4 * (launch.bins_h + 1)),
        ("x_first", 4 * (launch.bins_w + 1)),
        ("y_absent", 4 * launch.bins_h),
        ("x_absent", 4 * launch.bins_w),
    ]
    call.run("plan_samples", plan, _Kernel("max_samples"))


_TAP_BYTES = 16  # ListedCell, Tap<double>
_FEW_POINTS = 16  # of bins that a thread plans by itself
_POINT_CHUNK_BYTES, _TABLE_CELL_BYTES = 2048, 16  # CellChunk, CellTable


def _run_lists(call, plan_name, family, lists, y_bytes, x_bytes):
    """A gathering operator: `lists` of at most so many bytes an axis for each bin."""
    launch = call.launch
    per_bin = lists * (y_bytes + x_bytes + 8)
    launch.planned_bins = max(1, min(call.bins, _PLAN_BYTES // per_bin))
    call.plan_items = launch.planned_bins * (2 * lists if x_bytes else 1)
    lists *= launch.planned_bins
    plan = [
        ("planned", _PLANNED_BYTES),
        ("y_items", y_bytes * lists),
        ("x_items", x_bytes * lists),
        ("y_first", 4 * lists),
        ("x_first", 4 * lists),
    ]
    call.run(plan_name, plan, call.listing_kernel(family))


def _run_rotated(call):
    """Bins of few points are planned by a thread each; others merge their cells in the block that sums them."""
    launch = call.launch
    points = launch.sampling_h * launch.sampling_w
    if 0 < points <= _FEW_POINTS:
        launch.y_capacity = 4 * points
        return _run_lists(call, "plan_rotated", "cells", 1, launch.y_capacity * _TAP_BYTES, 0)
    call.run_points()


def _most_moved_taps(sampling, extent):
    """Taps of one bin: two a point, and no cell twice."""
    return min(2 * sampling, extent) if sampling else extent


def _run_moved(call, plan_name, sampling_h, sampling_w):
    launch = call.launch
    rows, columns = call.largest_extents
    launch.y_capacity, launch.x_capacity = _most_moved_taps(sampling_h, rows), _most_moved_taps(sampling_w, columns)
    capacity = _TAP_BYTES * launch.y_capacity, _TAP_BYTES * launch.x_capacity
    _run_lists(call, plan_name, "products", launch.classes, *capacity)


# --- the face of _core ---------------------------------------------------------------------------------------------------


def _roi_pool(features, rois, batch, out, code, threads, simd, argmax, rule, reduce, scale_h, scale_w):
    call = _Call([features], rois, batch, out, [(scale_h, scale_w)])
    call.launch.rule = rule
    if reduce:
        call.launch.mean = 1
        return _run_sum(call, "range_means")
    if argmax is not None:
        call.set_argmax(argmax)
    return _run_max(call)


def _roi_align(features, rois, batch, out, code, threads, simd, *settings):
    *settings, scale_h, scale_w = settings
    _run_align(_Call([features], rois, batch, out, [(scale_h, scale_w)]), *settings)


def _multiscale_roi_align(maps, rois, batch, out, code, threads, simd, levels, scales, *settings):
    if len(maps) > _MAX_LEVELS:
        raise ValueError(f"feature_pyramid: {len(maps)} levels; at most {_MAX_LEVELS} on a GPU")
    for scale in scales:
        if not (scale > 0 and math.isfinite(scale)):
            raise ValueError(f"spatial_scale: {scale:g}; it must be positive and finite")
    call = _Call(maps, rois, batch, out, [(scale, scale) for scale in scales])
    call.set_levels(levels)
    _run_align(call, *settings)


def _ps_roi_pool(
    features, rois, batch, out, code, threads, simd, rule, order, arithmetic, group_h, group_w, scale_h, scale_w
):
    call = _Call([features], rois, batch, out, [(scale_h, scale_w)])
    call.set_groups(group_h, group_w, order)
    call.launch.rule, call.launch.arithmetic_is_float, call.launch.mean = rule, arithmetic, 1
    _run_sum(call, "ps_means")


def _ps_roi_align(
    features, rois, batch, out, code, threads, simd,
    coordinates, order, arithmetic, group_h, group_w, sampling_h, sampling_w, scale_h, scale_w,
):  # fmt: skip
    call = _Call([features], rois, batch, out, [(scale_h, scale_w)])
    call.set_groups(group_h, group_w, order)
    _run_align(call, coordinates, 0, arithmetic, sampling_h, sampling_w)


def _scaled_operator(precise, features, rois, batch, out, code, threads, simd, scale_h, scale_w):
    call = _Call([features], rois, batch, out, [(scale_h, scale_w)])
    _run_sum(call, "precise" if precise else "warp")


def _crop_and_resize(features, rois, batch, out, code, threads, simd, method, extrapolation_value):
    call = _Call([features], rois, batch, out, [(1.0, 1.0)])
    call.launch.outside = extrapolation_value
    _run_sum(call, "crop_nearest" if method else "crop")


def _rotated_call(features, rois, batch, out, clockwise, angle_unit, arithmetic, sampling_h, sampling_w, scales):
    _check_gather_sampling(sampling_h, "sampling_ratio")
    _check_gather_sampling(sampling_w, "sampling_ratio")
    call = _Call([features], rois, batch, out, [scales], box_numbers=5)
    launch = call.launch
    launch.clockwise, launch.degrees, launch.arithmetic_is_float = clockwise, angle_unit, arithmetic
    launch.sampling_h, launch.sampling_w = sampling_h, sampling_w
    return call


def _roi_align_rotated(features, rois, batch, out, code, threads, simd, aligned, *settings):
    *settings, scale_h, scale_w = settings
    call = _rotated_call(features, rois, batch, out, *settings, (scale_h, scale_w))
    call.launch.aligned = aligned
    _run_rotated(call)


def _riroi_align_rotated(
    features, rois, batch, out, code, threads, simd, clockwise, angle_unit, arithmetic, orientations, *settings
):
    sampling_h, sampling_w, scale_h, scale_w = settings
    settings = clockwise, angle_unit, arithmetic, sampling_h, sampling_w, (scale_h, scale_w)
    unmixed = _empty_like(out)
    call = _rotated_call(features, rois, batch, unmixed, *settings)
    _run_rotated(call)
    mixing = _rotated_call(features, rois, batch, out, *settings)
    mixing.launch.orientations = orientations
    mixing.launch.source, mixing.launch.source_strides = _pointer_and_strides(unmixed)
    mixing.run_alone("mix")


def _empty_like(out):
    """Memory for the same values in the same order of axes: kernels of packed channels write it as they would write `out`."""
    if out.strides[1] != out.itemsize:
        return runtime().empty(out.shape, out.dtype)
    count, channels, rows, columns = out.shape
    return runtime().empty((count, rows, columns, channels), out.dtype).transpose(0, 3, 1, 2)


def _set_offsets(call, offsets, movement):
    """Offsets of moved bins; the half types are read as float32."""
    call.launch.movement = movement
    if offsets is None:
        return
    if offsets.itemsize == 2:
        offsets = offsets.astype(np.float32)
    call.launch.offsets, call.launch.offset_strides = _pointer_and_strides(offsets)
    call.launch.offsets_are_double = offsets.itemsize == 8
    call.kept += (offsets,)


def _deform_roi_pool(
    features, rois, batch, out, code, threads, simd, offset, offset_code, arithmetic, sampling_h, sampling_w, gamma, *scales
):
    _check_gather_sampling(sampling_h, "sampling_ratio")
    _check_gather_sampling(sampling_w, "sampling_ratio")
    _check_finite(gamma, "gamma")
    call = _Call([features], rois, batch, out, [scales])
    launch = call.launch
    launch.arithmetic_is_float, launch.sampling_h, launch.sampling_w = arithmetic, sampling_h, sampling_w
    launch.part_h, launch.part_w = launch.bins_h, launch.bins_w
    _set_offsets(call, offset, gamma)
    _run_moved(call, "plan_moved", sampling_h, sampling_w)


def _deform_ps_roi_pool(
    features, rois, batch, out, code, threads, simd, trans, trans_code,
    arithmetic, group_h, group_w, part_h, part_w, sample_per_part, trans_std, *scales,
):  # fmt: skip
    _check_gather_sampling(sample_per_part, "sample_per_part")
    _check_finite(trans_std, "trans_std")
    classes = 1 if trans is None else trans.shape[1] // 2
    if out.shape[1] % classes:
        raise ValueError(f"trans: {classes} classes for {out.shape[1]} output channels")
    call = _Call([features], rois, batch, out, [scales])
    call.set_groups(group_h, group_w, 0)
    launch = call.launch
    launch.arithmetic_is_float, launch.classes, launch.samples = arithmetic, classes, sample_per_part
    launch.part_h, launch.part_w = part_h, part_w
    _set_offsets(call, trans, trans_std)
    _run_moved(call, "plan_parts", sample_per_part, sample_per_part)


def _paste_masks(masks, rois, out, code, out_code, threads, rule, arithmetic, zeroed, threshold):
    call = _MaskCall(masks, rois, None, out, code, out_code, threshold)
    call.launch.rule, call.launch.arithmetic_is_float = rule, arithmetic
    call.paste()


def _crop_masks(
    masks, rois, batch, out, code, out_code, threads, aligned, arithmetic, sampling_h, sampling_w, threshold
):
    call = _MaskCall(masks, rois, batch, out, code, out_code, threshold)
    launch = call.launch
    launch.coordinates, launch.arithmetic_is_float = aligned, arithmetic  # asymmetric, half pixel
    launch.sampling_h, launch.sampling_w = sampling_h, sampling_w
    _run_sum(call, "align", _Kernel("crop_masks"))


def _check_gather_sampling(ratio, name):
    if ratio > _MAX_GATHER_SAMPLING:
        raise ValueError(f"{name}: {ratio}; at most {_MAX_GATHER_SAMPLING}")


def _check_finite(number, name):
    if not math.isfinite(number):
        raise ValueError(f"{name}: {number:g}; it must be finite")


def _run_align(call, coordinates, reduce, arithmetic, sampling_h, sampling_w):
    launch = call.launch
    launch.coordinates, launch.arithmetic_is_float = coordinates, arithmetic
    launch.sampling_h, launch.sampling_w = sampling_h, sampling_w
    if reduce == 0:
        return _run_sum(call, "align")
    launch.corners, launch.absent_is_zero, launch.from_zero = _KINDS_OF_MAXIMUM[reduce]
    _run_samples(call)


_OPERATORS = {
    "roi_pool": _roi_pool,
    "roi_align": _roi_align,
    "multiscale_roi_align": _multiscale_roi_align,
    "ps_roi_pool": _ps_roi_pool,
    "ps_roi_align": _ps_roi_align,
    "scaled_operator": _scaled_operator,
    "crop_and_resize": _crop_and_resize,
    "roi_align_rotated": _roi_align_rotated,
    "riroi_align_rotated": _riroi_align_rotated,
    "deform_roi_pool": _deform_roi_pool,
    "deform_ps_roi_pool": _deform_ps_roi_pool,
    "paste_masks": _paste_masks,
    "crop_masks": _crop_masks,
}


class _Core:
    """The functions of ``_core`` for arrays of one GPU: the same arguments, threads and instruction set left unused."""

    def __init__(self, device_number):
        self._device_number = device_number

    def __getattr__(self, name):
        if name not in _OPERATORS:
            raise TypeError(f"{name}: has no GPU implementation; pass NumPy arrays (cupy.asnumpy)")
        operator = _OPERATORS[name]

        def run(*arguments):
            with runtime().on(self._device_number):
                operator(*arguments)
                if _strict.get():
                    check()

        setattr(self, name, run)
        return run
