"""The operators. Thin: arguments in, one call of the core, the result out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat, SupportsIndex, cast, overload

import numpy as np

from ._checks.boxes import box_table
from ._checks.call import Call
from ._checks.names import calling
from ._checks.numbers import aligned_name, output_extents, real_number, sampling, scales, yes_or_no
from ._core import OPERATORS, Params
from ._devices import device_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ._types import (
        Aligned,
        AreaReduce,
        Arithmetic,
        ChannelOrder,
        CropEnd,
        CropMethod,
        Layout,
        PsRoiPoolRule,
        Result,
        RoiAlignReduce,
        RoiPoolReduce,
        RoiPoolRule,
        Rois,
        Sampling,
        Scale,
        Size,
    )

__all__ = [
    "ROI_POOL_RULES",
    "area_pool",
    "crop_and_resize",
    "prroi_pool",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
    "roi_warp",
]

#: Names of the RoIPool quantisation rules; a rule's index is its code in ``fastroi_roi_pool_rule``.
ROI_POOL_RULES = cast("tuple[RoiPoolRule, ...]", OPERATORS["roi_pool"].fields["rule"].choices)
_ARGMAX_DTYPE, _INT64 = np.dtype(np.int64), 6


@overload
def roi_pool(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    rule: RoiPoolRule = "fast_rcnn",
    reduce: RoiPoolReduce = "max",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    return_argmax: Literal[False] = False,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result: ...


@overload
def roi_pool(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    rule: RoiPoolRule = "fast_rcnn",
    reduce: RoiPoolReduce = "max",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    return_argmax: Literal[True],
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> tuple[Result, NDArray[np.int64]]: ...


@overload
def roi_pool(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    rule: RoiPoolRule = "fast_rcnn",
    reduce: RoiPoolReduce = "max",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    return_argmax: bool,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result | tuple[Result, NDArray[np.int64]]: ...


def roi_pool(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    rule: RoiPoolRule = "fast_rcnn",
    reduce: RoiPoolReduce = "max",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    return_argmax: bool = False,
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result | tuple[Result, NDArray[np.int64]]:
    """Pool each RoI of a feature map to a fixed grid of bins, under a named quantisation rule.

    Whose rule is whose: ``"floor"`` is the article's (round everything down, drop the rest); ``"fast_rcnn"`` is the
    Fast R-CNN layer with OpenVINO's exact integer bin edges (OpenVINO scales in float32, this rule in float64: they differ
    on ties at scales that are no power of two, where ``compat.openvino`` follows it); ``"fast_rcnn_f32"`` is Caffe, ONNX Runtime,
    Paddle, MXNet and torchvision on float32, ``"fast_rcnn_f64"`` torchvision on float64; ``"chainer"``, ``"acl"`` (Arm
    Compute Library), ``"mmcv"``, ``"mnn"`` and ``"opencv"`` are those projects' own. docs/rules.md has every formula.

    Parameters
    ----------
    features : array_like of floats, or of integers of 8 or 16 bits
        (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``; three dimensions are one image. Any strides are read in
        place; channels-first maps are repacked tile by tile inside the call, never copied whole.
    rois : array_like or list of array_like
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels; (K, 5) with the batch index first; or the boxes of each image: a list of N
        tables (Ki, 4), where ``[]`` is an image without boxes, or one array (N, R, 4), whose N * R rows are pooled in order,
        padding too. ``[]`` alone is no boxes. Boxes keep their own precision; they may be reversed, degenerate or off the map.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float or (float, float)
        Map cells per image pixel (1/32 for a stride of 32); a pair is (vertical, horizontal). An array of one number or two
        will do.
    rule : str
        One of ``fastroi.ROI_POOL_RULES``. With ``"floor"``: start = floor(x1 * scale), n = max(floor((x2 - x1) * scale),
        1), bins of floor(n / P) cells. With ``"fast_rcnn"``: start = round(x1 * scale), n = max(round(x2 * scale) -
        start + 1, 1), bin p = [start + floor(p n / P), start + ceil((p + 1) n / P)); halves round away from zero.
        Every range is clipped to the map; an empty bin is 0.
    reduce : {"max", "mean"}
        Maximum or mean over the cells of the clipped bin. A maximum ignores NaN (a bin of only NaN gives -inf).
    batch_indices : array_like of int, optional
        (K,) image of each RoI; default all 0 when N = 1. Not with five columns or with the boxes of each image.
    layout : {"NCHW", "NHWC"}
        Of features and result.
    return_argmax : bool
        Also return, per value, the int64 offset y * W + x of the first cell (in reading order) that holds the maximum;
        -1 for an empty bin.
    out : ndarray, optional
        Array of the result's shape and dtype to fill; it must not overlap the inputs.
    num_threads : int, optional
        1 to 1024; default: ``fastroi.get_num_threads()``.

    Returns
    -------
    ndarray or (ndarray, ndarray)
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC, in the dtype of the features; with argmax if asked.

    Raises
    ------
    ValueError
        A box that is not finite, a batch index that is no integer in [0, N), a wrong shape, an unknown rule: the message
        names argument, row and value. Nothing has been computed or written then.
    TypeError
        A dtype or type that is not accepted.
    OverflowError
        A result larger than the address space.

    Notes
    -----
    Sources: R. Girshick, Fast R-CNN, 2015; the projects' code listed in docs/rules.md.

    Examples
    --------
    The article's box (x 296, y 192, width 200, height 145) on a 16 x 16 map of stride 32:

    >>> import numpy as np, fastroi
    >>> features = np.arange(256, dtype=np.float32).reshape(1, 1, 16, 16)
    >>> fastroi.roi_pool(features, [[296, 192, 496, 337]], 3, 1 / 32, rule="floor")[0, 0]
    array([[106., 108., 110.],
           [122., 124., 126.],
           [138., 140., 142.]], dtype=float32)
    """
    params = Params("roi_pool", rule=rule, reduce=reduce, scale=scales(spatial_scale))
    return_argmax = yes_or_no(return_argmax, "return_argmax")
    if return_argmax and reduce != "max":
        raise ValueError(f"return_argmax: a {reduce} has no argmax")
    call = Call(features, rois, output_size, batch_indices, layout, out, dtype)
    if not return_argmax:
        return call.run(params, num_threads)
    argmax = call.extra_output(_ARGMAX_DTYPE, "argmax")
    call.attach(params, "argmax", argmax.view, _INT64)
    return call.run(params, num_threads), argmax.array


def roi_align(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    sampling_ratio: Sampling = -1,
    aligned: Aligned = True,
    *,
    reduce: RoiAlignReduce = "mean",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """Average (or maximum) of bilinearly interpolated sample points in each bin: no coordinate is rounded.

    ``aligned=True`` puts the centre of pixel 0 at coordinate 0 (half-pixel correct, the default of detectron2 and mmcv);
    ``aligned=False`` is the legacy rule of torchvision's default and ONNX opset 10, half a pixel off and with boxes
    enlarged to at least one cell.

    Parameters
    ----------
    features : array_like of floats, or of integers of 8 or 16 bits
        (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``; three dimensions are one image.
    rois : array_like or list of array_like
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, (K, 5) with the batch index first, a list of N tables (Ki, 4), or (N, R, 4).
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float or (float, float)
        Map cells per image pixel; a pair is (vertical, horizontal).
    sampling_ratio : int or (int, int)
        Sample points per bin and axis; a pair is (vertical, horizontal); <= 0: as many as a bin has cells,
        ceil(extent / P). The cost follows the cells touched, not the points.
    aligned : bool or str
        True: start = x1 * scale - 0.5. False: start = x1 * scale, extents at least 1. ``"image"``: start = (x1 + 0.5) *
        scale - 0.5 (OpenVINO's half_pixel). ``"least_one"``: as True with extents at least 1 (OpenVINO's detectron
        extractor). The other four move points off the map to its outer cells, however far they lie, and give an adaptive grid
        at least one point (TensorRT's PyramidROIAlign): ``"clamp_half_pixel"``: start = x1 * scale - 0.5;
        ``"clamp_output_half_pixel"``: start = x1 * scale; ``"clamp_asymmetric"``: the same, points i / grid instead of
        (i + 0.5) / grid into the bin; ``"clamp_align_corners"``: the same, bins extent / (P - 1) apart.
    reduce : str
        ``"mean"``: of all points, one outside [-1, H] x [-1, W] counting as 0. ``"max"``: interpolate, then the maximum
        (mmcv, MNN, TVM). ``"max_corners"``: the maximum of each point's four weighted corners (ONNX Runtime's default and the
        ONNX reference). ``"max_from_zero"``: as max, never below 0 (OpenVINO). ``"max_inside"``: as max, points outside the
        map left out (Chainer). A maximum ignores NaN.
    batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.
    arithmetic : {"float64", "float32"}
        Type of coordinates, grid sizes and zone tests. Frameworks use the type of the features.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC. A box of zero area gives 0 under an adaptive grid.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    Point i of bin p is start + p * bin + (i + 0.5) * bin / grid; points in [-1, 0] are moved to 0, those past the last
    cell's centre to it. Sources: K. He et al., Mask R-CNN, 2017; ``roi_align_kernel.cpp`` of torchvision.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> features = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastroi.roi_align(features, [[0.5, 0.5, 2.5, 2.5]], 2, sampling_ratio=1)[0, 0]
    array([[2.5, 3.5],
           [6.5, 7.5]])
    """
    params = Params(
        "roi_align",
        aligned=aligned_name(aligned),
        reduce=reduce,
        arithmetic=arithmetic,
        sampling=sampling(sampling_ratio),
        scale=scales(spatial_scale),
    )
    return Call(features, rois, output_size, batch_indices, layout, out, dtype).run(params, num_threads)


def ps_roi_pool(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    rule: PsRoiPoolRule = "rfcn",
    group_size: Size | None = None,
    channel_order: ChannelOrder = "class",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """Position-sensitive RoI pooling: every bin averages cells of a channel of its own.

    ``"rfcn"`` is R-FCN's rule (MXNet, Paddle), ``"openvino"`` also ncnn's and OpenCV's, ``"torchvision"`` and
    ``"chainercv"`` those projects' own.

    Parameters
    ----------
    features : array_like of floats, or of integers of 8 or 16 bits
        (N, C * GH * GW, H, W), or channels last with ``layout="NHWC"``.
    rois, spatial_scale, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.
    output_size : int or (int, int)
        PH, PW.
    rule : str
        Interval of the map: ``"rfcn"`` round(x1) * scale to (round(x2) + 1) * scale, at least 0.1; ``"openvino"`` the
        same with round(x2 + 1); ``"torchvision"`` round(x1 * scale) to round(x2 * scale), at least 1, and never the last
        row or column of the map; ``"chainercv"`` x1 * scale to x2 * scale, at least 0.1. Bin p covers the cells
        [floor(start + p * bin), ceil(start + (p + 1) * bin)), clipped; an empty bin is 0.
    group_size : int or (int, int), optional
        GH, GW; default the output size. Bin p reads group floor(p * G / P).
    channel_order : {"class", "bin"}
        Input channel of output channel c in group (gh, gw): ``"class"`` (c * GH + gh) * GW + gw; ``"bin"``
        (gh * GW + gw) * C + c.
    arithmetic : {"float64", "float32"}
        Type of the bin edges. Frameworks use the type of the features.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC.

    Raises
    ------
    ValueError
        Also when the channels are not a multiple of GH * GW.

    Notes
    -----
    Sources: J. Dai et al., R-FCN, 2016; docs/rules.md.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> features = np.arange(4.0)[None, :, None, None] * np.ones((1, 4, 6, 6))
    >>> fastroi.ps_roi_pool(features, [[0, 0, 4, 4]], 2)[0, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    extents = output_extents(output_size)
    groups = extents if group_size is None else output_extents(group_size, "group_size")
    params = Params(
        "ps_roi_pool",
        rule=rule,
        channel_order=channel_order,
        arithmetic=arithmetic,
        group=groups,
        scale=scales(spatial_scale),
    )
    call = Call(features, rois, extents, batch_indices, layout, out, dtype, channels_per_output=math.prod(groups))
    return call.run(params, num_threads)


def ps_roi_align(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    sampling_ratio: Sampling = -1,
    *,
    aligned: Aligned = True,
    group_size: Size | None = None,
    channel_order: ChannelOrder = "class",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """Position-sensitive RoIAlign: every bin averages sample points of a channel of its own.

    torchvision's rule is ``aligned=True`` (its only one); MXNet's ``ROIAlign(position_sensitive=True)`` has both.

    Parameters
    ----------
    features, output_size, group_size, channel_order, arithmetic
        As in :func:`ps_roi_pool`.
    sampling_ratio, aligned
        As in :func:`roi_align`.
    rois, spatial_scale, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC. A box of zero area gives 0 under an adaptive grid (torchvision: NaN).

    Raises
    ------
    ValueError
        Also when the channels are not a multiple of GH * GW.

    Notes
    -----
    Source: ``ps_roi_align_kernel.cpp`` of torchvision.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> features = np.arange(4.0)[None, :, None, None] * np.ones((1, 4, 6, 6))
    >>> fastroi.ps_roi_align(features, [[1, 1, 5, 5]], 2, sampling_ratio=2)[0, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    extents = output_extents(output_size)
    groups = extents if group_size is None else output_extents(group_size, "group_size")
    params = Params(
        "ps_roi_align",
        aligned=aligned_name(aligned),
        channel_order=channel_order,
        arithmetic=arithmetic,
        group=groups,
        sampling=sampling(sampling_ratio),
        scale=scales(spatial_scale),
    )
    call = Call(features, rois, extents, batch_indices, layout, out, dtype, channels_per_output=math.prod(groups))
    return call.run(params, num_threads)


def roi_warp(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """One bilinear sample per bin, at the bin's start corner, of a box rounded on the map: RoIWarp of MNC.

    Parameters
    ----------
    features, rois, output_size, spatial_scale, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    start = round(x1 * scale), extent = max(round(x2 * scale) - start, 0), halves away from zero; bin p samples
    start + p * extent / P; a point outside [-0.5, L - 0.5] gives 0, one past an outer cell's centre moves to it.
    Source: J. Dai et al., Instance-aware Semantic Segmentation via Multi-task Network Cascades, 2016;
    ``roi_warping_layer.cu`` of its Caffe.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> fastroi.roi_warp(np.arange(16.0).reshape(1, 1, 4, 4), [[0, 0, 3, 3]], 2)[0, 0]
    array([[0. , 1.5],
           [6. , 7.5]])
    """
    params = Params("roi_warp", scale=scales(spatial_scale))
    return Call(features, rois, output_size, batch_indices, layout, out, dtype).run(params, num_threads)


def prroi_pool(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """The exact mean of the bilinear surface over each bin: Precise RoI pooling, without sample points.

    Parameters
    ----------
    features, rois, output_size, spatial_scale, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC. A box without area gives 0.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    The weight of a cell is the integral over the bin of the hat function around its centre, divided by the bin's length,
    per axis. Integer coordinates are cell centres (no half-pixel shift); the surface fades to 0 one cell beyond the map.
    Source: B. Jiang et al., Acquisition of Localization Confidence, 2018; ``vacancy/PreciseRoIPooling``.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> fastroi.prroi_pool(np.arange(16.0).reshape(1, 1, 4, 4), [[0, 0, 2, 2]], 2)[0, 0]
    array([[2.5, 3.5],
           [6.5, 7.5]])
    """
    params = Params("prroi_pool", scale=scales(spatial_scale))
    return Call(features, rois, output_size, batch_indices, layout, out, dtype).run(params, num_threads)


def area_pool(
    features: ArrayLike,
    rois: Rois,
    output_size: Size,
    spatial_scale: Scale = 1.0,
    *,
    reduce: AreaReduce = "mean",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """Mean or sum over the exact overlap of cells and bins: zonal statistics, rectangular apertures, area resampling.

    Parameters
    ----------
    features, rois, output_size, spatial_scale, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`. Coordinates are those of edges: cell i of the map covers [i, i + 1).
    reduce : {"mean", "sum"}
        Mean weighted by the area of each cell inside the bin; or the sum of value times area, in cells.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC. A box without area on the map gives 0.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    The box, x1 * scale to x2 * scale, is clipped to the map, and its bins divide what is left into P equal parts. The weight of
    a cell on each axis is the length of its overlap with the bin, for a mean divided by the bin's length. In float64. What
    ``cv2.INTER_AREA``, exactextract and photutils' rectangular apertures compute for boxes.

    Examples
    --------
    Half of the second column belongs to the box:

    >>> import numpy as np, fastroi
    >>> features = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastroi.area_pool(features, [[0, 0, 1.5, 2]], 1, reduce="sum")[0, 0]
    array([[7.]])
    >>> fastroi.area_pool(features, [[0, 0, 4, 4]], 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    params = Params("area_pool", reduce=reduce, scale=scales(spatial_scale))
    return Call(features, rois, output_size, batch_indices, layout, out, dtype).run(params, num_threads)


@calling(features="image", rois="boxes", batch_indices="box_indices", output_size="crop_size")
def crop_and_resize(
    image: ArrayLike,
    boxes: ArrayLike,
    box_indices: ArrayLike,
    crop_size: Size,
    method: CropMethod = "bilinear",
    extrapolation_value: SupportsFloat = 0.0,
    *,
    end: CropEnd = "tensorflow",
    layout: Layout = "NHWC",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """TensorFlow's crop_and_resize: one sample per output cell, corners on corners, boxes normalised and mirrored at will.

    Parameters
    ----------
    image : array_like of floats, or of integers of 8 or 16 bits
        (N, H, W, C), or (N, C, H, W) with ``layout="NCHW"``.
    boxes : array_like
        (K, 4) ``[y1, x1, y2, x2]``: 0 is the centre of the first cell, 1 that of the last; outside [0, 1] is off the
        image, y1 > y2 flips.
    box_indices : array_like of int
        (K,) image of each box.
    crop_size : (int, int) or int
        CH, CW.
    method : {"bilinear", "nearest"}
    extrapolation_value : float
        Of output cells whose point is outside [0, H - 1] x [0, W - 1].
    end : {"tensorflow", "exact"}
        Where the last of several rows and columns lies. ``"tensorflow"``: start + (CH - 1) * step, which can be off the map by a
        rounding error and is extrapolated then: a black last row of a crop of the whole image. ``"exact"``: on the end of the
        box, as in ONNX Runtime and OpenVINO.
    layout, dtype, out, num_threads
        As in :func:`roi_pool`.

    Returns
    -------
    ndarray
        (K, CH, CW, C), or (K, C, CH, CW) for NCHW, in the dtype of the image.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`.

    Notes
    -----
    Row i samples y1 * (H - 1) + i * ((y2 - y1) * (H - 1) / (CH - 1)) in float32, a single row the middle of the box; under
    ``end="exact"`` the last of several y2 * (H - 1).
    Source: ``crop_and_resize_op.cc`` of TensorFlow. This is not RoIAlign: corners, not bins, are matched.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fastroi.crop_and_resize(image, [[0, 1, 1, 0]], [0], (2, 2))[0, ..., 0]
    array([[ 3.,  0.],
           [15., 12.]])

    Thirteen steps of float32(14 / 13) end beyond the last of 15 cells:

    >>> ones, whole = np.ones((1, 15, 15, 1)), [[0, 0, 1, 1]]
    >>> [float(fastroi.crop_and_resize(ones, whole, [0], 14, end=end)[0, -1, 0, 0]) for end in ("tensorflow", "exact")]
    [0.0, 1.0]
    """
    value = real_number(extrapolation_value, "extrapolation_value")
    params = Params("crop_and_resize", method=method, extrapolation_value=value, end=end)
    table = box_table(boxes, "boxes", device_of(image))
    call = Call(image, table[:, [1, 0, 3, 2]], crop_size, box_indices, layout, out, dtype, sources=(table,))
    return call.run(params, num_threads)
