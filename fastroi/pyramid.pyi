"""Types of `fastroi.pyramid`; documentation is in the module."""

from collections.abc import Sequence
from typing import Any, Literal, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ops import _Aligned, _AlignReduce, _Layout, _Result, _Rois, _Sampling, _Size

__all__ = ["FPN_LEVEL_RULES", "fpn_levels", "multiscale_roi_align"]

FPN_LEVEL_RULES: tuple[str, ...]

def fpn_levels(
    boxes: ArrayLike,
    min_level: int,
    max_level: int,
    *,
    rule: str = "torchvision",
    canonical_level: float = 4,
    canonical_size: SupportsFloat = 224.0,
) -> NDArray[np.int64]: ...
def multiscale_roi_align(
    feature_pyramid: Sequence[ArrayLike],
    rois: _Rois,
    output_size: _Size,
    scales: Sequence[SupportsFloat],
    sampling_ratio: _Sampling = -1,
    aligned: _Aligned = True,
    *,
    levels: ArrayLike | None = None,
    level_rule: str = "torchvision",
    canonical_level: float = 4,
    canonical_size: SupportsFloat = 224.0,
    reduce: _AlignReduce = "mean",
    batch_indices: ArrayLike | None = None,
    layout: _Layout = "NCHW",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
