"""Apache MXNet's RoI operators (``mx.nd`` and ``mx.nd.contrib``) on NumPy arrays.

Verified against mxnet 1.9: see docs/compat.md.
"""

import numpy as np

from .. import ops
from . import _boxes

__all__ = ["DeformablePSROIPooling", "PSROIPooling", "ROIAlign", "ROIPooling", "RROIAlign"]


def ROIPooling(data, rois, pooled_size, spatial_scale):  # noqa: N802 (MXNet's name)
    """Maximum of each bin: ``mx.nd.ROIPooling``, rule ``"fast_rcnn_f32"`` of `fastroi.roi_pool`.

    Parameters
    ----------
    data : ndarray, float32
        (N, C, H, W).
    rois : ndarray, float32
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.  A row whose image is not in [0, N) gives
        zeros.
    pooled_size : (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `data`; 0 for an empty bin.

    Raises
    ------
    ValueError
        A box that is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mxnet
    >>> data = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> rois = np.array([[0, 0, 0, 2, 2], [5, 0, 0, 2, 2]], np.float32)
    >>> mxnet.ROIPooling(data, rois, (1, 1), 1.0).ravel()
    array([10.,  0.], dtype=float32)
    """
    features = _boxes.array(data, "data", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    known = (index >= 0) & (index < len(features))
    rule = "fast_rcnn_f32" if features.dtype == np.float32 else "fast_rcnn_f64"
    pooled = ops.roi_pool(features, boxes[known], pooled_size, spatial_scale, rule=rule,
                          batch_indices=index[known])
    if known.all():
        return pooled
    result = np.zeros((len(boxes), *pooled.shape[1:]), pooled.dtype)
    result[known] = pooled
    return result
