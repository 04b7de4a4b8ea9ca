"""ONNX's RoI operators as ONNX Runtime computes them, and its contributed CropAndResize.

float16 maps are computed in float32 and rounded once: for such a model ONNX Runtime puts casts around its float32 kernels.

Verified against onnxruntime 1.32, the ONNX reference evaluator and ONNX's own test vectors: see
docs/compat.md.
"""

from .._checks.numbers import output_extents
from . import _boxes, _calls

__all__ = ["crop_and_resize", "max_roi_pool", "roi_align"]

_SINGLE_AND_HALF = ("float32", "float16")


@_calls.operator(
    elements=_SINGLE_AND_HALF, features="X", rois="rois", batch_indices="rois[{}, 0]", output_size="pooled_shape"
)
def max_roi_pool(X, rois, pooled_shape, spatial_scale=1.0):
    """Operator ``MaxRoiPool``: rule ``"fast_rcnn_f32"`` of `fastroi.roi_pool`.

    Parameters
    ----------
    X : ndarray, float32 or float16
        (N, C, H, W).
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels, in the dtype of `X`; the index is truncated towards zero.
    pooled_shape : (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `X`; 0 for an empty bin.

    Raises
    ------
    TypeError
        Maps of another dtype, boxes in another than the map.
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
    features = _boxes.array(X, "X", 4)
    rois = _boxes.same_dtype(_boxes.columns(rois, "rois", 5), features, "rois", "X", _SINGLE_AND_HALF)
    boxes, index = _boxes.truncated_index(rois)
    return _calls.pool(features, boxes, index, pooled_shape, spatial_scale, "fast_rcnn_f32")


@_calls.operator(elements=_boxes.FLOATS_AND_HALF, features="X")
def roi_align(
    X,
    rois,
    batch_indices,
    *,
    coordinate_transformation_mode="half_pixel",
    mode="avg",
    output_height=1,
    output_width=1,
    sampling_ratio=0,
    spatial_scale=1.0,
):
    """Operator ``RoiAlign`` (opset 16; opset 10 is ``coordinate_transformation_mode="output_half_pixel"``).

    ``mode="max"`` takes the maximum over the four *weighted* corners of every sample and does not
    interpolate: about a quarter of the value in the middle of four cells.  That is what the ONNX
    reference, ONNX Runtime and TensorRT compute.

    Parameters
    ----------
    X : ndarray, float32, float64 or float16
        (N, C, H, W).
    rois : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, in the dtype of `X`.
    batch_indices : ndarray of int
        (K,) image of each RoI.
    coordinate_transformation_mode : {"half_pixel", "output_half_pixel"}
        Subtract half a cell from the scaled corners, or do not and widen boxes to one cell.
    mode : {"avg", "max"}
        Mean of the samples, or maximum of their weighted corners.
    output_height, output_width : int
        PH and PW.
    sampling_ratio : int
        Samples per bin and axis; 0 takes ceil(extent / P).
    spatial_scale : float
        Map cells per image pixel, rounded to float32.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `X`; 0 for a bin without samples.

    Raises
    ------
    TypeError
        Boxes in another dtype than the map.
    ValueError
        A scale that is not positive, a negative sampling ratio, an unknown mode, a box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import onnx
    >>> X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> box = np.array([[0, 0, 2, 2]], np.float32)
    >>> onnx.roi_align(X, box, np.array([0]), sampling_ratio=2)
    array([[[[2.5]]]], dtype=float32)
    >>> onnx.roi_align(X, box, np.array([0]), sampling_ratio=1, mode="max")
    array([[[[1.25]]]], dtype=float32)
    """
    if mode not in ("avg", "max"):
        raise ValueError(f"mode: {mode!r} is not 'avg' or 'max'")
    if coordinate_transformation_mode not in ("half_pixel", "output_half_pixel"):
        raise ValueError(
            f"coordinate_transformation_mode: {coordinate_transformation_mode!r} is not "
            "'half_pixel' or 'output_half_pixel'"
        )
    _boxes.check_not_negative(sampling_ratio, "sampling_ratio")
    features = _boxes.array(X, "X", 4)
    boxes = _boxes.same_dtype(_boxes.columns(rois, "rois", 4), features, "rois", "X", _boxes.FLOATS_AND_HALF)
    return _calls.align(
        features,
        boxes,
        batch_indices,
        _calls.extents(output_height=output_height, output_width=output_width),
        spatial_scale,
        sampling_ratio,
        coordinate_transformation_mode == "half_pixel",
        "mean" if mode == "avg" else _calls.MAX_OF_CORNERS,
    )


@_calls.operator(
    floats=("extrapolation_value",),
    elements=_SINGLE_AND_HALF,
    features="X",
    output_size="crop_size",
    method="mode",
)
def crop_and_resize(X, rois, batch_indices, crop_size, *, mode="bilinear", extrapolation_value=0.0):
    """ONNX Runtime's contributed ``com.microsoft.CropAndResize``.

    TensorFlow's operator in channels-first order, with one difference: the last sample of an axis
    lies exactly on the end of the box.

    Parameters
    ----------
    X : ndarray, float32 or float16
        (N, C, H, W).
    rois : ndarray
        In the dtype of `X`, (K, 4) ``[y1, x1, y2, x2]``: 0 is the centre of the first cell, 1 that of the last; a flipped
        box mirrors.
    batch_indices : ndarray of int
        (K,) image of each box.
    crop_size : (int, int)
        PH, PW.
    mode : {"bilinear", "nearest"}
        Interpolation; nearest rounds half away from zero.
    extrapolation_value : float
        Value of the samples outside the map.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `X`.

    Raises
    ------
    TypeError
        Maps of another dtype, boxes in another than the map.
    ValueError
        An unknown mode, an index out of range, a box that is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import onnx
    >>> X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> onnx.crop_and_resize(X, np.array([[0, 0, 1, 1]], np.float32), np.array([0]), (2, 2))[0, 0]
    array([[ 0.,  3.],
           [12., 15.]], dtype=float32)
    """
    features = _boxes.array(X, "X", 4)
    boxes = _boxes.same_dtype(_boxes.columns(rois, "rois", 4), features, "rois", "X", _SINGLE_AND_HALF)
    return _calls.crop(
        features,
        boxes,
        batch_indices,
        output_extents(crop_size, "crop_size"),
        mode,
        extrapolation_value,
        exact_end=True,
    )
