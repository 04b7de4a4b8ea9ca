"""Types of `fastroi.ops`; documentation is in the module."""

from collections.abc import Sequence
from typing import Any, Literal, SupportsFloat, SupportsIndex, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ROI_POOL_RULES",
    "crop_and_resize",
    "prroi_pool",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
    "roi_warp",
]

_Layout: TypeAlias = Literal["NCHW", "NHWC"]
_Rois: TypeAlias = ArrayLike | Sequence[ArrayLike]
_Size: TypeAlias = SupportsIndex | tuple[SupportsIndex, SupportsIndex] | Sequence[SupportsIndex]
_Sampling: TypeAlias = _Size
_Scale: TypeAlias = SupportsFloat | tuple[SupportsFloat, SupportsFloat]
_Aligned: TypeAlias = (
    bool
    | Literal[
        "image",
        "least_one",
        "clamp_half_pixel",
        "clamp_output_half_pixel",
        "clamp_asymmetric",
        "clamp_align_corners",
    ]
)
_AlignReduce: TypeAlias = Literal["mean", "max", "max_corners", "max_from_zero", "max_inside"]
_Result: TypeAlias = NDArray[np.floating[Any]]  # float32 or float64, as the features

ROI_POOL_RULES: tuple[str, ...]

@overload
def roi_pool(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    *,
    rule: str = "fast_rcnn",
    reduce: Literal["max", "mean"] = "max",
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    return_argmax: Literal[False] = False,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
@overload
def roi_pool(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    *,
    rule: str = "fast_rcnn",
    reduce: Literal["max", "mean"] = "max",
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    return_argmax: Literal[True],
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> tuple[_Result, NDArray[np.int64]]: ...
@overload
def roi_pool(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    *,
    rule: str = "fast_rcnn",
    reduce: Literal["max", "mean"] = "max",
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    return_argmax: bool,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result | tuple[_Result, NDArray[np.int64]]: ...
def roi_align(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    sampling_ratio: _Sampling = -1,
    aligned: _Aligned = True,
    *,
    reduce: _AlignReduce = "mean",
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
def ps_roi_pool(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    *,
    rule: Literal["rfcn", "openvino", "torchvision", "chainercv"] = "rfcn",
    group_size: _Size | None = None,
    channel_order: Literal["class", "bin"] = "class",
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
def ps_roi_align(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    sampling_ratio: _Sampling = -1,
    *,
    aligned: _Aligned = True,
    group_size: _Size | None = None,
    channel_order: Literal["class", "bin"] = "class",
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
def roi_warp(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    *,
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
def prroi_pool(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    *,
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
def crop_and_resize(
    image: ArrayLike,
    boxes: ArrayLike,
    box_indices: ArrayLike,
    crop_size: _Size,
    method: Literal["bilinear", "nearest"] = "bilinear",
    extrapolation_value: SupportsFloat = 0.0,
    *,
    layout: _Layout = "NHWC",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
