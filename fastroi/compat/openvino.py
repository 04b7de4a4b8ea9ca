"""OpenVINO's RoI operations as its CPU plugin computes them in float32.

The names and arguments are those of the Python operation sets (``openvino.opset15``), with arrays
in place of nodes.  Verified against openvino 2026.4: see docs/compat.md.
"""

import numpy as np

from .. import ops
from . import _boxes

__all__ = [
    "deformable_psroi_pooling",
    "experimental_detectron_roi_feature_extractor",
    "psroi_pooling",
    "roi_align",
    "roi_align_rotated",
    "roi_pooling",
]


def _before_end_marker(coords):
    """How many rows precede the first whose image index is -1, which ends the list."""
    ends = np.flatnonzero(coords[:, 0] == -1)
    return int(ends[0]) if len(ends) else len(coords)


def _padded(result, count):
    """`result` followed by zeros up to `count` rows."""
    if len(result) == count:
        return result
    padded = np.zeros((count, *result.shape[1:]), result.dtype)
    padded[: len(result)] = result
    return padded


def roi_pooling(input, coords, output_roi, spatial_scale, method="max"):
    """Operation ``ROIPooling``: maximum of each bin, or one bilinear sample per bin.

    With ``method="max"`` the corners are scaled in float32 and rounded half away from zero; the bin
    edges are exact integers (rule ``"fast_rcnn"`` of `fastroi.roi_pool`).  With
    ``method="bilinear"`` the boxes are fractions of the map in [0, 1], `spatial_scale` is not used,
    and the samples are those of crop_and_resize with the last one exactly on the box's end.

    Parameters
    ----------
    input : ndarray, float32
        (N, C, H, W).
    coords : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]``, in image pixels, or in [0, 1] for bilinear.  A row whose
        image is -1 ends the list: it and all later rows give zeros.
    output_roi : (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel.
    method : {"max", "bilinear"}
        How a bin is computed.

    Returns
    -------
    ndarray
        (K, C, PH, PW); 0 for an empty bin and for a sample outside the map.

    Raises
    ------
    ValueError
        A box that is not finite, an image index out of range other than -1, an unknown method.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import openvino
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> coords = np.array([[0, 0, 0, 2, 2], [-1, 0, 0, 3, 3]], np.float32)
    >>> openvino.roi_pooling(features, coords, (1, 1), 1.0).ravel()
    array([10.,  0.], dtype=float32)
    """
    if method not in ("max", "bilinear"):
        raise ValueError(f"method: {method!r} is not 'max' or 'bilinear'")
    features = _boxes.array(input, "input", 4)
    coords = _boxes.columns(coords, "coords", 5)
    listed = _before_end_marker(coords)
    boxes, index = _boxes.truncated_index(coords[:listed])
    if method == "max":
        result = ops.roi_pool(features, _boxes.scaled_float32(boxes, spatial_scale), output_roi,
                              rule="fast_rcnn", batch_indices=index)
    else:
        result = _bilinear_pooling(features, boxes, index, output_roi)
    return _padded(result, len(coords))
