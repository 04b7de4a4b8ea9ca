"""Types of `fastroi.deformable`; documentation is in the module."""

from typing import Any, Literal, SupportsFloat, SupportsIndex

from numpy.typing import ArrayLike, NDArray

from .ops import _Layout, _Result, _Rois, _Sampling, _Scale, _Size

__all__ = ["deform_ps_roi_pool", "deform_roi_pool"]

def deform_roi_pool(
    features: ArrayLike,
    rois: _Rois,
    offset: ArrayLike | None,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    sampling_ratio: _Sampling = -1,
    gamma: SupportsFloat = 0.1,
    *,
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
def deform_ps_roi_pool(
    features: ArrayLike,
    rois: _Rois,
    trans: ArrayLike | None,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    *,
    group_size: _Size | None = None,
    part_size: _Size | None = None,
    sample_per_part: SupportsIndex = 4,
    trans_std: SupportsFloat = 0.1,
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
