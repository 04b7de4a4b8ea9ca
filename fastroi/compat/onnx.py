"""ONNX's RoI operators as ONNX Runtime computes them, and its contributed CropAndResize.

Verified against onnxruntime 1.32, the ONNX reference evaluator and ONNX's own test vectors: see
docs/compat.md.
"""

import numpy as np

from .. import ops
from . import _boxes

__all__ = ["crop_and_resize", "max_roi_pool", "roi_align"]


def max_roi_pool(X, rois, pooled_shape, spatial_scale=1.0):  # noqa: N803 (ONNX's name)
    """Operator ``MaxRoiPool``: rule ``"fast_rcnn_f32"`` of `fastroi.roi_pool`.

    Parameters
    ----------
    X : ndarray, float32
        (N, C, H, W).
    rois : ndarray, float32
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels; the index is truncated towards zero.
    pooled_shape : (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel.

    Returns
    -------
    ndarray, float32
        (K, C, PH, PW); 0 for an empty bin.

    Raises
    ------
    TypeError
        Maps or boxes that are not float32.
    ValueError
        A box that is not finite or an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import onnx
    >>> X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> onnx.max_roi_pool(X, np.array([[0, 0, 0, 2, 2]], np.float32), (1, 2))
    array([[[[ 9., 10.]]]], dtype=float32)
    """
    features = _boxes.array(X, "X", 4, np.float32)
    rois = _boxes.array(_boxes.columns(rois, "rois", 5), "rois", 2, np.float32)
    boxes, index = _boxes.truncated_index(rois)
    return ops.roi_pool(features, boxes, pooled_shape, spatial_scale, rule="fast_rcnn_f32",
                        batch_indices=index)
