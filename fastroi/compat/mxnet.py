"""Apache MXNet's RoI operators (``mx.nd`` and ``mx.nd.contrib``) on NumPy arrays.

Verified against mxnet 1.9: see docs/compat.md.
"""

import numpy as np

from .._checks.numbers import integer, positive_integer
from . import _boxes, _calls

__all__ = ["DeformablePSROIPooling", "PSROIPooling", "ROIAlign", "ROIPooling", "RROIAlign"]


@_calls.operator(features="data", rois="rois", batch_indices="rois[{}, 0]", output_size="pooled_size")
def ROIPooling(data, rois, pooled_size, spatial_scale):
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
        Map cells per image pixel, rounded to float32.

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

    def pool(boxes, index):
        return _calls.pool(features, boxes, index, pooled_size, spatial_scale, rule)

    return _boxes.with_zero_rows(pool, boxes, index, known)


@_calls.operator(
    features="data", rois="rois", batch_indices="rois[{}, 0]", output_size="pooled_size", sampling_ratio="sample_ratio"
)
def ROIAlign(data, rois, pooled_size, spatial_scale, sample_ratio=-1, position_sensitive=False, aligned=False):
    """Mean of bilinear samples: ``mx.nd.contrib.ROIAlign``.

    Parameters
    ----------
    data : ndarray, float32 or float64
        (N, C, H, W); position-sensitive, (N, C * PH * PW, H, W).
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.  A row whose image is negative gives
        zeros.
    pooled_size : (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    sample_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    position_sensitive : bool
        Take every bin from channels of its own, in the order class, bin row, bin column.
    aligned : bool
        Subtract half a cell from the scaled corners; otherwise boxes are at least one cell.

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `data`.

    Raises
    ------
    ValueError
        A box that is not finite, an index of N or more.  (MXNet ends the process on an aligned box
        without extent; here it gives 0.)

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mxnet
    >>> data = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> rois = np.array([[0, 0, 0, 2, 2]], np.float32)
    >>> mxnet.ROIAlign(data, rois, (1, 1), 1.0, sample_ratio=2)
    array([[[[5.]]]], dtype=float32)
    """
    features = _boxes.array(data, "data", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    known = index >= 0

    def pool(boxes, index):
        if position_sensitive:
            return _calls.ps_align(features, boxes, index, pooled_size, spatial_scale, sample_ratio, aligned)
        return _calls.align(features, boxes, index, pooled_size, spatial_scale, sample_ratio, aligned)

    return _boxes.with_zero_rows(pool, boxes, index, known)


@_calls.operator(features="data", rois="rois", batch_indices="rois[{}, 0]", output_size="pooled_size")
def PSROIPooling(data, rois, spatial_scale, output_dim, pooled_size, group_size=0):
    """Position-sensitive mean of each bin: ``mx.nd.contrib.PSROIPooling`` (R-FCN's rule).

    Parameters
    ----------
    data : ndarray, float32
        (N, C * G * G, H, W), channels in the order class, group row, group column.
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    output_dim : int
        Classes C of the result.
    pooled_size : int
        P.
    group_size : int
        G; 0 takes P.

    Returns
    -------
    ndarray
        (K, C, P, P), in the dtype of `data`; 0 for an empty bin.

    Raises
    ------
    ValueError
        A box that is not finite, an index out of range, channels that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mxnet
    >>> data = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> mxnet.PSROIPooling(data, np.array([[0, 0, 0, 3, 3]], np.float32), 1.0, 1, 2)[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    features = _boxes.array(data, "data", 4)
    pooled_size = positive_integer(pooled_size, "pooled_size")
    group = integer(group_size, "group_size") or pooled_size
    _boxes.check_channels(features, "data", output_dim=output_dim, group_size=group)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    return _calls.ps_pool(features, boxes, index, pooled_size, spatial_scale, "rfcn", group)


@_calls.operator(
    floats=("trans_std",), features="data", rois="rois", batch_indices="rois[{}, 0]", output_size="pooled_size"
)
def DeformablePSROIPooling(
    data,
    rois,
    trans=None,
    *,
    spatial_scale,
    output_dim,
    group_size,
    pooled_size,
    part_size=0,
    sample_per_part=1,
    trans_std=0.0,
    no_trans=False,
):
    """Position-sensitive pooling with offsets: ``mx.nd.contrib.DeformablePSROIPooling``.

    Parameters
    ----------
    data : ndarray, float32
        (N, C * G * G, H, W), channels in the order class, group row, group column.
    rois : ndarray
        (K, 5) ``[image, x1, y1, x2, y2]`` in image pixels.
    trans : ndarray, optional
        (K, 2 * classes, part_size, part_size) offsets: horizontal plane, then vertical, for each
        class.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    output_dim : int
        Classes C of the result.
    group_size : int
        G.
    pooled_size : int
        P.
    part_size : int
        Cells per side of the grid of offsets; 0 takes P.
    sample_per_part : int
        Samples per bin on each axis.
    trans_std : float
        Factor of the offsets, rounded to float32.
    no_trans : bool
        Ignore `trans`.

    Returns
    -------
    ndarray
        (K, C, P, P), in the dtype of `data`; 0 for a bin without a sample on the map.

    Raises
    ------
    ValueError
        Offsets missing, channels that do not fit, invalid boxes.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mxnet
    >>> data = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((4, 4), np.float32)
    >>> rois = np.array([[0, 0, 0, 3, 3]], np.float32)
    >>> mxnet.DeformablePSROIPooling(data, rois, spatial_scale=1.0, output_dim=1, group_size=2,
    ...                              pooled_size=2, no_trans=True)[0, 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    features = _boxes.array(data, "data", 4)
    _boxes.check_channels(features, "data", output_dim=output_dim, group_size=group_size)
    if trans is None and not no_trans:
        raise ValueError("trans: required unless no_trans")
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 5))
    return _calls.deform_ps(
        features,
        boxes,
        index,
        None if no_trans else trans,
        pooled_size,
        group_size,
        part_size or pooled_size,
        sample_per_part,
        trans_std,
        spatial_scale,
    )


@_calls.operator(features="data", rois="rois", batch_indices="rois[{}, 0]", output_size="pooled_size")
def RROIAlign(data, rois, pooled_size, spatial_scale, sampling_ratio=-1):
    """Mean of bilinear samples of a turned grid: ``mx.nd.contrib.RROIAlign``.

    No half-cell shift; boxes are at least one cell.

    Parameters
    ----------
    data : ndarray, float32
        (N, C, H, W).
    rois : ndarray
        (K, 6) ``[image, centre x, centre y, width, height, angle]``, image pixels and degrees, counter-
        clockwise on the screen.
    pooled_size : (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `data`.

    Raises
    ------
    ValueError
        A box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mxnet
    >>> data = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mxnet.RROIAlign(data, np.array([[0, 1.5, 1.5, 2, 2, 0]], np.float32), (1, 1), 1.0, 2)
    array([[[[7.5]]]], dtype=float32)
    """
    features = _boxes.array(data, "data", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 6))
    return _calls.turned(
        features, boxes, index, pooled_size, spatial_scale, sampling_ratio, aligned=False, clockwise=False, degrees=True
    )
