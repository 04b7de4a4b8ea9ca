"""The RoI layers of Caffe's forks (Fast R-CNN, R-FCN, MNC) on NumPy arrays.

The layer parameters are keyword arguments of the same names.  Checked against the layers' source
only: see docs/compat.md.
"""

from .. import ops
from . import _boxes, _calls

__all__ = ["psroi_pooling", "roi_pooling", "roi_warping"]


@_calls.operator(features="bottom_data", rois="bottom_rois", batch_indices="bottom_rois[{}, 0]")
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
        Map cells per image pixel, rounded to float32.

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
    boxes, index = _boxes.truncated_index(_boxes.columns(bottom_rois, "bottom_rois", 5), "bottom_rois")
    size = _calls.extents(pooled_h=pooled_h, pooled_w=pooled_w)
    return _calls.pool(features, boxes, index, size, spatial_scale, "fast_rcnn_f32")


@_calls.operator(
    features="bottom_data", rois="bottom_rois", batch_indices="bottom_rois[{}, 0]", output_size="group_size"
)
def psroi_pooling(bottom_data, bottom_rois, *, spatial_scale, output_dim, group_size):
    """Layer ``PSROIPooling`` of R-FCN: position-sensitive mean of each bin.

    Corners are round(x1) * scale and (round(x2) + 1) * scale, extents at least 0.1, bin edges floor
    and ceil.

    Parameters
    ----------
    bottom_data : ndarray, float32
        (N, output_dim * group_size ** 2, H, W), channels in the order class, bin row, bin column.
    bottom_rois : ndarray, float32
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    output_dim : int
        Classes C of the result.
    group_size : int
        P, bins per side.

    Returns
    -------
    ndarray
        (K, C, P, P), in the dtype of `bottom_data`; 0 for an empty bin.

    Raises
    ------
    ValueError
        A box that is not finite, an index out of range, channels that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import caffe
    >>> data = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> rois = np.array([[0, 0, 0, 3, 3]], np.float32)
    >>> caffe.psroi_pooling(data, rois, spatial_scale=1.0, output_dim=1, group_size=2)[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    features = _boxes.array(bottom_data, "bottom_data", 4)
    _boxes.check_channels(features, "bottom_data", output_dim=output_dim, group_size=group_size)
    boxes, index = _boxes.truncated_index(_boxes.columns(bottom_rois, "bottom_rois", 5), "bottom_rois")
    return _calls.ps_pool(features, boxes, index, group_size, spatial_scale, "rfcn")


@_calls.operator(features="bottom_data", rois="bottom_rois", batch_indices="bottom_rois[{}, 0]")
def roi_warping(bottom_data, bottom_rois, *, pooled_h, pooled_w, spatial_scale=1.0):
    """Layer ``ROIWarping`` of MNC: one bilinear sample at the start corner of each bin.

    Parameters
    ----------
    bottom_data : ndarray, float32
        (N, C, H, W).
    bottom_rois : ndarray, float32
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    pooled_h, pooled_w : int
        PH and PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `bottom_data`; 0 for a sample outside the map.

    Raises
    ------
    ValueError
        A box that is not finite or an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import caffe
    >>> data = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> rois = np.array([[0, 0, 0, 3, 3]], np.float32)
    >>> caffe.roi_warping(data, rois, pooled_h=2, pooled_w=2)[0, 0]
    array([[0. , 1.5],
           [6. , 7.5]], dtype=float32)
    """
    features = _boxes.array(bottom_data, "bottom_data", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(bottom_rois, "bottom_rois", 5), "bottom_rois")
    size = _calls.extents(pooled_h=pooled_h, pooled_w=pooled_w)
    return _calls.native(ops.roi_warp, features, boxes, size, spatial_scale, batch_indices=index)
