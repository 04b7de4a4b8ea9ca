"""mmcv's RoI operators (``mmcv.ops``) on NumPy arrays.

Checked against the package: its CPU code, and the CUDA kernels compiled as C++ where it has none. See
docs/compat.md.
"""

import numpy as np

from .. import ops
from . import _boxes, _calls

__all__ = [
    "deform_roi_pool",
    "prroi_pool",
    "riroi_align_rotated",
    "roi_align",
    "roi_align_rotated",
    "roi_pool",
]


def roi_pool(input, rois, output_size, spatial_scale=1.0):
    """Maximum of each bin: ``mmcv.ops.roi_pool``, rule ``"mmcv"`` of `fastroi.roi_pool`.

    Another operator than Caffe's: corners are not rounded, and x2 becomes (x2 + 1) * scale.

    Parameters
    ----------
    input : ndarray, float32
        (N, C, H, W).
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`; 0 for an empty bin and for a box reversed on an axis.

    Raises
    ------
    ValueError
        A box that is not finite or an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.roi_pool(features, np.array([[0, 0, 0, 2, 2]], np.float32), 1)
    array([[[[10.]]]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    return ops.roi_pool(features, boxes, output_size, _boxes.c_float(spatial_scale), rule="mmcv", batch_indices=index)


def roi_align(input, rois, output_size, spatial_scale=1.0, sampling_ratio=0, pool_mode="avg", aligned=True):
    """Mean or maximum of bilinear samples: ``mmcv.ops.roi_align``.

    Parameters
    ----------
    input : ndarray, float32 or float64
        (N, C, H, W).
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    pool_mode : {"avg", "max"}
        Mean, or maximum of the interpolated samples; a sample outside [-1, L] counts as 0.
    aligned : bool
        Subtract half a cell from the scaled corners; otherwise boxes are at least one cell.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`; 0 for a bin without samples.

    Raises
    ------
    ValueError
        An unknown mode, a box that is not finite, an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> box = np.array([[0, 0, 0, 2, 2]], np.float32)
    >>> mmcv.roi_align(features, box, 1, sampling_ratio=2, pool_mode="max")
    array([[[[5.]]]], dtype=float32)
    """
    if pool_mode not in ("avg", "max"):
        raise ValueError(f"pool_mode: {pool_mode!r} is not 'avg' or 'max'")
    features = _boxes.array(input, "input", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    return _calls.align(
        features,
        boxes,
        index,
        output_size,
        _boxes.c_float(spatial_scale),
        sampling_ratio,
        aligned,
        "mean" if pool_mode == "avg" else "max",
    )


def roi_align_rotated(input, rois, output_size, spatial_scale, sampling_ratio=0, aligned=True, clockwise=False):
    """Mean of bilinear samples of a turned grid: ``mmcv.ops.roi_align_rotated``.

    Parameters
    ----------
    input : ndarray, float32 or float64
        (N, C, H, W).
    rois : ndarray
        (K, 6) ``[image, centre x, centre y, width, height, angle]``, image pixels and radians.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    aligned : bool
        Subtract half a cell from the scaled centre; otherwise boxes are at least one cell.
    clockwise : bool
        A positive angle turns clockwise on the screen.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`.

    Raises
    ------
    ValueError
        A box that is not finite or an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.roi_align_rotated(features, np.array([[0, 2, 2, 2, 2, 0]], np.float32), 1, 1.0, 2)
    array([[[[7.5]]]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 6))
    return _calls.turned(
        features,
        boxes,
        index,
        output_size,
        _boxes.c_float(spatial_scale),
        sampling_ratio,
        aligned=aligned,
        clockwise=clockwise,
        degrees=False,
    )


def riroi_align_rotated(features, rois, out_size, spatial_scale, num_samples=0, num_orientations=8, clockwise=False):
    """Rotation-invariant RoIAlign of ReDet: ``mmcv.ops.riroi_align_rotated``.

    Parameters
    ----------
    features : ndarray, float32
        (N, C * num_orientations, H, W), orientations innermost.
    rois : ndarray
        (K, 6) ``[image, centre x, centre y, width, height, angle]``, image pixels and radians.
    out_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    num_samples : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    num_orientations : int
        Orientation channels that turn with the angle.
    clockwise : bool
        A positive angle turns clockwise on the screen.

    Returns
    -------
    ndarray
        (K, C * num_orientations, PH, PW), in the dtype of `features`.

    Raises
    ------
    ValueError
        Channels no multiple of `num_orientations`, a box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.ones((1, 8, 4, 4), np.float32)
    >>> mmcv.riroi_align_rotated(features, np.array([[0, 2, 2, 2, 2, 0]], np.float32), 1, 1.0).shape
    (1, 8, 1, 1)
    """
    features = _boxes.array(features, "features", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 6))
    return _calls.turned_with_orientations(
        features, boxes, index, out_size, _boxes.c_float(spatial_scale), num_samples, num_orientations, clockwise
    )


def prroi_pool(features, rois, output_size, spatial_scale=1.0):
    """Exact mean of the bilinear surface: ``mmcv.ops.prroi_pool``.

    Parameters
    ----------
    features : ndarray, float32 or float64
        (N, C, H, W); the surface fades to 0 over one cell outside the map.
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `features`; 0 for a box without area.

    Raises
    ------
    ValueError
        A box that is not finite or an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.prroi_pool(features, np.array([[0, 0, 0, 2, 2]], np.float32), 1)
    array([[[[5.]]]], dtype=float32)
    """
    features = _boxes.array(features, "features", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    return ops.prroi_pool(features, boxes, output_size, _boxes.c_float(spatial_scale), batch_indices=index)


def deform_roi_pool(input, rois, offset=None, output_size=None, spatial_scale=1.0, sampling_ratio=0, gamma=0.1):
    """RoIAlign whose bins move: ``mmcv.ops.deform_roi_pool``.

    Parameters
    ----------
    input : ndarray, float32 or float64
        (N, C, H, W).
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    offset : ndarray, optional
        (K, 2, PH, PW): horizontal plane, then vertical; a bin moves by gamma * extent * offset.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    gamma : float
        Factor of the offsets, rounded to float32.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`.

    Raises
    ------
    ValueError
        A box or an offset that is not finite, an image index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.deform_roi_pool(features, np.array([[0, 1, 1, 3, 3]], np.float32), None, 1)
    array([[[[7.5]]]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    if offset is not None and np.size(offset) == 0:
        offset = None
    return _calls.deform(
        features,
        boxes,
        index,
        offset,
        output_size,
        _boxes.c_float(spatial_scale),
        sampling_ratio,
        _boxes.c_float(gamma),
    )
