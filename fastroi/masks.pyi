"""Types of `fastroi.masks`; documentation is in the module."""

from typing import Any, Literal, SupportsFloat, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ops import _Result, _Sampling, _Size

__all__ = ["crop_masks", "paste_masks"]

@overload
def paste_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    image_size: _Size,
    threshold: SupportsFloat = 0.5,
    *,
    rule: Literal["detectron2", "detectron2_full", "detectron"] = "detectron2",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.bool_]: ...
@overload
def paste_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    image_size: _Size,
    threshold: None,
    *,
    rule: Literal["detectron2", "detectron2_full", "detectron"] = "detectron2",
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
@overload
def crop_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    output_size: _Size,
    threshold: SupportsFloat = 0.5,
    *,
    sampling_ratio: _Sampling = -1,
    aligned: bool = True,
    mask_indices: ArrayLike | None = None,
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.bool_]: ...
@overload
def crop_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    output_size: _Size,
    threshold: None,
    *,
    sampling_ratio: _Sampling = -1,
    aligned: bool = True,
    mask_indices: ArrayLike | None = None,
    arithmetic: Literal["float64", "float32"] = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> _Result: ...
