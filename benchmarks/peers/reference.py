"""The operators' values in float64, written from the definitions; what the peers are checked with.

Every operator here splits by axis: first the rows of the map, then its columns. Nothing of
fastroi is imported.
"""

from __future__ import annotations

import numpy as np


def _round_half_away(value: float) -> int:
    return int(np.copysign(np.floor(abs(value) + 0.5), value))


def pool_ranges(low, high, scale, bins, extent, rule="fast_rcnn"):
    """Return the half-open cell ranges of the bins of one axis of RoI pooling, clipped.

    `fast_rcnn`: corners rounded half away from zero, the last cell included, bin p from
    floor(p n / P) to ceil((p + 1) n / P). `fast_rcnn_f32` is the same in float32, whose ceil may
    reach one cell further.
    """
    if rule not in ("fast_rcnn", "fast_rcnn_f32"):
        raise KeyError(f"no reference for the rule {rule!r}")
    if rule == "fast_rcnn_f32":
        low, high, scale = np.float32(low), np.float32(high), np.float32(scale)
    start = _round_half_away(low * scale)
    length = max(_round_half_away(high * scale) - start + 1, 1)
    if rule == "fast_rcnn":
        edges = [(p * length // bins, -(-(p + 1) * length // bins)) for p in range(bins)]
    else:
        step = np.float32(length) / np.float32(bins)
        edges = [(int(np.floor(np.float32(p) * step)), int(np.ceil(np.float32(p + 1) * step))) for p in range(bins)]
    return [(min(max(a + start, 0), extent), min(max(b + start, 0), extent)) for a, b in edges]


def roi_pool(features, rois, output_size, scale, rule="fast_rcnn"):
    """Maximum over the cells of each bin; 0 where a bin holds none. NCHW, rois (K, 5)."""
    (ph, pw), (_, channels, height, width) = output_size, features.shape
    result = np.zeros((len(rois), channels, ph, pw))
    for k, (batch, x1, y1, x2, y2) in enumerate(rois):
        plane = features[int(batch)]
        columns = pool_ranges(x1, x2, scale, pw, width, rule)
        for i, (top, bottom) in enumerate(pool_ranges(y1, y2, scale, ph, height, rule)):
            if bottom <= top:
                continue
            row = plane[:, top:bottom].max(axis=1)
            for j, (left, right) in enumerate(columns):
                if right > left:
                    result[k, :, i, j] = row[:, left:right].max(axis=1)
    return result


def align_weights(low, high, scale, bins, extent, sampling_ratio=-1, aligned=True):
    """Return the (bins, extent) matrix by which RoIAlign averages one axis of the map."""
    offset = 0.5 if aligned else 0.0
    start, stop = float(low) * scale - offset, float(high) * scale - offset
    length = stop - start if aligned else max(stop - start, 1.0)
    step = length / bins
    samples = sampling_ratio if sampling_ratio > 0 else int(np.ceil(length / bins))
    weights = np.zeros((bins, extent))
    for p in range(bins):
        for i in range(samples):
            position = start + p * step + (i + 0.5) * step / samples
            if not -1 <= position <= extent:
                continue
            position = min(max(position, 0.0), extent - 1.0)
            cell = int(position)
            weights[p, cell] += cell + 1 - position
            if position > cell:
                weights[p, cell + 1] += position - cell
    return weights / max(samples, 1)


def _weighted(plane, rows, columns):
    return np.einsum("ih,chw,jw->cij", rows, plane, columns, optimize=True)


def _crop_of(rows, columns):
    """Return slices of the cells with any weight: huge maps are mostly outside a box."""
    slices = []
    for weights in (rows, columns):
        used = np.flatnonzero(weights.any(axis=0))
        slices.append(slice(used[0], used[-1] + 1) if len(used) else slice(0, 1))
    return slices


def roi_align(features, rois, output_size, scale, sampling_ratio=-1, aligned=True):
    """Mean of the bilinear samples of each bin. NCHW, rois (K, 5)."""
    (ph, pw), (_, channels, height, width) = output_size, features.shape
    result = np.zeros((len(rois), channels, ph, pw))
    for k, (batch, x1, y1, x2, y2) in enumerate(rois):
        rows = align_weights(y1, y2, scale, ph, height, sampling_ratio, aligned)
        columns = align_weights(x1, x2, scale, pw, width, sampling_ratio, aligned)
        ys, xs = _crop_of(rows, columns)
        plane = features[int(batch)][:, ys, xs]
        result[k] = _weighted(plane, rows[:, ys], columns[:, xs])
    return result


def ps_roi_align(features, rois, output_size, scale, sampling_ratio=-1):
    """Position-sensitive RoIAlign, aligned; channel (c * PH + i) * PW + j feeds bin (i, j)."""
    ph, pw = output_size
    everything = roi_align(features, rois, output_size, scale, sampling_ratio, True)
    grouped = everything.reshape(len(rois), -1, ph, pw, ph, pw)
    return np.einsum("kcijij->kcij", grouped)


def _rfcn_ranges(low, high, scale, bins, extent):
    start = _round_half_away(low) * scale
    step = max((_round_half_away(high) + 1) * scale - start, 0.1) / bins
    edges = [(np.floor(start + p * step), np.ceil(start + (p + 1) * step)) for p in range(bins)]
    return [(int(min(max(a, 0), extent)), int(min(max(b, 0), extent))) for a, b in edges]


def _torchvision_ranges(low, high, scale, bins, extent):
    start, stop = _round_half_away(low * scale), _round_half_away(high * scale)
    step = max(stop - start, 1) / bins
    edges = [(np.floor(p * step) + start, np.ceil((p + 1) * step) + start) for p in range(bins)]
    return [(int(min(max(a, 0), extent - 1)), int(min(max(b, 0), extent - 1))) for a, b in edges]


def ps_roi_pool(features, rois, output_size, scale, rule="rfcn"):
    """Position-sensitive mean, R-FCN's rule or torchvision's; an empty bin gives 0."""
    ranges = {"rfcn": _rfcn_ranges, "torchvision": _torchvision_ranges}[rule]
    (ph, pw), (_, channels, height, width) = output_size, features.shape
    result = np.zeros((len(rois), channels // (ph * pw), ph, pw))
    for k, (batch, x1, y1, x2, y2) in enumerate(rois):
        plane = features[int(batch)].reshape(-1, ph, pw, height, width)
        columns = ranges(x1, x2, scale, pw, width)
        for i, (top, bottom) in enumerate(ranges(y1, y2, scale, ph, height)):
            for j, (left, right) in enumerate(columns):
                if bottom > top and right > left:
                    cells = plane[:, i, j, top:bottom, left:right]
                    result[k, :, i, j] = cells.mean(axis=(1, 2))
    return result


def _crop_weights(low, high, bins, extent):
    """Return TensorFlow's sample weights of one axis; its positions are float32 sums."""
    last = np.float32(extent - 1)
    low, high = np.float32(low), np.float32(high)
    step = (high - low) * last / np.float32(bins - 1) if bins > 1 else np.float32(0)
    first = low * last if bins > 1 else np.float32(0.5) * (low + high) * last
    weights = np.zeros((bins, extent))
    for p in range(bins):
        position = first + np.float32(p) * step
        if not 0 <= position <= last:
            continue
        cell = int(np.floor(position))
        weights[p, cell] += 1 - (float(position) - cell)
        if position > cell:
            weights[p, cell + 1] += float(position) - cell
    return weights


def crop_and_resize(features, boxes, indices, output_size):
    """Bilinear crops of an NHWC map; boxes (K, 4) normalised [y1, x1, y2, x2]; 0 outside."""
    (ph, pw), (_, height, width, channels) = output_size, features.shape
    result = np.zeros((len(boxes), ph, pw, channels))
    for k, (y1, x1, y2, x2) in enumerate(boxes):
        rows, columns = _crop_weights(y1, y2, ph, height), _crop_weights(x1, x2, pw, width)
        ys, xs = _crop_of(rows, columns)
        plane = features[int(indices[k]), ys, xs].transpose(2, 0, 1)
        result[k] = _weighted(plane, rows[:, ys], columns[:, xs]).transpose(1, 2, 0)
    return result


EXACT = ("roi_pool",)
"""Operators whose result is a value of the map: compared with ==."""


def expected(case, features, boxes, indices=None, rule=None):
    """Return the case's float64 result for the given boxes, or None if none is written here."""
    values = np.asarray(features, dtype="float64")
    size, scale = case.output_size, case.scale
    if case.op == "roi_pool":
        return roi_pool(values, boxes, size, scale, rule or case.params["rule"])
    if case.op == "roi_align":
        return roi_align(values, boxes, size, scale, **case.params)
    if case.op == "ps_roi_pool":
        return ps_roi_pool(values, boxes, size, scale, rule or "rfcn")
    if case.op == "ps_roi_align":
        return ps_roi_align(values, boxes, size, scale, **case.params)
    if case.op == "crop_and_resize":
        return crop_and_resize(values, boxes, indices, size)
    return None


def compare(op, wanted, got, tolerance=2e-4):
    """Return how the result of a peer differs from the reference, RoI by RoI.

    Returns
    -------
    dict
        rois, disagreeing (RoIs with any value off), largest (largest absolute difference).
        For an operator of `EXACT` any difference counts; otherwise one beyond `tolerance`,
        which is set by peers that compute sample positions in float32.
    """
    difference = np.abs(np.asarray(got, dtype="float64") - wanted)
    difference = np.where(np.isnan(difference), np.inf, difference).reshape(len(wanted), -1)
    worst = difference.max(axis=1, initial=0.0)
    off = worst > (0.0 if op in EXACT else tolerance)
    return {
        "rois": len(worst),
        "disagreeing": int(off.sum()),
        "largest": float(worst.max(initial=0.0)),
        "first": np.flatnonzero(off)[:10].tolist(),
    }
