"""TensorRT's RoI plugins on NumPy arrays.

The plugin fields are keyword arguments of the same names.  Checked against the plugins' source only
(they run on a GPU): see docs/compat.md.  ``PyramidROIAlign`` is not here: it clamps its samples to
the map where every other RoIAlign drops them.
"""

import numpy as np

from . import _boxes, _calls

__all__ = ["crop_and_resize", "roi_align"]


def roi_align(X, rois, batch_indices, *, coordinate_transformation_mode=1, mode=1, output_height=1,
              output_width=1, sampling_ratio=0, spatial_scale=1.0):
    """Plugin ``ROIAlign_TRT``: ONNX's RoiAlign with numbers for the modes.

    Parameters
    ----------
    X : ndarray, float32
        (N, C, H, W).
    rois : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels.
    batch_indices : ndarray of int
        (K,) image of each RoI.
    coordinate_transformation_mode : {0, 1}
        1 subtracts half a cell from the scaled corners; 0 widens boxes to one cell.
    mode : {0, 1}
        1: mean; 0: maximum over the four weighted corners of the samples.
    output_height, output_width : int
        PH and PW.
    sampling_ratio : int
        Samples per bin and axis; 0 takes ceil(extent / P).
    spatial_scale : float
        Map cells per image pixel.

    Returns
    -------
    ndarray
        (K, C, PH, PW); 0 for a bin without samples (the plugin: NaN).

    Raises
    ------
    ValueError
        A mode that is not 0 or 1, a box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import tensorrt
    >>> X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> box = np.array([[0, 0, 2, 2]], np.float32)
    >>> tensorrt.roi_align(X, box, np.array([0]), sampling_ratio=2)
    array([[[[2.5]]]], dtype=float32)
    """
    for name, value in (("mode", mode),
                        ("coordinate_transformation_mode", coordinate_transformation_mode)):
        if value not in (0, 1):
            raise ValueError(f"{name}: {value!r} is not 0 or 1")
    features = _boxes.array(X, "X", 4)
    boxes = _boxes.columns(rois, "rois", 4)
    return _calls.align(features, boxes, batch_indices, (output_height, output_width), spatial_scale,
                        sampling_ratio, bool(coordinate_transformation_mode),
                        "mean" if mode else _calls.MAX_OF_CORNERS)


def crop_and_resize(feature_maps, rois, *, crop_height, crop_width):
    """Plugin ``CropAndResize``: TensorFlow's bilinear operator, 0 outside the map.

    Parameters
    ----------
    feature_maps : ndarray, float32
        (N, C, H, W).
    rois : ndarray
        (N, B, 4, 1) ``[y1, x1, y2, x2]`` of every image: 0 is the centre of the first cell, 1 that
        of the last.
    crop_height, crop_width : int
        PH and PW.

    Returns
    -------
    ndarray, float32
        (N, B, C, PH, PW).

    Raises
    ------
    ValueError
        Boxes of another shape, or that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import tensorrt
    >>> maps = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> rois = np.array([0, 0, 1, 1], np.float32).reshape(1, 1, 4, 1)
    >>> tensorrt.crop_and_resize(maps, rois, crop_height=2, crop_width=2)[0, 0, 0]
    array([[ 0.,  3.],
           [12., 15.]], dtype=float32)
    """
    features = _boxes.array(feature_maps, "feature_maps", 4, np.float32)
    rois = _boxes.array(rois, "rois", 4)
    images, count = rois.shape[:2]
    if rois.shape[2:] != (4, 1) or images != len(features):
        raise ValueError(f"rois: shape {rois.shape}; ({len(features)}, B, 4, 1) required")
    boxes = np.asarray(rois, np.float32).reshape(-1, 4)
    pooled = _calls.crop(features, boxes, np.repeat(np.arange(images), count),
                         (crop_height, crop_width), "bilinear", 0.0, exact_end=False)
    return pooled.reshape(images, count, *pooled.shape[1:])
