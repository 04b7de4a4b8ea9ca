"""The operators. Thin: arguments in, one call of the core, the result out."""

import numpy as np

from . import _core
from ._arguments import Boxes, Features, Output, checked_choice, output_extents, scales, unsigned
from ._threads import resolve_num_threads
from .simd import _forced

__all__ = ["ROI_POOL_RULES", "roi_pool"]

#: Names of the RoIPool quantisation rules; a rule's index is its code in ``fastroi_roi_pool_rule``.
ROI_POOL_RULES = _core.roi_pool_rules()
_RULE_CODES = {name: code for code, name in enumerate(ROI_POOL_RULES)}
_REDUCE_CODES = {"max": 0, "mean": 1}
_ARGMAX_DTYPE = np.dtype(np.int64)


def roi_pool(
    features,
    rois,
    output_size,
    spatial_scale=1.0,
    *,
    rule="fast_rcnn",
    reduce="max",
    batch_indices=None,
    layout="NCHW",
    return_argmax=False,
    out=None,
    num_threads=None,
):
    """Pool each RoI of a feature map to a fixed grid of bins, under a named quantisation rule.

    Whose rule is whose: ``"floor"`` is the article's (round everything down, drop the rest); ``"fast_rcnn"`` is the
    Fast R-CNN layer with exact integer bin edges, as OpenVINO computes it; ``"fast_rcnn_f32"`` is Caffe, ONNX Runtime,
    Paddle, MXNet and torchvision on float32, ``"fast_rcnn_f64"`` torchvision on float64; ``"chainer"``, ``"acl"`` (Arm
    Compute Library), ``"mmcv"``, ``"mnn"`` and ``"opencv"`` are those projects' own. docs/rules.md has every formula.

    Parameters
    ----------
    features : array_like, float32 or float64
        (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``; three dimensions are one image. Any strides are read in
        place; channels-first maps are repacked tile by tile inside the call, never copied whole.
    rois : array_like or list of arrays
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, (K, 5) with the batch index first, or a list of N arrays (Ki, 4).
        Boxes keep their own precision; they may be reversed, degenerate or off the map.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float or (float, float)
        Map cells per image pixel (1/32 for a stride of 32); a pair is (vertical, horizontal).
    rule : str
        One of ``fastroi.ROI_POOL_RULES``. With ``"floor"``: start = floor(x1 * scale), n = max(floor((x2 - x1) * scale),
        1), bins of floor(n / P) cells. With ``"fast_rcnn"``: start = round(x1 * scale), n = max(round(x2 * scale) -
        start + 1, 1), bin p = [start + floor(p n / P), start + ceil((p + 1) n / P)); halves round away from zero.
        Every range is clipped to the map; an empty bin is 0.
    reduce : {"max", "mean"}
        Maximum or mean over the cells of the clipped bin. A maximum ignores NaN (a bin of only NaN gives -inf).
    batch_indices : array_like of int, optional
        (K,) image of each RoI; default all 0 when N = 1. Not with five-column or listed rois.
    layout : {"NCHW", "NHWC"}
        Of features and result.
    return_argmax : bool
        Also return, per value, the int64 offset y * W + x of the first cell (in reading order) that holds the maximum;
        -1 for an empty bin.
    out : ndarray, optional
        Array of the result's shape and dtype to fill; it must not overlap the inputs.
    num_threads : int, optional
        Default: ``fastroi.get_num_threads()``.

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
    checked_choice(rule, ROI_POOL_RULES, "rule")
    checked_choice(reduce, _REDUCE_CODES, "reduce")
    if return_argmax and reduce != "max":
        raise ValueError(f"return_argmax: a {reduce} has no argmax")
    extents = output_extents(output_size)
    scale_h, scale_w = scales(spatial_scale)
    maps = Features(features, layout)
    boxes = Boxes(rois, batch_indices, maps.images)
    inputs = (maps.source, *boxes.sources)
    result = Output(out, len(boxes), maps.channels, extents, maps.array.dtype, maps.channels_last, inputs)
    argmax = None
    if return_argmax:
        argmax = Output(None, len(boxes), maps.channels, extents, _ARGMAX_DTYPE, maps.channels_last, name="argmax")
    _core.roi_pool(
        unsigned(maps.array),
        unsigned(boxes.array),
        boxes.batch_indices,
        unsigned(result.view),
        None if argmax is None else unsigned(argmax.view),
        maps.code,
        _RULE_CODES[rule],
        _REDUCE_CODES[reduce],
        scale_h,
        scale_w,
        resolve_num_threads(num_threads),
        _forced.get(),
    )
    return (result.array, argmax.array) if return_argmax else result.array
