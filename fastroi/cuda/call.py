"""One call: its maps, boxes and result as the kernels take them, which kernels reduce it, and their launches."""

import itertools
import math
from typing import NamedTuple

import numpy as np

from fastroi import _core

from .launch import Launch, Level
from .runtime import pointer_and_strides, runtime

FLOAT32, FLOAT64 = (_core.elements()[name] for name in ("float32", "float64"))

_MAX_AXIS = 2**31 - 1
_MOST_WIDE = 8  # channels that a thread of a wide kernel reduces, of 16 bytes at most
_SHARED_BYTES = 48 << 10  # what a block may have without asking the driver
_SHARED_PREFERRED = 26 << 10  # lets eight blocks of 256 threads live on a multiprocessor
_PLAN_BYTES = 128 << 20  # plans of one launch; more RoIs are planned and pooled in turns
_MAX_PLANE = 1 << 16  # bins; keeps item numbers of a block in 32 bits
_MAX_ITEMS = 1 << 30
_MAX_BINS = 2**31 - 1  # of kernels that take one value a thread
_CHANNEL_BLOCK = 32
_STAGED_CHANNELS = 128
_BLOCKS_WANTED = 4096
_OUTPUTS_PER_THREAD = 8  # at most; fewer where there would be too few blocks
_TILE_SIDE = 64  # cells and channels that a block packs
_MANY_CELLS = 256  # of a map for each of a RoI's bins, from which on planes are kept in shared memory
_CELLS_READ_FOR_A_BIN = 16  # of the whole map at most, over the bins of all RoIs
_CELLS_OF_LARGE_BINS = 16  # from which on it pays to keep them
_BY_PLANES, _BY_BINS = 1, 2  # Way
_WARPS, _LEAST_WARPS, _LINE_BYTES = 16, 4, 1024  # that share planes; scratch of a warp
_POINT_CHUNK_BYTES, _TABLE_CELL_BYTES = 2048, 16  # CellChunk, CellTable
_PASTED_ROWS, _PASTE_TAP_BYTES = 16, 24


class Arrays(NamedTuple):
    """What a call is of: maps, boxes and result, with the core's codes for the elements of maps and result."""

    maps: tuple
    element: int
    boxes: object
    batch_indices: object
    out: object
    result: int


def arithmetic_of(element):
    """The element that sums of maps of another are in."""
    return FLOAT64 if element == FLOAT64 else FLOAT32


class Kernel(NamedTuple):
    """What reduces planned RoIs; some blocks a RoI."""

    name: str
    shared_bytes: int = 0
    items: int = 0  # of shared memory beside the plan: columns of a planar kernel


class ResidentKernel(NamedTuple):
    """What reduces all RoIs from planes in shared memory; some blocks for each group of channels."""

    name: str
    shared_bytes: int
    scratch_items: int  # of a warp
    threads: int
    channels: int  # of a group
    groups: int
    slices: int  # of the RoIs


class Call:
    """Maps, boxes and result of one call as the kernels take them."""

    def __init__(self, arrays, scales, box_numbers=4):
        maps, element, boxes, batch_indices, out, result = arrays
        self.launch = launch = Launch(box_numbers=box_numbers, classes=1)
        self.device, self.maps, self.out = runtime(), maps, out
        self.planning, self.reducing = (arithmetic_of(element),), (element, result)
        self.item_size = maps[0].itemsize
        self.wide = min(_MOST_WIDE, 16 // self.item_size)
        self.weight_size = 8 if arithmetic_of(element) == FLOAT64 else 4
        self.count, launch.channels, launch.bins_h, launch.bins_w = out.shape
        launch.planned_bins = self.bins = launch.bins_h * launch.bins_w
        if launch.channels > _MAX_ITEMS:
            raise OverflowError(f"features: {launch.channels} channels; at most 2^30 on a GPU")
        launch.out, launch.out_strides = pointer_and_strides(out)
        launch.level_count, launch.images = len(maps), maps[0].shape[0]
        self.levels = []
        for array, (scale_h, scale_w) in zip(maps, scales, strict=True):
            pointer, strides = pointer_and_strides(array)
            self.levels.append(Level(pointer, *strides, *array.shape[2:], scale_h, scale_w))
        self._pass_levels()
        self.largest_extents = max([level.rows for level in self.levels]), max([level.columns for level in self.levels])
        launch.boxes_are_double, launch.box_columns = boxes.itemsize == 8, boxes.shape[1]
        launch.boxes, (launch.box_row_stride, launch.box_column_stride) = pointer_and_strides(boxes)
        if batch_indices is not None:
            launch.batch_indices, (launch.batch_stride,) = pointer_and_strides(batch_indices)
        launch.error = self.device.pointer(self.device.error_word())
        self.plan_items = max(launch.bins_h, launch.bins_w)  # that a block plans side by side
        self.kept = (boxes, batch_indices)

    def set_levels(self, levels):
        self.launch.levels_of_rois, (self.launch.level_stride,) = pointer_and_strides(levels)
        self.kept += (levels,)

    def set_argmax(self, argmax):
        self.launch.argmax, self.launch.argmax_strides = pointer_and_strides(argmax)

    def limit_planned_bins(self, bytes_per_bin):
        """Plan no more bins of a RoI at once than there is memory for."""
        self.launch.planned_bins = max(1, min(self.bins, _PLAN_BYTES // bytes_per_bin))

    def set_groups(self, rows, columns, bin_major):
        self.launch.group_h, self.launch.group_w, self.launch.bin_major = rows, columns, bin_major

    # What decides between the kernels of a family.

    def is_channels_last(self):
        return all(level.channel_stride == 1 and level.column_stride != 1 for level in self.levels)

    def _pass_levels(self):
        self.launch.levels[: len(self.levels)] = self.levels

    def takes_wide_access(self, plan_bytes=0):
        """Whether a thread's channels can be read and written at once, everywhere, with that much of a plan in shared memory."""
        wide = self.wide
        launch = self.launch
        if launch.group_h or launch.channels % wide or launch.out_strides[1] != 1 or launch.out % 16:
            return False
        if plan_bytes > _SHARED_PREFERRED:
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
            channels * abs(level.channel_stride)
            + level.rows * abs(level.row_stride)
            + level.columns * abs(level.column_stride)
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
        first, channel_bytes, block = _aligned(plan_bytes), (plane | 1) * self.out.itemsize, _STAGED_CHANNELS
        while block > 32 and first + block * channel_bytes > _SHARED_PREFERRED:
            block //= 2
        launch.channel_block, stage = block, first + block * channel_bytes
        return stage if often and short and stage <= _SHARED_BYTES else None

    def pack_maps(self):
        """Replace every level by its channels-last copy. Returns what :meth:`_pack` has to fill these by: (blocks, call)."""
        launch, device, packings = self.launch, self.device, []
        images, channels = launch.images, self._packs(launch.channels) * self.wide
        for i, level in enumerate(self.levels):
            rows, columns = level.rows, level.columns
            row, cells = columns * channels, rows * columns
            copy = device.empty(images * cells * channels, self.maps[0].dtype)
            self.kept += (copy,)
            strides = level.image_stride, level.channel_stride, level.row_stride, level.column_stride
            packing = Launch(channels=launch.channels, source=level.data, source_strides=strides)
            self.levels[i] = packing.levels[0] = Level(
                device.pointer(copy), rows * row, 1, row, channels, rows, columns, level.scale_h, level.scale_w
            )
            packings.append((images * -(-cells // _TILE_SIDE) * -(-channels // _TILE_SIDE), packing))
        self._pass_levels()
        return packings

    def _packs(self, channels):
        """The threads of a wide kernel that so many channels take."""
        return -(-channels // self.wide)

    def _pack(self, packings):
        shared_bytes = _TILE_SIDE * (_TILE_SIDE + 1) * self.item_size
        for blocks, packing in packings:
            self.device.launch(self.reducing, "pack", blocks, self.device.threads, shared_bytes, packing)

    def listing_kernel(self, family):
        """The kernel of a gathering family, as `run` takes it."""
        is_whole = self.launch.planned_bins == self.bins
        staged = self.stage_bytes(0) if is_whole and self.launch.classes == 1 else None
        if staged:
            return Kernel(family + "_staged", staged)
        wide = is_whole and self.launch.classes == 1 and self.takes_wide_access()
        return Kernel(family + ("_wide" if wide else "_direct"))

    def resident_kernel(self, family):
        """The kernel of a family that keeps whole planes in shared memory, or None.

        It reads the whole map once whatever the boxes are, and is for bins that may have any number of cells: maps that are
        large beside their bins, and RoIs enough to be worth reading them.
        """
        launch, device = self.launch, self.device
        cells, columns = max([level.rows * level.columns for level in self.levels]), self.largest_extents[1]
        maps = launch.images * launch.level_count
        is_large = _MANY_CELLS * self.bins <= cells
        is_worth_reading = maps * cells <= _CELLS_READ_FOR_A_BIN * self.count * self.bins
        if launch.group_h or not (is_large and is_worth_reading):
            return None
        plane, line = cells * self.item_size, max(_LINE_BYTES, columns * self.weight_size)
        room, blocks_wanted = device.most_shared_bytes(), 2 * device.multiprocessors()
        # Two blocks of half the warps on a multiprocessor where both fit: one loads while the other pools.
        half = room // 2 - 1024
        channels = (half - _WARPS // 2 * line) // plane
        warps = _WARPS // 2 if channels > 0 else min(_WARPS, (room - _aligned(plane)) // line)
        if warps < _LEAST_WARPS:
            return None
        channels = max(1, min(channels, launch.channels, maps * launch.channels // blocks_wanted))
        groups = maps * -(-launch.channels // channels)
        slices = max(1, min(blocks_wanted // groups, self.count // warps))
        shared_bytes = -(-channels * plane // 16) * 16 + warps * line
        return ResidentKernel(
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
            device.launch(self.reducing, name, launch.count * launch.slices, device.threads, 0, launch)

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
        packs = self._packs(launch.channels) if name == "points_wide" else launch.channels
        threads = min(device.threads, max(64, -(-packs // 32) * 32))
        launch.shared_items = min(cells, (_SHARED_BYTES - _POINT_CHUNK_BYTES) // _TABLE_CELL_BYTES)
        shared_bytes = max(_POINT_CHUNK_BYTES + launch.shared_items * _TABLE_CELL_BYTES, 16 * threads)
        launch.count = self.count
        blocks = min(self.count * self.bins, _MAX_AXIS)
        device.launch(self.reducing, name, blocks, threads, shared_bytes, launch)
        if cells > launch.shared_items:
            launch.scratch_cells = cells
            blocks = max(1, min(blocks, _PLAN_BYTES // (cells * _TABLE_CELL_BYTES)))
            scratch = device.empty(blocks * cells * _TABLE_CELL_BYTES, np.uint8)
            launch.scratch = device.pointer(scratch)
            device.launch(self.reducing, name, blocks, threads, max(_POINT_CHUNK_BYTES, 16 * threads), launch)

    def run(self, plan_name, plan, kernel, resident=None):
        """Plan the RoIs and reduce them by a kernel, or by `resident` where the device finds their bins large.

        `plan` lists (field, bytes per RoI). Either kernel may be None.
        """
        if self.out.size == 0:
            return
        launch, device, levels = self.launch, self.device, list(self.levels)
        if kernel:
            name, threads, packings = self._prepare(kernel)
            if not resident:
                self._pack(packings)
        step = max(
            1, min(self.count, _PLAN_BYTES // sum([size for _, size in plan]), _MAX_AXIS // (launch.slices or 1))
        )
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
            device.launch(self.planning, plan_name, launch.count, plan_threads, plan_threads * 8, launch)
            if resident:
                self._run_resident(resident, by_planes, packings if kernel else None)
            if kernel:
                device.launch(self.reducing, name, launch.count * launch.slices, threads, kernel.shared_bytes, launch)

    def _prepare(self, kernel):
        """Divide the work of a kernel; returns its name, threads a block and what has to be packed for it."""
        launch, name = self.launch, kernel.name
        launch.shared_items = kernel.items
        self._divide_work(kernel.items > 0, name)
        if not name.endswith("_staged"):
            return name, self.device.threads, ()
        packings = self.pack_maps()
        packs = self._packs(min(launch.channel_block, launch.channels))
        threads = _fitting_threads(packs * launch.bins_h * launch.bins_w, self.device.threads)
        return name.removesuffix("_staged") + "_wide", threads, packings

    def _resident_launch(self, resident, levels):
        """A copy of the launch, with the maps as they were given."""
        launch = Launch.from_buffer_copy(self.launch)
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
            device.launch(self.planning, "choose", 1, device.threads, 8 * device.threads, launch)
            by_planes.way, launch.way = _BY_PLANES, _BY_BINS
        blocks = resident.groups * resident.slices
        device.launch(self.reducing, resident.name, blocks, resident.threads, resident.shared_bytes, by_planes)
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
            width = self.wide
        else:
            if self.bins > _MAX_BINS:
                raise OverflowError(
                    f"output_size: {launch.bins_h} x {launch.bins_w} bins; at most 2^31 - 1 here on a GPU"
                )
            launch.planned_bins = min(launch.planned_bins, _MAX_ITEMS // launch.channels)
        outputs, threads = launch.channels // width * launch.planned_bins, self.device.threads
        blocks = self.count * -(-outputs // threads)
        per_thread = max(1, min(blocks // (_BLOCKS_WANTED // 2), _OUTPUTS_PER_THREAD))
        launch.slices = min(-(-outputs // (threads * per_thread)), 1 << 16)


class MaskCall(Call):
    """The same for masks, whose kernels are beside the plans of float64 whatever the elements of masks and result."""

    def __init__(self, arrays, threshold):
        super().__init__(arrays._replace(element=FLOAT64), [(1.0, 1.0)])
        self.reducing = self.planning
        launch = self.launch
        launch.mask_code, launch.out_code, launch.threshold = arrays.element, arrays.result, threshold
        launch.one_image_each = arrays.batch_indices is None

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
            device.launch(self.reducing, "paste_masks", blocks, threads, launch.shared_items * _PASTE_TAP_BYTES, launch)


def _fitting_threads(items, most):
    """Whole warps that share `items` evenly."""
    rounds = -(-items // most)
    return -(-items // (32 * rounds)) * 32


def _aligned(size):
    return -(-size // 256) * 256
