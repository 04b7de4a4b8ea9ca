"""Masks of instances: from their boxes into the image, and from the image to their boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, overload

import numpy as np

from ._checks.boxes import Boxes, box_table
from ._checks.call import Output, allocated, checked_bytes, checked_result_dtype
from ._checks.names import calling
from ._checks.numbers import output_extents, real_number, sampling, yes_or_no
from ._core import Params
from ._devices import device_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ._types import Arithmetic, Array, Device, PasteRule, Result, Sampling, Size

__all__ = ["crop_masks", "paste_masks"]

_BOOL, _UINT8 = np.dtype(np.bool_), np.dtype(np.uint8)


def _mask_array(masks: ArrayLike, device: Device) -> tuple[Array, Array, int]:
    """(K, 1, h, w) of a dtype that the core reads, and its code."""
    array = device.array(masks, "masks")
    code = device.element_code(_UINT8 if array.dtype == _BOOL else array.dtype)
    if code is None:
        raise TypeError(f"masks: dtype {array.dtype} is not bool, or {device.elements} in native byte order")
    if array.ndim == 4 and array.shape[1] == 1:
        return array, array, code
    if array.ndim != 3:
        raise ValueError(f"masks: shape {array.shape}; (K, h, w) required")
    return array, array[:, None], code


class _MaskCall:
    """Masks, boxes and result of either function, checked against each other."""

    def __init__(
        self,
        masks: ArrayLike,
        boxes: ArrayLike,
        indices: ArrayLike | None,
        extents: tuple[int, int],
        thresholded: bool,
        dtype: DTypeLike | None,
        out: Array | None,
    ) -> None:
        self.device = device_of(masks)
        source, self.masks, self.code = _mask_array(masks, self.device)
        table = box_table(boxes, "boxes", self.device)
        if indices is None and len(table) != len(self.masks):
            raise ValueError(f"masks: {len(self.masks)} of them for {len(table)} boxes")
        self.boxes = Boxes(table, indices, len(self.masks), self.device)
        wanted, self.out_code = self._result_dtype(thresholded, dtype, source.dtype)
        self._make_result(out, extents, wanted, (source, *self.boxes.sources))

    def _result_dtype(
        self, thresholded: bool, dtype: DTypeLike | None, own: np.dtype[Any]
    ) -> tuple[np.dtype[Any], int]:
        if not thresholded:
            wanted, code = checked_result_dtype(dtype, own, self.device)
            if wanted.kind in "iu":
                raise TypeError(f"dtype: {wanted}; the values of a mask are stored as floats")
            return wanted, code
        if dtype is not None:
            raise ValueError(
                f"dtype: {dtype!r}, but under a threshold a result is bool; pass threshold=None for values"
            )
        return _BOOL, checked_result_dtype(_UINT8, own, self.device)[1]

    def _make_result(
        self, out: Array | None, extents: tuple[int, int], dtype: np.dtype[Any], inputs: tuple[Any, ...]
    ) -> None:
        if out is None:
            shape = (len(self.boxes), *extents)
            checked_bytes(shape, dtype, "out")
            self.result = allocated(self.device.blank, shape, dtype, "out")
            self.view = self.result[:, None]
            return
        self.device.check_kind(out, "out")
        if out.ndim != 3:
            raise ValueError(f"out: {out.ndim} dimensions; 3 required")
        self.result = out
        self.view = Output(out[:, None], len(self.boxes), 1, extents, dtype, False, inputs, self.device).view

    def run(self, params: Params, num_threads: SupportsIndex | None) -> Array:
        self.device.run(
            params,
            [self.masks],
            self.code,
            self.boxes.array,
            self.boxes.batch_indices,
            self.view,
            self.out_code,
            num_threads,
        )
        return self.result


def _threshold(value: SupportsFloat | None) -> dict[str, float]:
    return {"threshold": 0.5 if value is None else real_number(value, "threshold")}


@overload
def paste_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    image_size: Size,
    threshold: SupportsFloat = 0.5,
    *,
    rule: PasteRule = "detectron2",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.bool_]: ...


@overload
def paste_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    image_size: Size,
    threshold: None,
    *,
    rule: PasteRule = "detectron2",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result: ...


@calling(rois="boxes", output_size="image_size")
def paste_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    image_size: Size,
    threshold: SupportsFloat | None = 0.5,
    *,
    rule: PasteRule = "detectron2",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.bool_] | Result:
    """Paste the mask of each box into an image of its own.

    Parameters
    ----------
    masks : array_like of bool, floats, or integers of 8 or 16 bits
        (K, h, w) or (K, 1, h, w), usually probabilities of 28 x 28 cells. What a mask of integers may hold: see Notes.
    boxes : array_like
        (K, 4) ``[x1, y1, x2, y2]`` in pixels of the image.
    image_size : (int, int)
        H, W.
    threshold : float or None
        Not negative. None returns the interpolated values.
    rule : str
        ``"detectron2"``: the mask interpolated at pixel centres, zeros around it, >= threshold, no pixel more than one
        beyond the box. ``"detectron2_full"``: the same without that limit, as it does on a GPU. ``"detectron"``: Detectron's
        and torchvision's; the mask padded by a cell of zeros, the box grown in proportion and truncated to whole pixels, its
        last one included, > threshold.
    arithmetic : {"float64", "float32"}
        Type of coordinates. The frameworks use float32.
    out : ndarray, optional
        (K, H, W) of bool, or of the masks' type when threshold is None, to fill.
    num_threads : int, optional
        1 to 1024; default: ``fastroi.get_num_threads()``.

    Returns
    -------
    ndarray
        (K, H, W) bool; or float64 for float64 masks and float32 for others when threshold is None. Scratch memory is that of
        one mask a thread; only the pixels of the boxes are computed.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`; a mask of integers with a cell that is neither 0 nor 1 under a threshold of at most 1.

    Notes
    -----
    Pixel p reads the mask at (p + 0.5 - x1) / (x2 - x1) * w - 0.5. A box without width or height pastes nothing (under
    ``"detectron"`` a line of pixels); a reversed one mirrors, but the pixel limits leave it only what lies within them.
    Masks of integers hold 0 and 1 where the threshold is at most 1, and others are refused: pass ``masks > 0``
    for masks of 0 and 255, ``masks / 255`` for probabilities of 0 to 255, or a threshold in their own unit, as 127.5. With a
    threshold above 1 or None, and in float masks, any number is taken as it is.
    Sources: ``mask_ops.py`` of detectron2; ``roi_heads.py`` of torchvision.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> fastroi.paste_masks(np.ones((1, 2, 2)), [[1, 0, 3, 2]], (3, 4)).astype(int)
    array([[[0, 1, 1, 0],
            [0, 1, 1, 0],
            [0, 0, 0, 0]]])
    """
    params = Params("paste_masks", rule=rule, arithmetic=arithmetic, zeroed=out is None, **_threshold(threshold))
    extents = output_extents(image_size, "image_size")
    return _MaskCall(masks, boxes, None, extents, threshold is not None, dtype, out).run(params, num_threads)


@overload
def crop_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    output_size: Size,
    threshold: SupportsFloat = 0.5,
    *,
    sampling_ratio: Sampling = -1,
    aligned: bool = True,
    mask_indices: ArrayLike | None = None,
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.bool_]: ...


@overload
def crop_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    output_size: Size,
    threshold: None,
    *,
    sampling_ratio: Sampling = -1,
    aligned: bool = True,
    mask_indices: ArrayLike | None = None,
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result: ...


@calling(rois="boxes", batch_indices="mask_indices")
def crop_masks(
    masks: ArrayLike,
    boxes: ArrayLike,
    output_size: Size,
    threshold: SupportsFloat | None = 0.5,
    *,
    sampling_ratio: Sampling = -1,
    aligned: bool = True,
    mask_indices: ArrayLike | None = None,
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> NDArray[np.bool_] | Result:
    """Crop the mask of each instance to its box: what a mask head is trained on.

    The defaults are detectron2's ``BitMasks.crop_and_resize``; torchvision has ``aligned=False``.

    Parameters
    ----------
    masks : array_like of bool, floats, or integers of 8 or 16 bits
        (N, H, W): masks the size of the image. Booleans are read as they are, not copied. What a mask of integers may hold: see
        Notes.
    boxes : array_like
        (K, 4) ``[x1, y1, x2, y2]`` in pixels.
    output_size : int or (int, int)
        Rows and columns of the result.
    threshold : float or None
        Not negative. None returns the averages.
    sampling_ratio, aligned, arithmetic
        As in :func:`roi_align`; ``aligned`` is True or False.
    mask_indices : array_like of int, optional
        (K,) mask of each box; default box k from mask k, K = N.
    out : ndarray, optional
        (K, h, w) of bool, or of the masks' type when threshold is None, to fill.
    num_threads : int, optional
        1 to 1024; default: ``fastroi.get_num_threads()``.

    Returns
    -------
    ndarray
        (K, h, w) bool: RoIAlign at scale 1 is >= threshold; or the averages, float64 for float64 masks and float32 for
        others, when threshold is None.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`; a mask of integers with a cell that is neither 0 nor 1 under a threshold of at most 1.

    Notes
    -----
    Masks of integers hold 0 and 1 where the threshold is at most 1, near the boxes, and others are refused: pass ``masks > 0``
    for masks of 0 and 255, ``masks / 255`` for probabilities of 0 to 255, or a threshold in their own unit, as 127.5. With a
    threshold above 1 or None, and in float masks, any number is taken as it is.
    Sources: ``masks.py`` of detectron2, ``project_masks_on_boxes`` of torchvision.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> masks = np.zeros((1, 4, 4), bool)
    >>> masks[0, :2, :2] = True
    >>> fastroi.crop_masks(masks, [[0, 0, 4, 4]], 2).astype(int)
    array([[[1, 0],
            [0, 0]]])
    """
    params = Params(
        "crop_masks",
        aligned=yes_or_no(aligned, "aligned"),
        arithmetic=arithmetic,
        sampling=sampling(sampling_ratio),
        **_threshold(threshold),
    )
    extents = output_extents(output_size)
    return _MaskCall(masks, boxes, mask_indices, extents, threshold is not None, dtype, out).run(params, num_threads)
