"""The operators for arrays of one GPU. The core has judged the arguments before any of these is called.

Families of kernels first, what each needs for its plans; then the operators, whose parameters `p` are those of the core.
"""

import numpy as np

from fastroi._core import OPERATORS

from .call import FLOAT64, Call, Kernel, MaskCall, arithmetic_of
from .launch import MAX_LEVELS
from .runtime import pointer_and_strides, runtime

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
    of_any_size = kind in ("range_means", "precise", "area") or (
        kind == "align" and min(launch.sampling_h, launch.sampling_w) <= 0
    )
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


# --- the operators -------------------------------------------------------------------------------------------------------


def _set(launch, p, *names):
    """Fields of a launch that are called as the parameters are."""
    for name in names:
        setattr(launch, name, p[name])


def _set_sampling(launch, p):
    """0 leaves the points to the size of the bins."""
    launch.sampling_h, launch.sampling_w = max(p["sampling_h"], 0), max(p["sampling_w"], 0)


def _scales(p):
    return [(p["scale_h"], p["scale_w"])]


def _roi_pool(p, arrays):
    call = Call(arrays, _scales(p))
    _set(call.launch, p, "rule")
    if p["reduce"]:
        call.launch.mean = 1
        return _run_sum(call, "range_means")
    if "argmax" in p.arrays:
        call.set_argmax(p.arrays["argmax"][0])
    return _run_max(call)


def _roi_align(p, arrays):
    _run_align(Call(arrays, _scales(p)), p, p["reduce"])


def _multiscale_roi_align(p, arrays):
    if len(arrays.maps) > MAX_LEVELS:
        raise ValueError(f"feature_pyramid: {len(arrays.maps)} levels; at most {MAX_LEVELS} on a GPU")
    vertical = p.arrays["scales"][0]
    horizontal = p.arrays["horizontal_scales"][0] if "horizontal_scales" in p.arrays else vertical
    call = Call(arrays, list(zip(vertical, horizontal, strict=True)))
    call.set_levels(p.arrays["level_of_roi"][0])
    _run_align(call, p, p["reduce"])


def _ps_roi_pool(p, arrays):
    call = Call(arrays, _scales(p))
    call.set_groups(p["group_h"], p["group_w"], p["channel_order"])
    _set(call.launch, p, "rule")
    call.launch.arithmetic_is_float, call.launch.mean = p["arithmetic"], 1
    _run_sum(call, "ps_means")


def _ps_roi_align(p, arrays):
    call = Call(arrays, _scales(p))
    call.set_groups(p["group_h"], p["group_w"], p["channel_order"])
    _run_align(call, p, 0)


def _roi_warp(p, arrays):
    _run_sum(Call(arrays, _scales(p)), "warp")


def _prroi_pool(p, arrays):
    _run_sum(Call(arrays, _scales(p)), "precise")


def _area_pool(p, arrays):
    call = Call(arrays, _scales(p))
    call.launch.rule = p["reduce"]
    _run_sum(call, "area")


def _crop_and_resize(p, arrays):
    call = Call(arrays, [(1.0, 1.0)])
    call.launch.outside, call.launch.rule = p["extrapolation_value"], p["end"]
    _run_sum(call, "crop_nearest" if p["method"] else "crop")


def _rotated_call(p, arrays):
    call = Call(arrays, _scales(p), box_numbers=5)
    call.launch.degrees, call.launch.arithmetic_is_float = p["angle_unit"], p["arithmetic"]
    _set(call.launch, p, "clockwise")
    _set_sampling(call.launch, p)
    return call


def _roi_align_rotated(p, arrays):
    call = _rotated_call(p, arrays)
    _set(call.launch, p, "aligned")
    _run_rotated(call)


def _riroi_align_rotated(p, arrays):
    unmixed = _unmixed(arrays)
    _run_rotated(_rotated_call(p, unmixed))
    mixing = _rotated_call(p, arrays)
    _set(mixing.launch, p, "orientations")
    mixing.launch.source, mixing.launch.source_strides = pointer_and_strides(unmixed.out)
    mixing.run_alone("mix")


def _unmixed(arrays):
    """The same call into memory for what is not yet mixed and rounded, in the result's order of axes: kernels of packed channels
    write it as they would write the result.
    """
    out, arithmetic = arrays.out, arithmetic_of(arrays.element)
    dtype = np.float64 if arithmetic == FLOAT64 else np.float32
    count, channels, rows, columns = out.shape
    if out.strides[1] == out.itemsize:
        unmixed = runtime().empty((count, rows, columns, channels), dtype).transpose(0, 3, 1, 2)
    else:
        unmixed = runtime().empty(out.shape, dtype)
    return arrays._replace(out=unmixed, result=arithmetic)


def _set_offsets(call, p, name, movement):
    """Offsets of moved bins."""
    call.launch.movement = movement
    if name not in p.arrays:
        return
    offsets = p.arrays[name][0]
    call.launch.offsets, call.launch.offset_strides = pointer_and_strides(offsets)
    call.launch.offsets_are_double = offsets.itemsize == 8
    call.kept += (offsets,)


def _deform_roi_pool(p, arrays):
    call = Call(arrays, _scales(p))
    launch = call.launch
    launch.arithmetic_is_float = p["arithmetic"]
    _set_sampling(launch, p)
    launch.part_h, launch.part_w = launch.bins_h, launch.bins_w
    _set_offsets(call, p, "offset", p["gamma"])
    _run_moved(call, "plan_moved", launch.sampling_h, launch.sampling_w)


def _deform_ps_roi_pool(p, arrays):
    call = Call(arrays, _scales(p))
    call.set_groups(p["group_h"], p["group_w"], 0)
    launch = call.launch
    launch.arithmetic_is_float, launch.samples = p["arithmetic"], p["sample_per_part"]
    launch.classes = p.arrays["trans"][0].shape[1] // 2 if "trans" in p.arrays else 1
    _set(launch, p, "part_h", "part_w")
    _set_offsets(call, p, "trans", p["trans_std"])
    _run_moved(call, "plan_parts", launch.samples, launch.samples)


def _paste_masks(p, arrays):
    call = MaskCall(arrays, p["threshold"])
    call.launch.arithmetic_is_float = p["arithmetic"]
    _set(call.launch, p, "rule")
    call.paste()


def _crop_masks(p, arrays):
    _run_align(MaskCall(arrays, p["threshold"]), p, 0, Kernel("crop_masks"))


def _run_align(call, p, reduce, kernel=None):
    """`reduce`: a fastroi_align_reduce. `kernel`: of a mean, in place of the one that would be chosen."""
    launch = call.launch
    launch.arithmetic_is_float = p["arithmetic"]
    _set(launch, p, "aligned")
    _set_sampling(launch, p)
    if reduce == 0:
        return _run_sum(call, "align", kernel)
    launch.corners, launch.absent_is_zero, launch.from_zero = _KINDS_OF_MAXIMUM[reduce]
    _run_samples(call)


_OPERATORS = {
    name.removeprefix("_"): function
    for name, function in list(globals().items())
    if name.removeprefix("_") in OPERATORS
}


def run(params, arrays):
    """Run an operator on the current device."""
    name = params.operator.name
    if name not in _OPERATORS:
        raise TypeError(f"{name}: has no GPU implementation; pass NumPy arrays (cupy.asnumpy)")
    _OPERATORS[name](params, arrays)
