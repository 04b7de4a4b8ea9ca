"""mmcv's RoI operators (``mmcv.ops``) on NumPy arrays.

Checked against the package: its CPU code, and the CUDA kernels compiled as C++ where it has none. See
docs/compat.md.
"""

from .. import ops
from .._checks.numbers import yes_or_no
from . import _boxes, _calls, torchvision
from ._layers import Layer

__all__ = [
    "DeformRoIPool",
    "PrRoIPool",
    "RiRoIAlignRotated",
    "RoIAlign",
    "RoIAlignRotated",
    "RoIPool",
    "deform_roi_pool",
    "prroi_pool",
    "riroi_align_rotated",
    "roi_align",
    "roi_align_rotated",
    "roi_pool",
]


@_calls.operator(features="input", rois="rois", batch_indices="rois[{}, 0]")
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
    return _calls.pool(features, boxes, index, output_size, spatial_scale, "mmcv")


@_calls.operator(features="input", rois="rois", batch_indices="rois[{}, 0]")
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
        spatial_scale,
        sampling_ratio,
        aligned,
        "mean" if pool_mode == "avg" else "max",
    )


@_calls.operator(features="input", rois="rois", batch_indices="rois[{}, 0]")
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
        spatial_scale,
        sampling_ratio,
        aligned=aligned,
        clockwise=clockwise,
        degrees=False,
    )


@_calls.operator(
    rois="rois",
    batch_indices="rois[{}, 0]",
    output_size="out_size",
    sampling_ratio="num_samples",
    orientations="num_orientations",
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
        features, boxes, index, out_size, spatial_scale, num_samples, num_orientations, clockwise
    )


@_calls.operator(rois="rois", batch_indices="rois[{}, 0]")
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
    return _calls.native(ops.prroi_pool, features, boxes, output_size, spatial_scale, batch_indices=index)


@_calls.operator(floats=("gamma",), features="input", rois="rois", batch_indices="rois[{}, 0]")
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
    if offset is not None and _boxes.array(offset, "offset").size == 0:
        offset = None
    return _calls.deform(
        features,
        boxes,
        index,
        offset,
        output_size,
        spatial_scale,
        sampling_ratio,
        gamma,
    )


class RoIPool(Layer):
    """`roi_pool` with fixed settings: ``mmcv.ops.RoIPool``.

    Parameters
    ----------
    output_size, spatial_scale
        As in `roi_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.RoIPool(1)(features, np.array([[0, 0, 0, 2, 2]], np.float32))
    array([[[[10.]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale=1.0):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    def __call__(self, input, rois, *, out=None, num_threads=None):
        """Pool as `roi_pool` does."""
        return roi_pool(input=input, rois=rois, **self._settings, out=out, num_threads=num_threads)


class RoIAlign(Layer):
    """`roi_align` with fixed settings: ``mmcv.ops.RoIAlign``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio, pool_mode, aligned
        As in `roi_align`.
    use_torchvision : bool
        Pool as ``torchvision.ops.roi_align`` does, which has no pool_mode.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.RoIAlign(1)(features, np.array([[0, 0, 0, 2, 2]], np.float32))
    array([[[[2.5]]]], dtype=float32)
    """

    def __init__(
        self,
        output_size,
        spatial_scale=1.0,
        sampling_ratio=0,
        pool_mode="avg",
        aligned=True,
        use_torchvision=False,
    ):
        super().__init__(
            output_size=output_size,
            spatial_scale=spatial_scale,
            sampling_ratio=sampling_ratio,
            pool_mode=pool_mode,
            aligned=aligned,
            use_torchvision=yes_or_no(use_torchvision, "use_torchvision"),
        )

    def __call__(self, input, rois, *, out=None, num_threads=None):
        """Pool as `roi_align` does."""
        settings = self._settings
        if settings.pop("use_torchvision"):
            del settings["pool_mode"]
            return torchvision.RoIAlign(**settings)(input, rois, out=out, num_threads=num_threads)
        return roi_align(input=input, rois=rois, **settings, out=out, num_threads=num_threads)


class RoIAlignRotated(Layer):
    """`roi_align_rotated` with fixed settings: ``mmcv.ops.RoIAlignRotated``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio, aligned, clockwise
        As in `roi_align_rotated`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.RoIAlignRotated(1, 1.0, 2)(features, np.array([[0, 2, 2, 2, 2, 0]], np.float32))
    array([[[[7.5]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale, sampling_ratio=0, aligned=True, clockwise=False):
        super().__init__(
            output_size=output_size,
            spatial_scale=spatial_scale,
            sampling_ratio=sampling_ratio,
            aligned=aligned,
            clockwise=clockwise,
        )

    def __call__(self, input, rois, *, out=None, num_threads=None):
        """Pool as `roi_align_rotated` does."""
        return roi_align_rotated(input=input, rois=rois, **self._settings, out=out, num_threads=num_threads)


class RiRoIAlignRotated(Layer):
    """`riroi_align_rotated` with fixed settings: ``mmcv.ops.RiRoIAlignRotated``.

    Parameters
    ----------
    out_size, spatial_scale, num_samples, num_orientations, clockwise
        As in `riroi_align_rotated`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.ones((1, 2, 4, 4), np.float32)
    >>> mmcv.RiRoIAlignRotated(1, 1.0, num_orientations=2)(features, np.array([[0, 2, 2, 2, 2, 0]], np.float32))
    array([[[[1.]],
    <BLANKLINE>
            [[1.]]]], dtype=float32)
    """

    def __init__(self, out_size, spatial_scale, num_samples=0, num_orientations=8, clockwise=False):
        super().__init__(
            out_size=out_size,
            spatial_scale=spatial_scale,
            num_samples=num_samples,
            num_orientations=num_orientations,
            clockwise=clockwise,
        )

    def __call__(self, features, rois, *, out=None, num_threads=None):
        """Pool as `riroi_align_rotated` does."""
        return riroi_align_rotated(features=features, rois=rois, **self._settings, out=out, num_threads=num_threads)


class PrRoIPool(Layer):
    """`prroi_pool` with fixed settings: ``mmcv.ops.PrRoIPool``.

    Parameters
    ----------
    output_size, spatial_scale
        As in `prroi_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.PrRoIPool(1)(features, np.array([[0, 0, 0, 2, 2]], np.float32))
    array([[[[5.]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale=1.0):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)

    def __call__(self, features, rois, *, out=None, num_threads=None):
        """Pool as `prroi_pool` does."""
        return prroi_pool(features=features, rois=rois, **self._settings, out=out, num_threads=num_threads)


class DeformRoIPool(Layer):
    """`deform_roi_pool` with fixed settings: ``mmcv.ops.DeformRoIPool``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio, gamma
        As in `deform_roi_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import mmcv
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> mmcv.DeformRoIPool(1)(features, np.array([[0, 1, 1, 3, 3]], np.float32))
    array([[[[7.5]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale=1.0, sampling_ratio=0, gamma=0.1):
        super().__init__(
            output_size=output_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio, gamma=gamma
        )

    def __call__(self, input, rois, offset=None, *, out=None, num_threads=None):
        """Pool as `deform_roi_pool` does."""
        return deform_roi_pool(
            input=input, rois=rois, offset=offset, **self._settings, out=out, num_threads=num_threads
        )
