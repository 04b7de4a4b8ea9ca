"""RoIAlign in rotated boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from ._checks.call import Call
from ._checks.numbers import positive_integer, sampling, scales, yes_or_no
from ._core import Params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ._types import AngleUnit, Arithmetic, Layout, Result, Rois, Sampling, Scale, Size

__all__ = ["riroi_align_rotated", "roi_align_rotated"]


def roi_align_rotated(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    sampling_ratio: Sampling = -1,
    *,
    angle_unit: AngleUnit = "radians",
    clockwise: bool = False,
    aligned: bool = True,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """Average of bilinearly interpolated sample points in the bins of a box turned about its centre.

    Whose convention is whose: detectron2 ``angle_unit="degrees"``; mmcv the defaults (its ``aligned`` and ``clockwise`` mean
    the same here); OpenVINO's ROIAlignRotated the defaults with its ``clockwise_mode`` as ``clockwise``; MXNet's RROIAlign
    ``angle_unit="degrees", aligned=False``.

    Parameters
    ----------
    features : array_like of floats, or of integers of 8 or 16 bits
        (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``; three dimensions are one image.
    rois : array_like or list of array_like
        (K, 5) ``[cx, cy, w, h, angle]``: centre and sides in image pixels; (K, 6) with the batch index first; a list of N
        tables (Ki, 5), or (N, R, 5).
    output_size : int or (int, int)
        PH, PW: bins along the box's height and width.
    spatial_scale : float or (float, float)
        Map cells per image pixel; a pair is (vertical, horizontal).
    sampling_ratio : int or (int, int)
        Sample points per bin along height and width, at most 1024; <= 0: ceil(extent / P).
    angle_unit : {"radians", "degrees"}
    clockwise : bool
        Direction, on screen, in which a positive angle turns the box.
    aligned : bool
        True: centre * scale - 0.5. False: centre * scale, sides at least one cell.
    batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.
    arithmetic : {"float64", "float32"}
        Type of coordinates, grid sizes and zone tests. Frameworks use the type of the features.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC, in the dtype of the features. A box of zero area gives 0 under an adaptive
        grid, and so does one of more than 2**40 points an axis (2**24 in float32 arithmetic): it cannot be placed.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    With the angle t counter-clockwise, a point (yy, xx) of the box's own frame is at y = yy cos t - xx sin t + cy,
    x = yy sin t + xx cos t + cx; points as in :func:`roi_align`, and outside [-1, H] x [-1, W] each counts as 0. Sources:
    ``ROIAlignRotated_cpu.cpp`` of detectron2, ``roi_align_rotated.cpp`` of mmcv.

    Examples
    --------
    A quarter turn counter-clockwise:

    >>> import numpy as np, fastroi
    >>> features = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastroi.roi_align_rotated(features, [[2, 2, 2, 2, 90]], 2, sampling_ratio=1, angle_unit="degrees")[0, 0].round(6)
    array([[ 9.,  5.],
           [10.,  6.]])
    """
    params = Params(
        "roi_align_rotated",
        aligned=yes_or_no(aligned, "aligned"),
        clockwise=yes_or_no(clockwise, "clockwise"),
        angle_unit=angle_unit,
        arithmetic=arithmetic,
        sampling=sampling(sampling_ratio),
        scale=scales(spatial_scale),
    )
    return Call(features, rois, output_size, batch_indices, layout, out, dtype, coordinates=5).run(params, num_threads)


def riroi_align_rotated(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    sampling_ratio: Sampling = -1,
    *,
    orientations: SupportsIndex = 8,
    angle_unit: AngleUnit = "radians",
    clockwise: bool = False,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """Rotation-invariant RoIAlign of mmcv: rotated boxes, and orientation channels turned by the box's angle.

    Parameters
    ----------
    features : array_like of floats, or of integers of 8 or 16 bits
        (N, C, H, W), or channels last with ``layout="NHWC"``; channel = class * orientations + orientation.
    rois, output_size, spatial_scale, sampling_ratio, angle_unit, arithmetic
        As in :func:`roi_align_rotated`.
    orientations : int
        Number of orientation channels of each class; C must be a multiple of it.
    clockwise : bool
        Direction in which a positive angle turns the box. The orientations take the angle as given, whatever this says.
    batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC.

    Raises
    ------
    ValueError
        Also when the channels are not a multiple of ``orientations``.

    Notes
    -----
    Points as in :func:`roi_align_rotated` with ``aligned=False``. With turn = angle * orientations / 2 pi, i = floor(turn) and
    f = turn - i, output orientation o is (1 - f) * input (o - i) + f * input (o - i + 1), modulo the number of orientations.
    Source: J. Han et al., ReDet, 2021; ``riroi_align_rotated_cuda_kernel.cuh`` of mmcv.

    Examples
    --------
    An eighth of a turn moves eight orientations on by one:

    >>> import numpy as np, fastroi
    >>> features = np.arange(8.0)[None, :, None, None] * np.ones((1, 8, 6, 6))
    >>> fastroi.riroi_align_rotated(features, [[3, 3, 2, 2, 45]], 1, angle_unit="degrees")[0, :, 0, 0].round(6)
    array([7., 0., 1., 2., 3., 4., 5., 6.])
    """
    per_class = positive_integer(orientations, "orientations")
    params = Params(
        "riroi_align_rotated",
        clockwise=yes_or_no(clockwise, "clockwise"),
        angle_unit=angle_unit,
        arithmetic=arithmetic,
        orientations=per_class,
        sampling=sampling(sampling_ratio),
        scale=scales(spatial_scale),
    )
    call = Call(features, rois, output_size, batch_indices, layout, out, dtype, coordinates=5)
    call.maps.check_channels(per_class, f"{per_class} orientations")
    return call.run(params, num_threads)
