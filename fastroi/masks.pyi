"""Types of `fastroi.masks`; documentation is in the module."""

from typing import Any, Literal, SupportsFloat, SupportsIndex, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ops import _Sampling, _Size

__all__ = ["crop_masks", "paste_masks"]

_PasteRule: TypeAlias = Literal["detectron2", "detectron2_full", "detectron"]
_Arithmetic: TypeAlias = Literal["float64", "float32"]

@overload
def paste_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    image_size: _Size,
    threshold: None,
    *,
    rule: _PasteRule = "detectron2",
    arithmetic: _Arithmetic = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.floating[Any]]: ...
@overload
def paste_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    image_size: _Size,
    threshold: SupportsFloat = 0.5,
    *,
    rule: _PasteRule = "detectron2",
    arithmetic: _Arithmetic = "float64",
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
    arithmetic: _Arithmetic = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.floating[Any]]: ...
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
    arithmetic: _Arithmetic = "float64",
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.bool_]: ...
