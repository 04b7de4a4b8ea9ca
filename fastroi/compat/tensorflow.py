"""TensorFlow's ``tf.image.crop_and_resize`` on NumPy arrays.

Verified against tensorflow-cpu 2.21: see docs/compat.md.
"""

from .._checks.numbers import output_extents
from . import _boxes, _calls

__all__ = ["crop_and_resize"]

_ELEMENTS = ("uint8", "uint16", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


@_calls.operator(
    elements=_ELEMENTS, features="image", rois="boxes", batch_indices="box_indices", output_size="crop_size"
)
def crop_and_resize(image, boxes, box_indices, crop_size, method="bilinear", extrapolation_value=0.0, name=None):
    """Samples of a regular grid from corner to corner of each box.

    Sample i of n on an axis lies at y1 (H - 1) + i (y2 - y1) (H - 1) / (n - 1), in float32; a single
    one at the middle.  The last sample may exceed H - 1 by a rounding error and is then
    extrapolated, as in TensorFlow.

    Parameters
    ----------
    image : ndarray
        (N, H, W, C), float16, float32, float64 or integers: int8 to int64, uint8, uint16. The result is float32 all the same.
    boxes : ndarray
        (K, 4) ``[y1, x1, y2, x2]``, taken as float32: 0 is the centre of the first cell, 1 that of
        the last; a flipped box mirrors.
    box_indices : ndarray of int
        (K,) image of each box.
    crop_size : (int, int)
        PH, PW.
    method : {"bilinear", "nearest"}
        Interpolation; nearest rounds half away from zero.
    extrapolation_value : float
        Value of the samples outside the map.
    name : object
        Not used.

    Returns
    -------
    ndarray, float32
        (K, PH, PW, C).

    Raises
    ------
    TypeError
        An image of another dtype.
    ValueError
        A box that is not finite, an index out of range, a size that is not positive, an unknown
        method.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import tensorflow
    >>> image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    >>> tensorflow.crop_and_resize(image, [[0, 0, 0.5, 0.5]], [0], (2, 2))[0, :, :, 0]
    array([[0. , 1.5],
           [6. , 7.5]], dtype=float32)
    """
    features = _boxes.array(image, "image", 4)
    _boxes.check_elements(features, "image", _ELEMENTS)
    boxes = _boxes.in_float32(_boxes.columns(boxes, "boxes", 4), "boxes")
    return _calls.crop(
        features if features.dtype.itemsize <= 2 else _boxes.narrowed(features),
        boxes,
        box_indices,
        output_extents(crop_size, "crop_size"),
        method,
        extrapolation_value,
        exact_end=False,
        layout="NHWC",
        dtype=_boxes.FLOAT32,
    )
