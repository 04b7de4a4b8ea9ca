"""Types of the compiled module: thin over fastroi.h, for the modules of this package."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Bytes: TypeAlias = NDArray[np.unsignedinteger[Any]]  # the items of a float array

def axis_points(
    op: int,
    lo: float,
    hi: float,
    scale: float,
    sampling_ratio: int,
    bins: int,
    extent: int,
) -> tuple[tuple[float, float], int, list[tuple[int, float, float]]]: ...
def axis_ranges(
    rule: str,
    lo: float,
    hi: float,
    scale: float,
    bins: int,
    extent: int,
) -> tuple[tuple[float, float], tuple[tuple[int, int], ...]]: ...
def axis_taps(
    op: int,
    lo: float,
    hi: float,
    scale: float,
    sampling_ratio: int,
    bins: int,
    extent: int,
) -> list[tuple[int, int, float]]: ...
def build_info() -> dict[str, str | bool | int]: ...
def crop_and_resize(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    method: int,
    extrapolation_value: float,
) -> None: ...
def crop_masks(
    masks: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    out_dtype: int,
    num_threads: int,
    aligned: bool,
    arithmetic: int,
    sampling_h: int,
    sampling_w: int,
    threshold: float,
) -> None: ...
def default_threads() -> int: ...
def deform_ps_roi_pool(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    trans: _Bytes | None,
    trans_dtype: int,
    arithmetic: int,
    group_h: int,
    group_w: int,
    part_h: int,
    part_w: int,
    sample_per_part: int,
    trans_std: float,
    scale_h: float,
    scale_w: float,
) -> None: ...
def deform_roi_pool(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    offset: _Bytes | None,
    offset_dtype: int,
    arithmetic: int,
    sampling_h: int,
    sampling_w: int,
    gamma: float,
    scale_h: float,
    scale_w: float,
) -> None: ...
def multiscale_roi_align(
    features: list[_Bytes],
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    level_of_roi: NDArray[np.int64],
    scales: NDArray[np.float64],
    coordinates: int,
    reduce: int,
    arithmetic: int,
    sampling_h: int,
    sampling_w: int,
) -> None: ...
def paste_masks(
    masks: _Bytes,
    rois: _Bytes,
    out: _Bytes,
    dtype: int,
    out_dtype: int,
    num_threads: int,
    rule: int,
    arithmetic: int,
    zeroed: bool,
    threshold: float,
) -> None: ...
def ps_roi_align(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    coordinates: int,
    channel_order: int,
    arithmetic: int,
    group_h: int,
    group_w: int,
    sampling_h: int,
    sampling_w: int,
    scale_h: float,
    scale_w: float,
) -> None: ...
def ps_roi_pool(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    rule: int,
    channel_order: int,
    arithmetic: int,
    group_h: int,
    group_w: int,
    scale_h: float,
    scale_w: float,
) -> None: ...
def riroi_align_rotated(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    clockwise: int,
    angle_unit: int,
    arithmetic: int,
    orientations: int,
    sampling_h: int,
    sampling_w: int,
    scale_h: float,
    scale_w: float,
) -> None: ...
def roi_align(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    coordinates: int,
    reduce: int,
    arithmetic: int,
    sampling_h: int,
    sampling_w: int,
    scale_h: float,
    scale_w: float,
) -> None: ...
def roi_align_rotated(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    aligned: int,
    clockwise: int,
    angle_unit: int,
    arithmetic: int,
    sampling_h: int,
    sampling_w: int,
    scale_h: float,
    scale_w: float,
) -> None: ...
def roi_pool(
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    argmax: _Bytes | None,
    rule: int,
    reduce: int,
    scale_h: float,
    scale_w: float,
) -> None: ...
def roi_pool_rules() -> tuple[str, ...]: ...
def scaled_operator(
    precise: bool,
    features: _Bytes,
    rois: _Bytes,
    batch_indices: NDArray[np.int64] | None,
    out: _Bytes,
    dtype: int,
    num_threads: int,
    simd: bytes | None,
    scale_h: float,
    scale_w: float,
) -> None: ...
def simd_activate(name: str) -> None: ...
def simd_active() -> str: ...
def simd_compiled() -> tuple[str, ...]: ...
def simd_supported() -> tuple[str, ...]: ...
