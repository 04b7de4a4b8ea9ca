"""Reference RoI pooling: plain loops in float64, written from the definitions.

Nothing here comes from fastroi. Boxes and bins are Python loops; only the channels of one bin are
a NumPy vector. Where a rule names float32, every operation of it is one ``numpy.float32`` scalar
operation, so products and sums are rounded one by one and never fused.
"""

import itertools
import math

import numpy as np

F32 = np.float32

RULES = (
    "floor",
    "fast_rcnn",
    "fast_rcnn_f32",
    "fast_rcnn_f64",
    "chainer",
    "acl",
    "mmcv",
    "mnn",
    "opencv",
)

# Beyond this a float64 coordinate has no fraction and no unit step; quantised corners stop here.
FAR = 2**53


def _saturate(value):
    return max(-FAR, min(FAR, value))


def floor_int(value):
    """Floor of a float as an integer; an infinity stops at +-FAR."""
    value = float(value)
    if math.isinf(value):
        return FAR if value > 0 else -FAR
    return math.floor(value)


def ceil_int(value):
    return -floor_int(-float(value))


def trunc_int(value):
    return floor_int(value) if value >= 0 else ceil_int(value)


def round_half_away(value):
    """Nearest integer, ties away from zero, without the 0.49999999999999994 + 0.5 trap."""
    magnitude = abs(float(value))
    whole = math.floor(magnitude)
    whole += magnitude - whole >= 0.5
    return _saturate(whole if value >= 0 else -whole)


def round_half_even(value):
    return _saturate(round(float(value)))


def round_by_adding_half_f32(value):
    """Truncation of ``value + 0.5`` (``- 0.5`` below zero) in float32, as OpenCV's dnn rounds."""
    return _saturate(trunc_int(F32(value) + (F32(0.5) if value >= 0 else F32(-0.5))))


def _floor_rule(lo, hi, scale, bins):
    start, extent = lo * scale, (hi - lo) * scale
    if not (math.isfinite(start) and math.isfinite(extent)):
        return None
    start, n = _saturate(floor_int(start)), max(_saturate(floor_int(extent)), 1)
    if n >= bins:
        cells = n // bins
        edges = [(start + p * cells, start + (p + 1) * cells) for p in range(bins)]
    else:
        edges = [(start + p * n // bins, start + p * n // bins + 1) for p in range(bins)]
    return (start, start + n), edges


def _corners(lo, hi, scale, dtype, nearest):
    start, end = dtype(lo) * dtype(scale), dtype(hi) * dtype(scale)
    if not (np.isfinite(start) and np.isfinite(end)):
        return None
    return nearest(start), nearest(end)


def _fast_rcnn(lo, hi, scale, bins):
    corners = _corners(lo, hi, scale, float, round_half_away)
    if corners is None:
        return None
    start, end = corners
    n = max(end - start + 1, 1)
    edges = [(start + p * n // bins, start - (-(p + 1) * n // bins)) for p in range(bins)]
    return (start, start + n), edges


def _scaled_edges(start, n, bins, dtype):
    size = dtype(n) / dtype(bins)
    return [(start + floor_int(dtype(p) * size), start + ceil_int(dtype(p + 1) * size)) for p in range(bins)]


def _fast_rcnn_typed(lo, hi, scale, bins, dtype):
    corners = _corners(lo, hi, scale, dtype, round_half_away)
    if corners is None:
        return None
    start, end = corners
    n = max(end - start + 1, 1)
    return (start, start + n), _scaled_edges(start, n, bins, dtype)


def _chainer(lo, hi, scale, bins):
    corners = _corners(lo, hi, scale, float, round_half_even)
    if corners is None:
        return None
    start, end = corners
    n = max(end - start, 1)
    return (start, start + n), _scaled_edges(start, n, bins, np.float64)


def _acl(lo, hi, scale, bins):
    start, extent = F32(lo) * F32(scale), F32(hi - lo) * F32(scale)
    if not (np.isfinite(start) and np.isfinite(extent)):
        return None
    start, n = round_half_away(start), max(round_half_away(extent), 1)
    edge = [start + floor_int(F32(p) / F32(bins) * F32(n)) for p in range(bins + 1)]
    return (start, start + n), list(itertools.pairwise(edge))


def _mmcv(lo, hi, scale, bins):
    start, end = F32(lo) * F32(scale), (F32(hi) + F32(1)) * F32(scale)
    if not (np.isfinite(start) and np.isfinite(end) and np.isfinite(end - start)):
        return None
    if end - start <= 0:
        return (float(start), float(end)), [(0, 0)] * bins
    size = (end - start) / F32(bins)
    edges = [
        (
            _saturate(floor_int(F32(p) * size + start)),
            _saturate(ceil_int(F32(p + 1) * size + start)),
        )
        for p in range(bins)
    ]
    return (float(start), float(end)), edges


def _mnn(lo, hi, scale, bins):
    corners = _corners(lo, hi, scale, F32, round_half_away)
    if corners is None:
        return None
    start, end = corners
    n = max(end - start + 1, 1)
    size, position, edges = F32(n) / F32(bins), F32(0), []
    for _ in range(bins):
        first = start + floor_int(position)
        position = position + size
        edges.append((first, start + ceil_int(position)))
    return (start, start + n), edges


def _opencv(lo, hi, scale, bins):
    corners = _corners(lo, hi, scale, F32, round_by_adding_half_f32)
    if corners is None:
        return None
    start, end = corners
    n = max(end - start + 1, 1)
    size, base = F32(n) / F32(bins), F32(start)
    edges = [(trunc_int(base + F32(p) * size), trunc_int(base + np.ceil(F32(p + 1) * size))) for p in range(bins)]
    return (start, start + n), edges


_AXIS = {
    "floor": _floor_rule,
    "fast_rcnn": _fast_rcnn,
    "fast_rcnn_f32": lambda *a: _fast_rcnn_typed(*a, F32),
    "fast_rcnn_f64": lambda *a: _fast_rcnn_typed(*a, np.float64),
    "chainer": _chainer,
    "acl": _acl,
    "mmcv": _mmcv,
    "mnn": _mnn,
    "opencv": _opencv,
}


def axis_ranges(rule, lo, hi, scale, bins, extent=-1):
    """Quantised interval and half-open bin ranges of one box axis.

    Parameters
    ----------
    rule : str
        One of `RULES`.
    lo, hi : float
        The interval of the box, in image pixels.
    scale : float
        Map cells per image pixel.
    bins : int
        Number of bins.
    extent : int
        Cells of the map on this axis; ranges are clipped to it. -1 leaves them as they are.

    Returns
    -------
    interval : tuple of float or None
        None where a scaled coordinate is not finite: the box lies outside every map.
    ranges : tuple of (int, int)
    """
    with np.errstate(all="ignore"):
        plan = _AXIS[rule](float(lo), float(hi), float(scale), int(bins))
    if plan is None:
        return None, ((0, 0),) * bins
    interval, edges = plan
    if extent >= 0:
        edges = [(min(max(a, 0), extent), min(max(b, 0), extent)) for a, b in edges]
    return tuple(map(float, interval)), tuple(edges)


def _bin_max(cells, offsets, may_hold_nan):
    """Maximum of each channel's cells and the first offset that holds it, NaN cells aside."""
    usable = np.where(np.isnan(cells), -np.inf, cells) if may_hold_nan else cells
    best = usable.max(axis=1)
    holds = cells == best[:, None]
    first = offsets[holds.argmax(axis=1)]
    return best, np.where(holds.any(axis=1), first, -1) if may_hold_nan else first


def roi_pool(features, rois, output_size, scale, rule, reduce="max"):
    """RoI pooling of (N,C,H,W) features over (K,5) rois, bin by bin.

    Returns
    -------
    out : (K,C,PH,PW) float64 (longdouble for a mean over float64 features)
    argmax : (K,C,PH,PW) int64, or for a mean the sum of absolute values over the count
    taps : (K,PH,PW) int64, rows + columns of each clipped bin
    """
    _, channels, height, width = features.shape
    scale_y, scale_x = scale if np.ndim(scale) else (scale, scale)
    rows, cols = output_size
    wide = np.longdouble if features.dtype == np.float64 else np.float64
    out = np.zeros((len(rois), channels, rows, cols), np.float64 if reduce == "max" else wide)
    extra = np.full(out.shape, -1, np.int64) if reduce == "max" else np.zeros(out.shape, wide)
    taps = np.zeros((len(rois), rows, cols), np.int64)
    may_hold_nan = bool(np.isnan(features).any())
    offsets = np.arange(height * width).reshape(height, width)
    for k, (batch, x1, y1, x2, y2) in enumerate(rois):
        image = features[int(batch)]
        y_ranges = axis_ranges(rule, y1, y2, scale_y, rows, height)[1]
        x_ranges = axis_ranges(rule, x1, x2, scale_x, cols, width)[1]
        for i, (top, bottom) in enumerate(y_ranges):
            for j, (left, right) in enumerate(x_ranges):
                if bottom <= top or right <= left:
                    continue
                cells = image[:, top:bottom, left:right]
                count = cells[0].size if channels else 1
                cells = cells.reshape(channels, count)
                taps[k, i, j] = bottom - top + right - left
                if reduce == "max":
                    where = offsets[top:bottom, left:right].ravel()
                    out[k, :, i, j], extra[k, :, i, j] = _bin_max(cells, where, may_hold_nan)
                else:
                    out[k, :, i, j] = cells.astype(wide).sum(axis=1) / count
                    extra[k, :, i, j] = np.abs(cells.astype(wide)).sum(axis=1) / count
    return out, extra, taps
