"""The functions of ``_core`` for arrays of one GPU: the same arguments, threads and instruction set left unused.

Families of kernels first, what each needs for its plans; then the operators.
"""

import math

import numpy as np

from .call import Call, Kernel, MaskCall
from .launch import MAX_LEVELS
from .runtime import pointer_and_strides, runtime

_MAX_GATHER_SAMPLING = 1 << 10
_KINDS_OF_MAXIMUM = {1: (0, 1, 0), 2: (1, 1, 0), 3: (0, 1, 1), 4: (0, 0, 0)}  # corners, absent_is_zero, from_zero

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
        kernel = Kernel("max_staged", staged)
    elif not with_argmax and call.takes_wide_access():
        kernel = Kernel("max_wide")
    elif resident:
        kernel = None
    elif shared := call.planar_shared_bytes(plan_bytes, call.largest_extents[1], item_bytes):
        kernel = Kernel(prefix + "_planar", *shared)
    else:
        kernel = Kernel(prefix + "_direct")
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
        return Kernel("sum_staged", staged), resident
    if call.takes_wide_access(plan_bytes):
        return Kernel("sum_wide", plan_bytes), resident
    if resident:
        return None, resident
    if shared := call.planar_shared_bytes(plan_bytes + 4 * launch.x_capacity, min(columns, launch.x_capacity), 16):
        return Kernel("sum_planar", *shared), None
    return Kernel("sum_direct"), None


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
    call.run("plan_samples", plan, Kernel("max_samples"))


_TAP_BYTES = 16  # ListedCell, Tap<double>
_FEW_POINTS = 16  # of bins that a thread plans by itself


def _run_lists(call, plan_name, family, lists, y_bytes, x_bytes):
    """A gathering operator: `lists` of at most so many bytes an axis for each bin."""
    launch = call.launch
    per_bin = lists * (y_bytes + x_bytes + 8)
    call.limit_planned_bins(per_bin)
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
    call = Call([features], rois, batch, out, [(scale_h, scale_w)])
    call.launch.rule = rule
    if reduce:
        call.launch.mean = 1
        return _run_sum(call, "range_means")
    if argmax is not None:
        call.set_argmax(argmax)
    return _run_max(call)


def _roi_align(features, rois, batch, out, code, threads, simd, *settings):
    *settings, scale_h, scale_w = settings
    _run_align(Call([features], rois, batch, out, [(scale_h, scale_w)]), *settings)


def _multiscale_roi_align(maps, rois, batch, out, code, threads, simd, levels, scales, *settings):
    if len(maps) > MAX_LEVELS:
        raise ValueError(f"feature_pyramid: {len(maps)} levels; at most {MAX_LEVELS} on a GPU")
    for scale in scales:
        if not (scale > 0 and math.isfinite(scale)):
            raise ValueError(f"spatial_scale: {scale:g}; it must be positive and finite")
    call = Call(maps, rois, batch, out, [(scale, scale) for scale in scales])
    call.set_levels(levels)
    _run_align(call, *settings)


def _ps_roi_pool(
    features, rois, batch, out, code, threads, simd, rule, order, arithmetic, group_h, group_w, scale_h, scale_w
):
    call = Call([features], rois, batch, out, [(scale_h, scale_w)])
    call.set_groups(group_h, group_w, order)
    call.launch.rule, call.launch.arithmetic_is_float, call.launch.mean = rule, arithmetic, 1
    _run_sum(call, "ps_means")


def _ps_roi_align(
    features, rois, batch, out, code, threads, simd,
    coordinates, order, arithmetic, group_h, group_w, sampling_h, sampling_w, scale_h, scale_w,
):  # fmt: skip
    call = Call([features], rois, batch, out, [(scale_h, scale_w)])
    call.set_groups(group_h, group_w, order)
    _run_align(call, coordinates, 0, arithmetic, sampling_h, sampling_w)


def _scaled_operator(precise, features, rois, batch, out, code, threads, simd, scale_h, scale_w):
    call = Call([features], rois, batch, out, [(scale_h, scale_w)])
    _run_sum(call, "precise" if precise else "warp")


def _crop_and_resize(features, rois, batch, out, code, threads, simd, method, extrapolation_value):
    call = Call([features], rois, batch, out, [(1.0, 1.0)])
    call.launch.outside = extrapolation_value
    _run_sum(call, "crop_nearest" if method else "crop")


def _rotated_call(features, rois, batch, out, clockwise, angle_unit, arithmetic, sampling_h, sampling_w, scales):
    _check_gather_sampling(sampling_h, "sampling_ratio")
    _check_gather_sampling(sampling_w, "sampling_ratio")
    call = Call([features], rois, batch, out, [scales], box_numbers=5)
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
    mixing.launch.source, mixing.launch.source_strides = pointer_and_strides(unmixed)
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
    call.launch.offsets, call.launch.offset_strides = pointer_and_strides(offsets)
    call.launch.offsets_are_double = offsets.itemsize == 8
    call.kept += (offsets,)


def _deform_roi_pool(
    features, rois, batch, out, code, threads, simd, offset, offset_code, arithmetic, sampling_h, sampling_w, gamma, *scales
):
    _check_gather_sampling(sampling_h, "sampling_ratio")
    _check_gather_sampling(sampling_w, "sampling_ratio")
    _check_finite(gamma, "gamma")
    call = Call([features], rois, batch, out, [scales])
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
    call = Call([features], rois, batch, out, [scales])
    call.set_groups(group_h, group_w, 0)
    launch = call.launch
    launch.arithmetic_is_float, launch.classes, launch.samples = arithmetic, classes, sample_per_part
    launch.part_h, launch.part_w = part_h, part_w
    _set_offsets(call, trans, trans_std)
    _run_moved(call, "plan_parts", sample_per_part, sample_per_part)


def _paste_masks(masks, rois, out, code, out_code, threads, rule, arithmetic, zeroed, threshold):
    call = MaskCall(masks, rois, None, out, code, out_code, threshold)
    call.launch.rule, call.launch.arithmetic_is_float = rule, arithmetic
    call.paste()


def _crop_masks(
    masks, rois, batch, out, code, out_code, threads, aligned, arithmetic, sampling_h, sampling_w, threshold
):
    call = MaskCall(masks, rois, batch, out, code, out_code, threshold)
    launch = call.launch
    launch.coordinates, launch.arithmetic_is_float = aligned, arithmetic  # asymmetric, half pixel
    launch.sampling_h, launch.sampling_w = sampling_h, sampling_w
    _run_sum(call, "align", Kernel("crop_masks"))


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


class Core:
    """The operators on one device; `after` is called after each of them, on that device."""

    def __init__(self, device_number, after):
        self._device_number, self._after = device_number, after

    def __getattr__(self, name):
        if name not in _OPERATORS:
            raise TypeError(f"{name}: has no GPU implementation; pass NumPy arrays (cupy.asnumpy)")
        operator = _OPERATORS[name]

        def run(*arguments):
            with runtime().on(self._device_number):
                operator(*arguments)
                self._after()

        setattr(self, name, run)
        return run
