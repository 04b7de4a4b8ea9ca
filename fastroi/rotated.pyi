"""Types of `fastroi.rotated`; documentation is in the module."""

from typing import Any, Literal, SupportsIndex

from numpy.typing import ArrayLike, NDArray

from .ops import _Layout, _Result, _Rois, _Sampling, _Scale, _Size

__all__ = ["riroi_align_rotated", "roi_align_rotated"]

def roi_align_rotated(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    sampling_ratio: _Sampling = -1,
    *,
    angle_unit: Literal["radians", "degrees"] = "radians",
    clockwise: bool = False,
    aligned: bool = True,
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
def riroi_align_rotated(
    features: ArrayLike,
    rois: _Rois,
    output_size: _Size,
    spatial_scale: _Scale = 1.0,
    sampling_ratio: _Sampling = -1,
    *,
    orientations: SupportsIndex = 8,
    angle_unit: Literal["radians", "degrees"] = "radians",
    clockwise: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
