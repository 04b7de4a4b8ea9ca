"""Masks of instances: from their boxes into the image, and from the image to their boxes."""

import numpy as np

from . import _core
from ._arguments import (
    Boxes,
    Output,
    checked_choice,
    gpu_of,
    output_extents,
    plain_array,
    real_number,
    sampling,
    unsigned,
    yes_or_no,
)
from ._threads import resolve_num_threads
from .ops import _ARITHMETIC_CODES

__all__ = ["crop_masks", "paste_masks"]

_PASTE_RULE_CODES = {"detectron2": 0, "detectron2_full": 1, "detectron": 2}
_MASK_CODES = {np.dtype(np.bool_): 7, np.dtype(np.uint8): 7, np.dtype(np.float32): 0, np.dtype(np.float64): 1}
_BOOL, _FLOAT32, _FLOAT64 = np.dtype(np.bool_), np.dtype(np.float32), np.dtype(np.float64)


def _mask_array(masks, gpu):
    """(K, 1, h, w) of a dtype that the core reads, and its code."""
    array = plain_array(masks, "masks", gpu)
    if array.dtype not in _MASK_CODES:
        raise TypeError(f"masks: dtype {array.dtype} is not bool, uint8, float32 or float64 in native byte order")
    if array.ndim == 4 and array.shape[1] == 1:
        return array, array, _MASK_CODES[array.dtype]
    if array.ndim != 3:
        raise ValueError(f"masks: shape {array.shape}; (K, h, w) required")
    return array, array[:, None], _MASK_CODES[array.dtype]


class _MaskCall:
    """Masks, boxes, threshold and result of either function, checked against each other."""

    def __init__(self, masks, boxes, indices, extents, threshold, out, gpu):
        source, self.masks, self.code = _mask_array(masks, gpu)
        self.core = _core if gpu is None else gpu.core
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes: shape {boxes.shape}; (K, 4) required")
        self.boxes = Boxes(boxes, indices, len(self.masks), gpu=gpu)
        self.threshold = 0.5 if threshold is None else real_number(threshold, "threshold")
        values = _FLOAT64 if source.dtype == _FLOAT64 else _FLOAT32
        dtype = values if threshold is None else _BOOL
        self.out_code = _MASK_CODES[dtype]
        self.zeroed = out is None
        if out is None:
            shape = (len(self.boxes), *extents)
            self.result = np.zeros(shape, dtype) if gpu is None else gpu.empty(shape, dtype)
            view = self.result[:, None]
        else:
            if gpu is not None:
                gpu.check_kind(out, "out")
            elif not isinstance(out, np.ndarray):
                raise TypeError(f"out: {type(out).__name__} is not an ndarray")
            if out.ndim != 3:
                raise ValueError(f"out: {out.ndim} dimensions; 3 required")
            inputs = (source, *self.boxes.sources)
            view = Output(out[:, None], len(self.boxes), 1, extents, dtype, False, inputs, gpu=gpu).view
            self.result = out
        self.view = unsigned(view)


def paste_masks(
    masks,
    boxes,
    image_size,
    threshold=0.5,
    *,
    rule="detectron2",
    arithmetic="float64",
    out=None,
    num_threads=None,
):
    """Paste the mask of each box into an image of its own.

    Parameters
    ----------
    masks : array_like of bool, uint8, float32 or float64
        (K, h, w) or (K, 1, h, w), usually probabilities of 28 x 28 cells.
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
        Default: ``fastroi.get_num_threads()``.

    Returns
    -------
    ndarray
        (K, H, W) bool; or float64 for float64 masks and float32 for others when threshold is None. Scratch memory is that of
        one mask a thread; only the pixels of the boxes are computed.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    Pixel p reads the mask at (p + 0.5 - x1) / (x2 - x1) * w - 0.5. A box without width or height pastes nothing (under
    ``"detectron"`` a line of pixels); a reversed one mirrors, but the pixel limits leave it only what lies within them.
    Sources: ``mask_ops.py`` of detectron2; ``roi_heads.py`` of torchvision.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> fastroi.paste_masks(np.ones((1, 2, 2)), [[1, 0, 3, 2]], (3, 4)).astype(int)
    array([[[0, 1, 1, 0],
            [0, 1, 1, 0],
            [0, 0, 0, 0]]])
    """
    codes = (
        _PASTE_RULE_CODES[checked_choice(rule, _PASTE_RULE_CODES, "rule")],
        _ARITHMETIC_CODES[checked_choice(arithmetic, _ARITHMETIC_CODES, "arithmetic")],
    )
    extents = output_extents(image_size, "image_size")
    gpu = gpu_of(masks)
    call = _MaskCall(masks, plain_array(boxes, "boxes", gpu), None, extents, threshold, out, gpu)
    if len(call.masks) != len(call.boxes):
        raise ValueError(f"masks: {len(call.masks)} of them for {len(call.boxes)} boxes")
    call.core.paste_masks(
        unsigned(call.masks),
        unsigned(call.boxes.array),
        call.view,
        call.code,
        call.out_code,
        resolve_num_threads(num_threads),
        *codes,
        call.zeroed,
        call.threshold,
    )
    return call.result


def crop_masks(
    masks,
    boxes,
    output_size,
    threshold=0.5,
    *,
    sampling_ratio=-1,
    aligned=True,
    mask_indices=None,
    arithmetic="float64",
    out=None,
    num_threads=None,
):
    """Crop the mask of each instance to its box: what a mask head is trained on.

    The defaults are detectron2's ``BitMasks.crop_and_resize``; torchvision has ``aligned=False``.

    Parameters
    ----------
    masks : array_like of bool, uint8, float32 or float64
        (N, H, W): masks the size of the image. Booleans are read as they are, not copied.
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
        Default: ``fastroi.get_num_threads()``.

    Returns
    -------
    ndarray
        (K, h, w) bool: RoIAlign at scale 1 is >= threshold; or the averages, float64 for float64 masks and float32 for
        others, when threshold is None.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
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
    settings = (
        yes_or_no(aligned, "aligned"),
        _ARITHMETIC_CODES[checked_choice(arithmetic, _ARITHMETIC_CODES, "arithmetic")],
        *sampling(sampling_ratio),
    )
    extents = output_extents(output_size)
    gpu = gpu_of(masks)
    table = plain_array(boxes, "boxes", gpu)
    if mask_indices is None:
        count = plain_array(masks, "masks", gpu).shape[:1]
        if table.shape[:1] != count:
            raise ValueError(f"boxes: shape {table.shape} for masks of shape {np.shape(masks)}; pass mask_indices")
        mask_indices = np.arange(len(table)) if gpu is None else None
    call = _MaskCall(masks, table, mask_indices, extents, threshold, out, gpu)
    call.core.crop_masks(
        unsigned(call.masks),
        unsigned(call.boxes.array),
        call.boxes.batch_indices,
        call.view,
        call.code,
        call.out_code,
        resolve_num_threads(num_threads),
        *settings,
        call.threshold,
    )
    return call.result
