"""torchvision's RoI operators (``torchvision.ops``) on NumPy arrays.

Verified against torchvision 0.29: see docs/compat.md.  Maps and boxes must share one dtype, as
torchvision requires; float32 maps are computed with float32 geometry, float64 maps with float64.
"""

import numpy as np

from .. import ops
from . import _boxes

__all__ = [
    "MultiScaleRoIAlign",
    "PSRoIAlign",
    "PSRoIPool",
    "RoIAlign",
    "RoIPool",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
]


def _rows(boxes, features):
    """(K, 5) rows of a (K, 5) array or of one (Li, 4) array per image."""
    if isinstance(boxes, (list, tuple)):
        tables = [_boxes.columns(table, f"boxes[{i}]", 4) for i, table in enumerate(boxes)]
        if not tables:
            return np.empty((0, 5), features.dtype)
        boxes = np.concatenate([_boxes.indexed(table, np.full(len(table), i))
                                for i, table in enumerate(tables)])
    boxes = _boxes.columns(boxes, "boxes", 5)
    return _boxes.same_dtype(boxes, features, "boxes", "input")


def _geometry(features):
    return "float32" if features.dtype == np.float32 else "float64"


def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """Maximum of each bin: ``torchvision.ops.roi_pool``.

    Corners are scaled and rounded half away from zero in the dtype of the map, the box is closed
    (one cell more than the difference), bin edges are floor and ceil of p n / P in that dtype: rules
    ``"fast_rcnn_f32"`` and ``"fast_rcnn_f64"`` of `fastroi.roi_pool`.

    Parameters
    ----------
    input : ndarray, float32 or float64
        (N, C, H, W).
    boxes : ndarray or list of ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels, or one (L, 4) array per image.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`; 0 for an empty bin.

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A box that is not finite or an image index out of range (torchvision reads beyond the map).

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import torchvision
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> boxes = np.array([[0, 0, 0, 2, 2]], dtype=np.float32)
    >>> torchvision.roi_pool(features, boxes, 1)
    array([[[[10.]]]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    rule = "fast_rcnn_f32" if features.dtype == np.float32 else "fast_rcnn_f64"
    return ops.roi_pool(features, _rows(boxes, features), output_size, spatial_scale, rule=rule)
