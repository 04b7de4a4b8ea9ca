"""Reference interpolating RoI operators, written from the definitions, not from fastroi.

Every operator returns ``out, magnitude, taps``: the values in float64, the sum of |weight * value|
behind each of them, and the number of distinct rows plus columns that it reads, so that an
implementation can be held to ``(taps + 2) * unit roundoff * magnitude``. Maps are (N, C, H, W); the
result is (K, C, PH, PW), taps are (K, PH, PW). A tap of weight zero does not exist: whatever the map
holds there, NaN included, is not read.

Box arithmetic is done in ``dtype``, one rounding an operation, in the order in which the
frameworks write it; weights are then float64.
"""

import math
from fractions import Fraction

import numpy as np
from remembered import remembered

NO_TAPS = (np.zeros(0, np.int64), np.zeros(0))
#: Conventions of TensorRT's PyramidROIAlign: the shift after scaling, and where in its share of the bin a point lies.
CLAMPED = {
    "clamp_half_pixel": (0.5, 0.5),
    "clamp_output_half_pixel": (0.0, 0.5),
    "clamp_asymmetric": (0.0, 0.0),
    "clamp_align_corners": (0.0, 0.0),
}


# --- one axis ---------------------------------------------------------------------------------


def zone(points, cells):
    """Which sample coordinates count (from -1 to `cells`), their two cells and the upper weight."""
    inside = (points >= -1) & (points <= cells)
    clamped = np.where(points > 0, np.where(inside, points, 0), 0)
    low = clamped.astype(np.int64)
    last = low >= cells - 1
    low = np.where(last, cells - 1, low)
    upper = np.where(last, 0, clamped - low.astype(clamped.dtype))
    return inside, low, upper


def align_interval(lo, hi, scale, aligned, dtype=np.float64):
    """Start and extent on the map; None when a coordinate is not finite.

    aligned: True (the half-pixel shift), False (none, extent at least 1), "image" (OpenVINO:
    the shift before and after scaling), "least_one" (as True, extent at least 1) or a key of CLAMPED.
    """
    with np.errstate(all="ignore"):
        before = dtype(0.5) if aligned == "image" else dtype(0)
        after = dtype(CLAMPED[aligned][0] if aligned in CLAMPED else 0.5 if aligned else 0)
        start = (dtype(lo) + before) * dtype(scale) - after
        extent = (dtype(hi) + before) * dtype(scale) - after - start
    if not (np.isfinite(start) and np.isfinite(extent)):
        return None
    return start, max(extent, dtype(1)) if aligned in (False, "least_one") else extent


def align_points(interval, bins, ratio, dtype=np.float64, cells=None, aligned=True):
    """(bins, grid) sample coordinates; a grid of ceil(bin) when ratio <= 0.

    Under the conventions of CLAMPED that grid is at least 1, and coordinates are moved into
    [0, cells - 1].
    """
    if interval is None:
        return np.zeros((bins, 0), dtype)
    start, extent = interval
    size = extent / dtype(bins)
    most = 2**24 if dtype is np.float32 else 2**53
    grid = int(ratio) if ratio > 0 else min(math.ceil(size), most)
    if aligned in CLAMPED:
        grid = max(grid, 1)
    if grid <= 0:
        return np.zeros((bins, 0), dtype)
    if aligned == "clamp_align_corners" and bins > 1:
        size = extent / dtype(bins - 1)
    phase = CLAMPED[aligned][1] if aligned in CLAMPED else 0.5
    steps = np.arange(grid).astype(dtype) + dtype(phase)
    corner = start + np.arange(bins).astype(dtype) * size
    points = corner[:, None] + (steps * size / dtype(grid))[None, :]
    return np.clip(points, dtype(0), dtype(cells - 1)) if aligned in CLAMPED else points


def merged(cells, weights):
    """Taps with equal cells added up and zero weights dropped, ascending."""
    if cells.size == 0:
        return NO_TAPS
    unique, where = np.unique(cells, return_inverse=True)
    total = np.bincount(where.ravel(), weights.astype(np.float64).ravel())
    keep = total != 0
    return unique[keep], total[keep]


def mean_taps(points, cells):
    """Per bin (cells, weights) of the average over its samples; outside samples weigh nothing."""
    taps = []
    for row in points:
        inside, low, upper = zone(row, cells)
        low, upper = low[inside], upper[inside].astype(np.float64)
        both = np.concatenate([low, np.minimum(low + 1, cells - 1)])
        weight = np.concatenate([1 - upper, upper])
        taps.append(merged(both, weight / max(len(row), 1)))
    return taps


# --- sums over taps ---------------------------------------------------------------------------


def weighted(image, rows, columns):
    """Sum of row weight * column weight * value, and the same of absolute values, per channel."""
    (ys, wy), (xs, wx) = rows, columns
    if len(ys) == 0 or len(xs) == 0:
        return 0.0, 0.0
    block = image[:, ys[:, None], xs[None, :]].astype(np.float64)
    with np.errstate(all="ignore"):
        products = block * wy[:, None] * wx
        return products.sum(axis=(1, 2)), np.abs(products).sum(axis=(1, 2))


def pool_taps(features, rois, axes, channels_of=None, channels=None):
    """out, magnitude, taps of the separable operators.

    axes(roi) gives the lists of row and column taps; channels_of(i, j) the channels that bin (i, j)
    reads (all of them unless position-sensitive).
    """
    results = []
    for roi in rois:
        y_taps, x_taps = axes(roi[1:])
        image = features[int(roi[0])]
        width = image.shape[0] if channels is None else channels
        out = np.zeros((2, width, len(y_taps), len(x_taps)))
        taps = np.zeros((len(y_taps), len(x_taps)), np.int64)
        for i, rows in enumerate(y_taps):
            for j, columns in enumerate(x_taps):
                read = image if channels_of is None else image[channels_of(i, j)]
                out[0, :, i, j], out[1, :, i, j] = weighted(read, rows, columns)
                taps[i, j] = len(rows[0]) + len(columns[0])
        results.append((out[0], out[1], taps))
    if not results:
        return None
    return tuple(np.stack(part) for part in zip(*results, strict=True))


def round_half_away(value):
    """Nearest integer as a float, ties away from zero; huge values stay what they are."""
    value = float(value)
    whole = math.trunc(value)
    away = math.copysign(1.0, value) if abs(value - whole) >= 0.5 else 0.0
    return float(whole) + away


def pair(value):
    return tuple(value) if np.ndim(value) else (value, value)


# --- RoIAlign ---------------------------------------------------------------------------------


@remembered
def roi_align(features, rois, output_size, scale, ratio=-1, aligned=True, reduce="mean", dtype=np.float64):
    """RoIAlign.

    reduce: "mean"; "max" (interpolate, then the maximum; a sample outside counts as 0);
    "max_corners" (ONNX: the largest of the four weighted corners of any sample);
    "max_from_zero" (OpenVINO: as "max", never below 0); "max_inside" (Chainer: a sample outside
    does not count). No sample at all gives 0.
    """
    (rows, columns), (ratio_y, ratio_x) = pair(output_size), pair(ratio)
    scale_y, scale_x = pair(scale)
    height, width = features.shape[2:]

    def points(box):
        x1, y1, x2, y2 = box
        y = align_interval(y1, y2, scale_y, aligned, dtype)
        x = align_interval(x1, x2, scale_x, aligned, dtype)
        return (
            align_points(y, rows, ratio_y, dtype, height, aligned),
            align_points(x, columns, ratio_x, dtype, width, aligned),
        )

    if reduce == "mean":

        def axes(box):
            y, x = points(box)
            return mean_taps(y, height), mean_taps(x, width)

        return pool_taps(features, rois, axes)
    return max_over_points(features, rois, points, reduce)


def sample_corners(image, y, x):
    """The four weighted corners (C, 4) of one sample, or None outside the zone."""
    height, width = image.shape[1:]
    y_inside, y_low, y_upper = (v[0] for v in zone(np.array([y]), height))
    x_inside, x_low, x_upper = (v[0] for v in zone(np.array([x]), width))
    if not (y_inside and x_inside):
        return None
    corners = np.zeros((image.shape[0], 4))
    for n, (dy, dx) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        weight = float(y_upper if dy else 1 - y_upper) * float(x_upper if dx else 1 - x_upper)
        if weight != 0:
            corners[:, n] = weight * image[:, y_low + dy, x_low + dx].astype(np.float64)
    return corners


def corners_of(image, points):
    """`sample_corners` of all (y, x) points of an array (N, 2): (C, 4, N), zero outside the zone, and which lie inside."""
    height, width = image.shape[1:]
    y_inside, y_low, y_upper = zone(points[:, 0], height)
    x_inside, x_low, x_upper = zone(points[:, 1], width)
    inside = y_inside & x_inside
    corners = np.zeros((image.shape[0], 4, len(points)))
    for n, (dy, dx) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        y_weight, x_weight = y_upper if dy else 1 - y_upper, x_upper if dx else 1 - x_upper
        weight = y_weight.astype(np.float64) * x_weight.astype(np.float64)
        read = inside & (weight != 0)
        corners[:, n, read] = weight[read] * image[:, y_low[read] + dy, x_low[read] + dx].astype(np.float64)
    return corners, inside


def max_over_points(features, rois, points, reduce):
    results = []
    for roi in rois:
        ys, xs = points(roi[1:])
        values = max_of_bins(features[int(roi[0])], ys, xs, reduce)
        results.append((*values, np.full((len(ys), len(xs)), 4, np.int64)))
    return tuple(np.stack(part) for part in zip(*results, strict=True))


def max_of_bins(image, ys, xs, reduce):
    """Value of the winning sample and magnitude of the largest: 2 x (C, bins, bins)."""
    channels, (rows, grid_y), (columns, grid_x) = image.shape[0], ys.shape, xs.shape
    if grid_y * grid_x == 0:
        return np.zeros((2, channels, rows, columns))
    corners, inside = corners_of(image, mesh(ys.ravel(), xs.ravel()))
    values = corners.max(axis=1) if reduce == "max_corners" else corners.sum(axis=1)
    if reduce == "max_inside":
        values[:, ~inside] = -np.inf

    def largest(samples):
        return samples.reshape(channels, rows, grid_y, columns, grid_x).max(axis=(2, 4))

    best = largest(values)
    best[best == -np.inf] = 0
    if reduce == "max_from_zero":
        best = np.maximum(best, 0)
    return best, largest(np.abs(corners).sum(axis=1))


def mesh(ys, xs):
    """All (y, x) of two axes, row by row: (N, 2)."""
    return np.stack(np.meshgrid(ys, xs, indexing="ij"), axis=-1).reshape(-1, 2)


def roi_align_direct(features, rois, output_size, scale, ratio=-1, aligned=True):
    """The mean once more, sample by sample and corner by corner: what `roi_align` is checked by."""
    (rows, columns), (ratio_y, ratio_x) = pair(output_size), pair(ratio)
    scale_y, scale_x = pair(scale)
    out = np.zeros((len(rois), features.shape[1], rows, columns))
    for k, (batch, x1, y1, x2, y2) in enumerate(rois):
        y, x = align_interval(y1, y2, scale_y, aligned), align_interval(x1, x2, scale_x, aligned)
        ys = align_points(y, rows, ratio_y, cells=features.shape[2], aligned=aligned)
        xs = align_points(x, columns, ratio_x, cells=features.shape[3], aligned=aligned)
        for i, row in enumerate(ys):
            for j, column in enumerate(xs):
                for y in row:
                    for x in column:
                        corners = sample_corners(features[int(batch)], y, x)
                        if corners is not None:
                            out[k, :, i, j] += corners.sum(axis=1)
                out[k, :, i, j] /= max(len(row) * len(column), 1)
    return out


# --- position-sensitive -----------------------------------------------------------------------


def channel_map(out_channels, group, output_size, order="class"):
    """channels(i, j): what bin (i, j) reads of a map with out_channels * group * group channels."""
    (group_y, group_x), (rows, columns) = pair(group), pair(output_size)
    classes = np.arange(out_channels)

    def channels(i, j):
        y = min(max(i * group_y // rows, 0), group_y - 1)
        x = min(max(j * group_x // columns, 0), group_x - 1)
        if order == "class":
            return (classes * group_y + y) * group_x + x
        return (y * group_x + x) * out_channels + classes

    return channels


def ps_ranges(rule, lo, hi, scale, bins, cells, dtype=np.float64):
    """Half-open cell ranges of PS-RoIPool.

    rule: "rfcn" (corners rounded in the image, far one + 1), "openvino" (1 added before rounding),
    "chainercv" (not rounded) or "torchvision" (rounded on the map, no + 1, the last cell never
    pooled).
    """
    with np.errstate(all="ignore"):
        if rule == "torchvision":
            start, end = dtype(lo) * dtype(scale), dtype(hi) * dtype(scale)
            if not (np.isfinite(start) and np.isfinite(end)):
                return [(0, 0)] * bins
            first = int(round_half_away(start))
            extent = max(int(round_half_away(end)) - first, 1)
            if extent > float(np.finfo(dtype).max):
                return [(0, 0)] * bins
            size = dtype(extent) / dtype(bins)
            edges = [(first + math.floor(dtype(p) * size), first + math.ceil(dtype(p + 1) * size)) for p in range(bins)]
            cells -= 1
        else:
            near = dtype(round_half_away(dtype(lo)))
            if rule == "chainercv":
                near, far = dtype(lo), dtype(hi)
            elif rule == "openvino":
                far = dtype(round_half_away(dtype(hi) + dtype(1)))
            else:
                far = dtype(round_half_away(dtype(hi))) + dtype(1)
            start, end = near * dtype(scale), far * dtype(scale)
            size = max(end - start, dtype(0.1)) / dtype(bins)
            if not (np.isfinite(start) and np.isfinite(size)):
                return [(0, 0)] * bins
            edges = [(math.floor(dtype(p) * size + start), math.ceil(dtype(p + 1) * size + start)) for p in range(bins)]
    return [tuple(min(max(edge, 0), cells) for edge in bin_) for bin_ in edges]


def range_taps(ranges):
    return [(np.arange(a, b), np.full(b - a, 1 / (b - a))) if b > a else NO_TAPS for a, b in ranges]


@remembered
def ps_roi_pool(
    features, rois, output_size, scale, out_channels, group=None, rule="rfcn", order="class", dtype=np.float64
):
    rows, columns = pair(output_size)
    scale_y, scale_x = pair(scale)
    height, width = features.shape[2:]

    def axes(box):
        x1, y1, x2, y2 = box
        return (
            range_taps(ps_ranges(rule, y1, y2, scale_y, rows, height, dtype)),
            range_taps(ps_ranges(rule, x1, x2, scale_x, columns, width, dtype)),
        )

    channels = channel_map(out_channels, group or output_size, output_size, order)
    return pool_taps(features, rois, axes, channels, out_channels)


@remembered
def ps_roi_align(
    features,
    rois,
    output_size,
    scale,
    out_channels,
    group=None,
    ratio=-1,
    aligned=True,
    order="class",
    dtype=np.float64,
):
    (rows, columns), (ratio_y, ratio_x) = pair(output_size), pair(ratio)
    scale_y, scale_x = pair(scale)
    height, width = features.shape[2:]

    def axes(box):
        x1, y1, x2, y2 = box
        y = align_interval(y1, y2, scale_y, aligned, dtype)
        x = align_interval(x1, x2, scale_x, aligned, dtype)
        return (
            mean_taps(align_points(y, rows, ratio_y, dtype, height, aligned), height),
            mean_taps(align_points(x, columns, ratio_x, dtype, width, aligned), width),
        )

    channels = channel_map(out_channels, group or output_size, output_size, order)
    return pool_taps(features, rois, axes, channels, out_channels)


# --- RoIWarp, PrRoIPool, crop_and_resize --------------------------------------------------------


def half_zone_taps(point, cells):
    """One sample where the map reaches half a cell beyond its outer centres."""
    if not -0.5 <= point <= cells - 0.5:
        return NO_TAPS
    point = min(max(point, 0.0), cells - 1.0)
    low = int(point)
    upper = point - low
    if upper == 0:
        return np.array([low]), np.array([1.0])
    return np.array([low, low + 1]), np.array([1 - upper, upper])


def warp_points(lo, hi, scale, bins):
    start, end = float(lo) * scale, float(hi) * scale
    if not (math.isfinite(start) and math.isfinite(end)):
        return [math.nan] * bins
    start, end = round_half_away(start), round_half_away(end)
    size = max(end - start, 0) / bins
    return [start + p * size for p in range(bins)]


@remembered
def roi_warp(features, rois, output_size, scale):
    """MNC's RoIWarp: one bilinear sample at the start corner of each bin."""
    rows, columns = pair(output_size)
    scale_y, scale_x = pair(scale)
    height, width = features.shape[2:]

    def axes(box):
        x1, y1, x2, y2 = box
        return (
            [half_zone_taps(v, height) for v in warp_points(y1, y2, scale_y, rows)],
            [half_zone_taps(v, width) for v in warp_points(x1, x2, scale_x, columns)],
        )

    return pool_taps(features, rois, axes)


def hat_integral(lo, hi):
    """Integral of max(0, 1 - |t|) from lo to hi, exact for fractions."""
    total = Fraction(0)
    for left, right, slope in ((-1, 0, 1), (0, 1, -1)):
        a, b = max(lo, left), min(hi, right)
        if b > a:
            total += (b - a) * (1 + slope * (a + b) / 2)
    return total


def precise_taps(lo, hi, scale, bins, cells):
    start, end = float(lo) * scale, float(hi) * scale
    if not (math.isfinite(end - start) and end - start > 0):
        return [NO_TAPS] * bins
    start, size = Fraction(start), (Fraction(end) - Fraction(start)) / bins
    taps = []
    for p in range(bins):
        a = start + size * p
        b = a + size
        near = range(max(math.floor(a), 0), min(math.ceil(b), cells - 1) + 1)
        weights = np.array([float(hat_integral(a - i, b - i) / size) for i in near])
        taps.append(merged(np.array(list(near), np.int64), weights))
    return taps


@remembered
def prroi_pool(features, rois, output_size, scale):
    """The exact mean of the bilinear surface, which falls to 0 one cell outside the map."""
    rows, columns = pair(output_size)
    scale_y, scale_x = pair(scale)
    height, width = features.shape[2:]

    def axes(box):
        x1, y1, x2, y2 = box
        return (
            precise_taps(y1, y2, scale_y, rows, height),
            precise_taps(x1, x2, scale_x, columns, width),
        )

    return pool_taps(features, rois, axes)


def area_taps(lo, hi, scale, bins, cells, mean):
    """Overlaps of cells [i, i + 1) with the parts of the clipped interval, exact for fractions."""
    start, end = (min(max(Fraction(float(v) * scale), Fraction(0)), Fraction(cells)) for v in (lo, hi))
    if end <= start:
        return [NO_TAPS] * bins
    size, taps = (end - start) / bins, []
    for p in range(bins):
        a, b = start + size * p, start + size * (p + 1)
        near = range(math.floor(a), math.ceil(b))
        overlaps = [min(b, i + 1) - max(a, i) for i in near]
        taps.append(
            merged(np.array(list(near), np.int64), np.array([float(o / size if mean else o) for o in overlaps]))
        )
    return taps


@remembered
def area_pool(features, rois, output_size, scale, reduce):
    """Mean or sum over the exact overlap of cells and bins of the box clipped to the map."""
    rows, columns = pair(output_size)
    scale_y, scale_x = pair(scale)
    height, width = features.shape[2:]

    def axes(box):
        x1, y1, x2, y2 = np.clip(np.asarray(box, np.float64), -1e300, 1e300)
        return (
            area_taps(y1, y2, scale_y, rows, height, reduce == "mean"),
            area_taps(x1, x2, scale_x, columns, width, reduce == "mean"),
        )

    return pool_taps(features, rois, axes)


def crop_points(lo, hi, size, cells, dtype=np.float64):
    lo, hi, last = dtype(lo), dtype(hi), dtype(cells - 1)
    with np.errstate(all="ignore"):
        if size == 1:
            return np.array([dtype(0.5) * (lo + hi) * last])
        step = (hi - lo) * last / dtype(size - 1)
        return lo * last + np.arange(size).astype(dtype) * step


def crop_axis(points, cells, method):
    """Per output cell: None where the sample is outside, else its taps."""
    taps = []
    for v in points:
        if not 0 <= v <= cells - 1:
            taps.append(None)
        elif method == "nearest":
            taps.append((np.array([int(round_half_away(v))]), np.ones(1)))
        else:
            low, high = math.floor(v), math.ceil(v)
            upper = float(v - low)
            taps.append(merged(np.array([low, high]), np.array([1 - upper, upper])))
    return taps


@remembered
def crop_and_resize(image, boxes, box_indices, crop_size, method="bilinear", extrapolation=0.0, dtype=np.float64):
    """TensorFlow's crop_and_resize, image (N, H, W, C), boxes (K, 4) yxyx in [0, 1].

    Returns out (K, CH, CW, C) and magnitude of the same shape.
    """
    maps = np.moveaxis(image, -1, 1)
    (rows, columns), (height, width) = pair(crop_size), image.shape[1:3]
    out = np.zeros((2, len(boxes), rows, columns, image.shape[3]))
    for k, (y1, x1, y2, x2) in enumerate(boxes):
        y_taps = crop_axis(crop_points(y1, y2, rows, height, dtype), height, method)
        x_taps = crop_axis(crop_points(x1, x2, columns, width, dtype), width, method)
        for i, y in enumerate(y_taps):
            for j, x in enumerate(x_taps):
                if y is None or x is None:
                    out[0, k, i, j] = extrapolation
                else:
                    out[:, k, i, j] = weighted(maps[box_indices[k]], y, x)
    return out[0], out[1]


# --- pyramid levels -----------------------------------------------------------------------------


def box_side(box, plus=0.0, dtype=np.float32):
    x1, y1, x2, y2 = (dtype(v) for v in box)
    with np.errstate(all="ignore"):
        return np.sqrt((x2 - x1 + dtype(plus)) * (y2 - y1 + dtype(plus)))


def pyramid_level(rule, box, lowest, highest, dtype=np.float32):
    """Level of one box by a framework's rule, clamped to [lowest, highest]; None if it has none.

    A negative product of the sides has no level (its root is NaN); no area is the lowest level.
    """
    side = box_side(box, 1.0 if rule == "maskrcnn_benchmark" else 0.0, dtype)
    if np.isnan(side):
        return None
    eps = dtype(1e-6)
    with np.errstate(all="ignore"):
        ratio = side / dtype(224)
        if rule == "torchvision":
            level = np.floor(dtype(4) + np.log2(ratio) + eps)
        elif rule in ("torchvision_old", "maskrcnn_benchmark", "paddle"):
            level = np.floor(dtype(4) + np.log2(ratio + eps))
        elif rule == "detectron2":
            level = np.floor(dtype(4) + np.log2(ratio + dtype(1e-8)))
        elif rule == "mmdet":
            level = np.floor(np.log2(side / dtype(56) + eps)) + dtype(2)
        elif rule == "tensorflow":
            level = np.floor(np.log(ratio) / np.log(dtype(2))) + dtype(4)
        elif rule == "fpn":
            level = np.floor(dtype(4) + np.log2(ratio))
        elif rule == "tensorrt":
            level = dtype(2 + sum(side * side > dtype(s) * dtype(s) for s in (112, 224, 448)))
        else:
            raise ValueError(rule)
    return int(min(max(level, lowest), highest))


# --- rotated and deformable -----------------------------------------------------------------------


def gather_mean(image, points, count):
    """Mean over (y, x) samples in image (C, H, W) with RoIAlign's zone, divided by `count`."""
    corners, _ = corners_of(image, points)
    count = max(count, 1)
    return corners.sum(axis=(1, 2)) / count, np.abs(corners).sum(axis=(1, 2)) / count


def rotated_points(roi, output_size, scale, ratio, aligned, clockwise, unit, dtype):
    """points(i, j): the (y, x) samples of a bin of [cx, cy, w, h, angle], and their number."""
    rows, columns = pair(output_size)
    scale_y, scale_x = pair(scale)
    shift = dtype(0.5) if aligned else dtype(0)
    cx, cy = dtype(roi[0]) * dtype(scale_x) - shift, dtype(roi[1]) * dtype(scale_y) - shift
    width, height = dtype(roi[2]) * dtype(scale_x), dtype(roi[3]) * dtype(scale_y)
    if not aligned:
        width, height = max(width, dtype(1)), max(height, dtype(1))
    angle = dtype(roi[4]) * (dtype(math.pi) / dtype(180) if unit == "degrees" else dtype(1))
    if clockwise:
        angle = -angle
    cos, sin = np.cos(angle), np.sin(angle)
    ys = align_points((-height / dtype(2), height), rows, pair(ratio)[0], dtype)
    xs = align_points((-width / dtype(2), width), columns, pair(ratio)[1], dtype)

    def points(i, j):
        y, x = mesh(ys[i], xs[j]).T
        return np.stack([y * cos - x * sin + cy, y * sin + x * cos + cx], axis=1), len(y)

    return points


def roi_align_rotated(
    features, rois, output_size, scale, ratio=-1, aligned=True, clockwise=False, unit="radians", dtype=np.float64
):
    """rois (K, 6) [batch, cx, cy, w, h, angle]; positive angles turn counter-clockwise."""
    rows, columns = pair(output_size)
    out = np.zeros((2, len(rois), features.shape[1], rows, columns))
    for k, roi in enumerate(rois):
        points = rotated_points(roi[1:], output_size, scale, ratio, aligned, clockwise, unit, dtype)
        for i in range(rows):
            for j in range(columns):
                out[:, k, :, i, j] = gather_mean(features[int(roi[0])], *points(i, j))
    return out[0], out[1]


def riroi_align_rotated(
    features, rois, output_size, scale, ratio=-1, orientations=8, clockwise=False, dtype=np.float64
):
    """Rotation-invariant RoIAlign: channels are (class, orientation), mixed by the box's angle.

    No half-pixel shift, extents of at least 1, radians; the orientation index takes the angle
    before `clockwise` negates it.
    """
    rows, columns = pair(output_size)
    out = np.zeros((2, len(rois), features.shape[1], rows, columns))
    for k, roi in enumerate(rois):
        image = features[int(roi[0])].reshape(-1, orientations, *features.shape[2:])
        turn = dtype(roi[5]) * dtype(orientations) / dtype(2 * math.pi)
        index = math.floor(turn)
        upper = float(turn - dtype(index))
        first = (np.arange(orientations) - index) % orientations
        points = rotated_points(roi[1:], output_size, scale, ratio, False, clockwise, "radians", dtype)
        for i in range(rows):
            for j in range(columns):
                flat = image.reshape(-1, *image.shape[2:])
                mean = np.stack(gather_mean(flat, *points(i, j)))
                mean = mean.reshape(2, -1, orientations)
                mixed = (1 - upper) * mean[:, :, first]
                mixed = mixed + upper * mean[:, :, (first + 1) % orientations]
                out[:, k, :, i, j] = mixed.reshape(2, -1)
    return out[0], out[1]


def deform_roi_pool(features, rois, offsets, output_size, scale, ratio=-1, gamma=0.1, dtype=np.float64):
    """mmcv's DeformRoIPool: RoIAlign whose bins move by gamma * extent * offset.

    offsets (K, 2, PH, PW), x plane first, or None.
    """
    (rows, columns), (ratio_y, ratio_x) = pair(output_size), pair(ratio)
    scale_y, scale_x = pair(scale)
    out = np.zeros((2, len(rois), features.shape[1], rows, columns))
    for k, (batch, x1, y1, x2, y2) in enumerate(rois):
        y = align_interval(y1, y2, scale_y, True, dtype)
        x = align_interval(x1, x2, scale_x, True, dtype)
        for i in range(rows):
            for j in range(columns):
                moved = [y, x]
                if offsets is not None and y is not None and x is not None:
                    dx, dy = (dtype(v) for v in offsets[k, :, i, j])
                    moved = [
                        (y[0] + dtype(gamma) * y[1] * dy, y[1]),
                        (x[0] + dtype(gamma) * x[1] * dx, x[1]),
                    ]
                ys = align_points(moved[0], rows, ratio_y, dtype)[i]
                xs = align_points(moved[1], columns, ratio_x, dtype)[j]
                points = mesh(ys, xs)
                out[:, k, :, i, j] = gather_mean(features[int(batch)], points, len(points))
    return out[0], out[1]


def deform_ps_roi_pool(
    features,
    rois,
    trans,
    output_size,
    scale,
    out_channels,
    group,
    part=None,
    samples=4,
    trans_std=0.1,
    dtype=np.float64,
):
    """Deformable PS-RoIPool: samples at sub-bin starts, divided by the number inside the map.

    trans (K, 2 * classes, part, part) with the x plane of each class first, or None.
    """
    (rows, columns), (height, width) = pair(output_size), features.shape[2:]
    part_y, part_x = pair(part or output_size)
    channels = channel_map(out_channels, group, output_size)
    classes = 1 if trans is None else trans.shape[1] // 2
    out = np.zeros((2, len(rois), out_channels, rows, columns))
    for k, (batch, x1, y1, x2, y2) in enumerate(rois):
        start_y, extent_y = deform_interval(y1, y2, pair(scale)[0], dtype)
        start_x, extent_x = deform_interval(x1, x2, pair(scale)[1], dtype)
        for i in range(rows):
            for j in range(columns):
                for c, channel in enumerate(channels(i, j)):
                    dy = dx = dtype(0)
                    if trans is not None:
                        plane = 2 * (c // (out_channels // classes))
                        at = (i * part_y // rows, j * part_x // columns)
                        dx = dtype(trans[k, plane][at]) * dtype(trans_std)
                        dy = dtype(trans[k, plane + 1][at]) * dtype(trans_std)
                    ys = sub_bin_starts(start_y, extent_y, i, rows, samples, dy, dtype)
                    xs = sub_bin_starts(start_x, extent_x, j, columns, samples, dx, dtype)
                    image = features[int(batch), channel][None]
                    out[:, k, c, i, j] = in_map_mean(image, ys, xs, height, width)
    return out[0], out[1]


def deform_interval(lo, hi, scale, dtype):
    start = dtype(round_half_away(lo)) * dtype(scale) - dtype(0.5)
    end = (dtype(round_half_away(hi)) + dtype(1)) * dtype(scale) - dtype(0.5)
    return start, max(end - start, dtype(0.1))


def sub_bin_starts(start, extent, p, bins, samples, shift, dtype):
    size = extent / dtype(bins)
    corner = dtype(p) * size + start + shift * extent
    return [corner + dtype(i) * (size / dtype(samples)) for i in range(samples)]


def in_map_mean(image, ys, xs, height, width):
    inside = [
        [taps for taps in (half_zone_taps(float(point), cells) for point in points) if len(taps[0])]
        for points, cells in ((ys, height), (xs, width))
    ]
    count = len(inside[0]) * len(inside[1])
    if count == 0:
        return 0.0, 0.0
    rows, columns = (tuple(np.concatenate(part) for part in zip(*taps, strict=True)) for taps in inside)
    value, magnitude = weighted(image, rows, columns)
    return value[0] / count, magnitude[0] / count


# --- masks ----------------------------------------------------------------------------------------


def paste_axis(lo, hi, mask_cells, pixels, clip, dtype=np.float64):
    """Per image pixel the taps on the mask (zero outside it), by pixel centres."""
    lo, hi = dtype(lo), dtype(hi)
    first, end = 0, pixels
    if clip:
        first, end = max(math.floor(lo) - 1, 0), min(math.ceil(hi) + 1, pixels)
    taps = [NO_TAPS] * pixels
    for pixel in range(first, end):
        v = float((dtype(pixel) + dtype(0.5) - lo) / (hi - lo)) * mask_cells - 0.5
        if not -1 < v < mask_cells:
            continue
        low = math.floor(v)
        inside = [(i, w) for i, w in ((low, 1 - (v - low)), (low + 1, v - low)) if 0 <= i < mask_cells and w != 0]
        if inside:
            taps[pixel] = tuple(np.array(part) for part in zip(*inside, strict=True))
    return taps


def paste_masks(masks, boxes, image_size, clip=True):
    """Detectron2's paste_masks_in_image before its threshold: (K, H, W) interpolated values.

    clip: only pixels from floor(min) - 1 to ceil(max) + 1 of the box are filled.
    """
    height, width = image_size
    out = np.zeros((2, len(masks), height, width))
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        y_taps = paste_axis(y1, y2, masks.shape[1], height, clip)
        x_taps = paste_axis(x1, x2, masks.shape[2], width, clip)
        for i, rows in enumerate(y_taps):
            for j, columns in enumerate(x_taps):
                if len(rows[0]) and len(columns[0]):
                    value, magnitude = weighted(masks[k][None], rows, columns)
                    out[:, k, i, j] = value[0], magnitude[0]
    return out[0], out[1]


def crop_masks(masks, boxes, size):
    """Detectron2's BitMasks.crop_and_resize before its threshold: aligned RoIAlign, adaptive."""
    rois = np.c_[np.arange(len(boxes)), boxes]
    out, magnitude, taps = roi_align(masks[:, None].astype(np.float64), rois, size, 1.0, 0, True)
    return out[:, 0], magnitude[:, 0], taps
