"""PaddlePaddle's RoI operators (``paddle.vision.ops``) on NumPy arrays.

Verified against paddlepaddle 3.3: see docs/compat.md.  Boxes come without an image index: they are
sorted by image, and `boxes_num` says how many each image has.
"""

import numpy as np

from .._checks.numbers import integer
from . import _boxes, _calls
from ._layers import Layer

__all__ = ["PSRoIPool", "RoIAlign", "RoIPool", "distribute_fpn_proposals", "psroi_pool", "roi_align", "roi_pool"]


def _inputs(x, boxes, boxes_num):
    """The checked map and boxes, and the image index of every box."""
    features = _boxes.array(x, "x", 4)
    boxes = _boxes.same_dtype(_boxes.columns(boxes, "boxes", 4), features, "boxes", "x")
    counts = _boxes.array(boxes_num, "boxes_num", 1)
    _check_counts(counts, "boxes_num")
    if len(counts) != len(features):
        raise ValueError(f"boxes_num: {len(counts)} counts for {len(features)} images")
    if (counts < 0).any() or counts.sum() != len(boxes):
        raise ValueError(f"boxes_num: {counts.tolist()} does not add up to {len(boxes)} boxes")
    return features, boxes, np.repeat(np.arange(len(counts)), counts)


def _check_counts(counts, name):
    if counts.dtype.kind not in "iu":
        raise TypeError(f"{name}: dtype {counts.dtype} is not an integer type")


def _c_int(value, name):
    """An integer that Paddle's ``int`` holds."""
    number = integer(value, name)
    if not -(2**31) <= number < 2**31:
        raise OverflowError(f"{name}: {number} does not fit into 32 bits")
    return number


def _rounded_corners(boxes, scale):
    """Paddle's float64 corners: a float64 product with the scale, rounded half away."""
    with np.errstate(over="ignore"):
        return _boxes.rounded_half_away(boxes * np.float64(scale))


@_calls.operator(features="x", rois="boxes", batch_indices="boxes_num")
def roi_pool(x, boxes, boxes_num, output_size, spatial_scale=1.0, name=None):
    """Maximum of each bin: ``paddle.vision.ops.roi_pool``.

    Rule ``"fast_rcnn_f32"`` of `fastroi.roi_pool`.  For a float64 map the corners are computed in
    float64 but the bin edges still in float32.

    Parameters
    ----------
    x : ndarray, float32 or float64
        (N, C, H, W).
    boxes : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, sorted by image, in the dtype of `x`.
    boxes_num : array_like of int
        (N,) number of boxes of each image.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    name : object
        Not used.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `x`; 0 for an empty bin.

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite; counts that do not fit the boxes or the images.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import paddle
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> paddle.roi_pool(x, np.array([[0, 0, 2, 2]], np.float32), [1], 1)
    array([[[[10.]]]], dtype=float32)
    """
    features, boxes, index = _inputs(x, boxes, boxes_num)
    if features.dtype == np.float64:
        boxes, spatial_scale = _rounded_corners(boxes, spatial_scale), 1.0
    return _calls.pool(features, boxes, index, output_size, spatial_scale, "fast_rcnn_f32")


@_calls.operator(features="x", rois="boxes", batch_indices="boxes_num")
def roi_align(x, boxes, boxes_num, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=True, name=None):
    """Mean of bilinear samples: ``paddle.vision.ops.roi_align``.

    Parameters
    ----------
    x : ndarray, float32 or float64
        (N, C, H, W).
    boxes : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, sorted by image, in the dtype of `x`.
    boxes_num : array_like of int
        (N,) number of boxes of each image.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    aligned : bool
        Subtract half a cell from the scaled corners; otherwise boxes are at least one cell.
    name : object
        Not used.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `x`; 0 for a bin without samples (Paddle: NaN).

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite; counts that do not fit the boxes or the images.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import paddle
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> paddle.roi_align(x, np.array([[0, 0, 2, 2]], np.float32), [1], 1, sampling_ratio=2)
    array([[[[2.5]]]], dtype=float32)
    """
    features, boxes, index = _inputs(x, boxes, boxes_num)
    return _calls.align(features, boxes, index, output_size, spatial_scale, sampling_ratio, aligned)


@_calls.operator(features="x", rois="boxes", batch_indices="boxes_num")
def psroi_pool(x, boxes, boxes_num, output_size, spatial_scale=1.0, name=None):
    """Position-sensitive mean of each bin: ``paddle.vision.ops.psroi_pool`` (R-FCN's rule).

    Corners are round(x1) * scale and (round(x2) + 1) * scale, extents at least 0.1, bin edges floor
    and ceil.

    Parameters
    ----------
    x : ndarray, float32 or float64
        (N, C * P * P, H, W), channels in the order class, bin row, bin column.
    boxes : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, sorted by image, in the dtype of `x`.
    boxes_num : array_like of int
        (N,) number of boxes of each image.
    output_size : int
        P.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    name : object
        Not used.

    Returns
    -------
    ndarray
        (K, C, P, P), in the dtype of `x`; 0 for an empty bin.

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite; counts or channels that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import paddle
    >>> x = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> paddle.psroi_pool(x, np.array([[0, 0, 3, 3]], np.float32), [1], 2)[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    features, boxes, index = _inputs(x, boxes, boxes_num)
    return _calls.ps_pool(features, boxes, index, output_size, spatial_scale, "rfcn")


def distribute_fpn_proposals(
    fpn_rois, min_level, max_level, refer_level, refer_scale, pixel_offset=False, rois_num=None, name=None
):
    """Sort boxes by pyramid level: ``paddle.vision.ops.distribute_fpn_proposals``.

    The level of a box is floor(log2(sqrt(area) / refer_scale + 1e-6) + refer_level) in the dtype of
    the boxes, held between `min_level` and `max_level`; a box with a negative side has area 0.

    Parameters
    ----------
    fpn_rois : ndarray, float32 or float64
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, sorted by image.
    min_level, max_level : int
        The lowest and the highest level.
    refer_level : int
        Level of a box whose area is ``refer_scale ** 2``.
    refer_scale : int
        Side of that box, in image pixels.
    pixel_offset : bool
        Add 1 to the sides.
    rois_num : array_like of int, optional
        (N,) number of boxes of each image.
    name : object
        Not used.

    Returns
    -------
    multi_rois : list of ndarray
        The boxes of every level.
    restore_ind : ndarray, int32
        (K, 1) place of each box in the levels joined together.
    rois_num_per_level : list of ndarray, int32, or None
        (N,) boxes per image of every level, if `rois_num` is given.

    Raises
    ------
    TypeError
        A level, a scale or counts that are no integers.
    OverflowError
        A level or a scale beyond 32 bits.
    ValueError
        Levels out of order, a scale that is not positive, a box that is not finite, or counts that do not add up to the
        boxes.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import paddle
    >>> boxes = np.array([[0, 0, 224, 224], [0, 0, 10, 10]], np.float32)
    >>> levels, restore, _ = paddle.distribute_fpn_proposals(boxes, 2, 5, 4, 224)
    >>> [len(level) for level in levels], restore.ravel()
    ([1, 0, 1, 0], array([1, 0], dtype=int32))
    """
    min_level, max_level = _c_int(min_level, "min_level"), _c_int(max_level, "max_level")
    if not min_level <= max_level:
        raise ValueError(f"max_level: {max_level} is below min_level, {min_level}")
    boxes = _boxes.columns(fpn_rois, "fpn_rois", 4)
    _boxes.check_finite(boxes, "fpn_rois")
    refer_level, refer_scale = _c_int(refer_level, "refer_level"), _c_int(refer_scale, "refer_scale")
    if refer_scale < 1:
        raise ValueError(f"refer_scale: {refer_scale} is not positive")
    levels = _levels(boxes, min_level, max_level, refer_level, refer_scale, pixel_offset)
    members = [np.flatnonzero(levels == level) for level in range(min_level, max_level + 1)]
    restore = np.empty((len(boxes), 1), np.int32)
    restore[np.concatenate(members), 0] = np.arange(len(boxes))
    counts = None
    if rois_num is not None:
        rois_num = _boxes.array(rois_num, "rois_num", 1)
        _check_counts(rois_num, "rois_num")
        if (rois_num < 0).any() or rois_num.sum() != len(boxes):
            raise ValueError(f"rois_num: {rois_num.tolist()} does not add up to {len(boxes)} boxes")
        image = np.repeat(np.arange(len(rois_num)), rois_num)
        counts = [np.bincount(image[rows], minlength=len(rois_num)).astype(np.int32) for rows in members]
    return [boxes[rows] for rows in members], restore, counts


def _levels(boxes, lowest, highest, refer_level, refer_scale, pixel_offset):
    """The level of each box, in the arithmetic of the boxes' dtype."""
    real = boxes.dtype.type
    offset = real(1 if pixel_offset else 0)
    with np.errstate(over="ignore"):
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        area = np.where((width < 0) | (height < 0), real(0), (width + offset) * (height + offset))
    level = np.floor(np.log2(np.sqrt(area) / real(refer_scale) + real(1e-6)) + real(refer_level))
    return np.clip(level, lowest, highest)


class RoIPool(Layer):
    """`roi_pool` with fixed settings: ``paddle.vision.ops.RoIPool``.

    Parameters
    ----------
    output_size, spatial_scale
        As in `roi_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import paddle
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> paddle.RoIPool(1)(features, np.array([[0, 0, 2, 2]], np.float32), [1])
    array([[[[10.]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale=1.0):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    def __call__(self, x, boxes, boxes_num, *, out=None, num_threads=None):
        """Pool as `roi_pool` does."""
        return roi_pool(x=x, boxes=boxes, boxes_num=boxes_num, **self._settings, out=out, num_threads=num_threads)


class RoIAlign(Layer):
    """`roi_align` with fixed settings: ``paddle.vision.ops.RoIAlign``.

    Parameters
    ----------
    output_size, spatial_scale
        As in `roi_align`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import paddle
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> paddle.RoIAlign(1)(features, np.array([[0, 0, 2, 2]], np.float32), [1])
    array([[[[2.5]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale=1.0):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    def __call__(self, x, boxes, boxes_num, aligned=True, *, out=None, num_threads=None):
        """Pool as `roi_align` does."""
        return roi_align(
            x=x, boxes=boxes, boxes_num=boxes_num, aligned=aligned, **self._settings, out=out, num_threads=num_threads
        )


class PSRoIPool(Layer):
    """`psroi_pool` with fixed settings: ``paddle.vision.ops.PSRoIPool``.

    Parameters
    ----------
    output_size, spatial_scale
        As in `psroi_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import paddle
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> paddle.PSRoIPool(1)(features, np.array([[0, 0, 2, 2]], np.float32), [1])
    array([[[[5.]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale=1.0):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    def __call__(self, x, boxes, boxes_num, *, out=None, num_threads=None):
        """Pool as `psroi_pool` does."""
        return psroi_pool(x=x, boxes=boxes, boxes_num=boxes_num, **self._settings, out=out, num_threads=num_threads)
