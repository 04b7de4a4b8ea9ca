"""PaddlePaddle's RoI operators (``paddle.vision.ops``) on NumPy arrays.

Verified against paddlepaddle 3.3: see docs/compat.md.  Boxes come without an image index: they are
sorted by image, and `boxes_num` says how many each image has.
"""

import numpy as np

from .. import ops
from . import _boxes

__all__ = ["distribute_fpn_proposals", "psroi_pool", "roi_align", "roi_pool"]


def _inputs(x, boxes, boxes_num):
    """The checked map and boxes, and the image index of every box."""
    features = _boxes.array(x, "x", 4)
    boxes = _boxes.same_dtype(_boxes.columns(boxes, "boxes", 4), features, "boxes", "x")
    counts = _boxes.array(boxes_num, "boxes_num", 1)
    if counts.dtype.kind not in "iu":
        raise TypeError(f"boxes_num: dtype {counts.dtype} is not an integer type")
    if len(counts) != len(features):
        raise ValueError(f"boxes_num: {len(counts)} counts for {len(features)} images")
    if (counts < 0).any() or counts.sum() != len(boxes):
        raise ValueError(f"boxes_num: {counts.tolist()} does not add up to {len(boxes)} boxes")
    return features, boxes, np.repeat(np.arange(len(counts)), counts)


def _rounded_corners(boxes, scale):
    """Paddle's float64 corners: a float64 product with the float32 scale, rounded half away."""
    with np.errstate(over="ignore"):
        return _boxes.rounded_half_away(boxes * np.float64(np.float32(scale)))


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
    return ops.roi_pool(features, boxes, output_size, spatial_scale, rule="fast_rcnn_f32",
                        batch_indices=index)
