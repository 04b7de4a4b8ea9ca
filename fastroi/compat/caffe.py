"""The RoI layers of Caffe's forks (Fast R-CNN, R-FCN, MNC) on NumPy arrays.

The layer parameters are keyword arguments of the same names.  Checked against the layers' source
only: see docs/compat.md.
"""

from .. import ops
from . import _boxes

__all__ = ["psroi_pooling", "roi_pooling", "roi_warping"]


def roi_pooling(bottom_data, bottom_rois, *, pooled_h, pooled_w, spatial_scale=1.0):
    """Layer ``ROIPooling`` of Fast R-CNN: rule ``"fast_rcnn_f32"`` of `fastroi.roi_pool`.

    Parameters
    ----------
    bottom_data : ndarray, float32
        (N, C, H, W).
    bottom_rois : ndarray, float32
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    pooled_h, pooled_w : int
        PH and PW.
    spatial_scale : float
        Map cells per image pixel.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `bottom_data`; 0 for an empty bin.

    Raises
    ------
    ValueError
        A box that is not finite or an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import caffe
    >>> data = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> rois = np.array([[0, 0, 0, 2, 2]], np.float32)
    >>> caffe.roi_pooling(data, rois, pooled_h=1, pooled_w=1)
    array([[[[10.]]]], dtype=float32)
    """
    features = _boxes.array(bottom_data, "bottom_data", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(bottom_rois, "bottom_rois", 5))
    return ops.roi_pool(features, boxes, (pooled_h, pooled_w), spatial_scale,
                        rule="fast_rcnn_f32", batch_indices=index)
