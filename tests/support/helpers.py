"""Inputs shared by the tests: maps, boxes of every awkward kind, layouts, exact comparison."""

import hashlib
import inspect
import math
import os
import subprocess
import sys

import numpy as np
import oracle

import fastroi
from fastroi.explain._listing import COLUMN, Listing, unread_map

TAILS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 129)

# (N, C, H, W), (PH, PW), spatial_scale. PH differs from PW wherever both axes have room for it.
CONFIGURATIONS = (
    ((2, 5, 13, 17), (3, 5), 1 / 16),
    ((1, 3, 1, 1), (2, 3), 1 / 32),
    ((3, 4, 1, 23), (1, 7), 0.1),
    ((2, 17, 31, 1), (7, 2), 1.0),
    ((1, 16, 9, 40), (2, 7), 1 / 8),
    ((2, 7, 29, 12), (5, 1), 0.3),
    ((1, 9, 38, 50), (3, 2), (1 / 16, 1 / 7)),
    ((4, 8, 6, 5), (7, 6), 1 / 4),
    ((1, 11, 64, 9), (4, 3), 3.0),
    ((2, 6, 20, 33), (1, 1), 1 / 32),
)

LONG_SCALE = float(os.environ.get("FASTROI_LONG_SCALE") or 1)
SEED = int(os.environ.get("FASTROI_SEED") or 0)

MASK_DTYPES = ("bool", "uint8", "float32", "float64")
HALF_STEPS = (-0.5, 0.5, 1.5, 2.5, -1.5, 0.49999997, 0.49999999999999994, 8388609.0, -2.5)


def axis_taps(name, lo, hi, scale, bins, extent, dtype=np.float64, **options):
    """[(bin, cell, weight), ...]: what an operator plans for one side of a box, in the arithmetic of `dtype`."""
    listing = Listing()
    features = unread_map(listing, (1, 1, 1, extent), dtype)
    if name == "crop_and_resize":
        fastroi.crop_and_resize(features, [[0, lo, 1, hi]], [0], (1, bins), layout="NCHW", **options)
    else:
        getattr(fastroi, name)(features, [[lo, 0, hi, 1]], (1, bins), (1, scale), **options)
    return [(p, cell, weight) for p, taps in enumerate(listing.by_bin(COLUMN, bins)) for cell, weight in taps]


def long_seeds(count):
    """The share FASTROI_LONG_SCALE of `count` seeds, none of an everyday test; others for each FASTROI_SEED."""
    first = 10_000 * (1 + SEED)
    return range(first, first + max(1, round(count * LONG_SCALE)))


def long_share(cases):
    """The share FASTROI_LONG_SCALE of a sequence of cases; others for each FASTROI_SEED."""
    step = min(len(cases), max(1, round(1 / LONG_SCALE)))
    return cases[SEED % step :: step]


def feature_map(rng, shape, dtype=np.float32):
    """Half the images hold small integers, so that equal maxima are common; half are normal."""
    values = rng.standard_normal(shape)
    values[::2] = rng.integers(-9, 9, values[::2].shape)
    return values.astype(dtype)


def _pixel_boxes(rng, count, width, height, scale_x, scale_y):
    """Boxes whose centres lie on and around the map and whose sides are log-uniform."""
    centre = rng.uniform(-0.4, 1.4, (count, 2)) * (width / scale_x, height / scale_y)
    cells = np.exp(rng.uniform(np.log(0.02), np.log(4.0), (count, 2))) * (width, height)
    half = cells / (scale_x, scale_y) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def awkward_boxes(rng, count, height, width, scale):
    """(count, 4) float64 boxes: ordinary, degenerate, reversed, off the map, ties, far away."""
    scale_y, scale_x = scale if np.ndim(scale) else (scale, scale)
    boxes = _pixel_boxes(rng, count, width, height, scale_x, scale_y)
    kind = rng.integers(0, 12, count)
    boxes[kind == 1, 2:] = boxes[kind == 1, :2]
    boxes[kind == 2] = boxes[kind == 2][:, [2, 3, 0, 1]]
    boxes[kind == 3, 0] += 3 * width / scale_x
    boxes[kind == 3, 2] += 3 * width / scale_x
    boxes[kind == 4, 1] -= 5 * height / scale_y
    boxes[kind == 4, 3] -= 5 * height / scale_y
    step = np.array([scale_x, scale_y, scale_x, scale_y])
    ties = kind == 5
    boxes[ties] = (np.round(boxes[ties] * step) + 0.5) / step
    special = kind == 6
    boxes[special] = rng.choice(HALF_STEPS, (int(special.sum()), 4)) / step
    whole = (kind == 7) | (kind == 8)
    boxes[whole] = np.round(boxes[whole])
    far = kind == 9
    boxes[far] *= 10.0 ** rng.uniform(0, 12, (int(far.sum()), 1))
    overflow = np.flatnonzero(kind == 10)[: max(count // 100, 1)]
    boxes[overflow] = rng.choice([-1e308, -3e38, 3e38, 1e308, 0.0], (len(overflow), 4))
    return boxes


def awkward_rois(rng, count, shape, scale):
    """(count, 5) float64 [batch, x1, y1, x2, y2] for a map of `shape` (N, C, H, W)."""
    images, _, height, width = shape
    boxes = awkward_boxes(rng, count, height, width, scale)
    return np.concatenate([rng.integers(0, images, (count, 1)), boxes], axis=1)


def centred_rois(rng, count, shape, scale):
    """(count, 6) [batch, cx, cy, w, h, angle in radians]: ordinary, thin, negative, off the map, right angles."""
    images, _, height, width = shape
    scale_y, scale_x = scale if np.ndim(scale) else (scale, scale)
    cells = np.array([width, height]) / (scale_x, scale_y)
    centre = rng.uniform(-0.3, 1.3, (count, 2)) * cells
    sides = np.exp(rng.uniform(np.log(0.02), np.log(2.0), (count, 2))) * cells
    angle = rng.uniform(-7, 7, count)
    kind = rng.integers(0, 10, count)
    angle[kind == 1] = rng.choice([0, math.pi / 2, math.pi, -math.pi / 2, math.pi / 4], np.sum(kind == 1))
    sides[kind == 2, 0] = 0
    sides[kind == 3] *= -1
    sides[kind == 4, 1] *= 20
    centre[kind == 5] += 4 * cells
    whole = kind == 6
    centre[whole], sides[whole], angle[whole] = np.round(centre[whole]), np.round(sides[whole]), 0
    batch = rng.integers(0, images, (count, 1))
    return np.concatenate([batch, centre, sides, angle[:, None]], axis=1)


def cornered_rois(rng, count, shape, scale):
    """(count, 5) [batch, x1, y1, x2, y2] with adaptive grids that an oracle can walk through."""
    rois = centred_rois(rng, count, shape, scale)
    low, high = rois[:, 1:3] - rois[:, 3:5] / 2, rois[:, 1:3] + rois[:, 3:5] / 2
    rois = np.concatenate([rois[:, :1], low, high], axis=1)
    ties = rng.random(count) < 0.1
    rois[ties, 1:] = np.floor(rois[ties, 1:]) + 0.5
    return rois


def random_masks(rng, shape, dtype="float32"):
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype == "uint8":
        return rng.integers(0, 2, shape).astype(np.uint8)
    return rng.random(shape).astype(dtype)


def random_boxes(rng, count, size, margin=0.3):
    """(count, 4) boxes: inside, across the border, outside, tiny, whole pixels, empty, reversed."""
    height, width = size
    extent = np.array([width, height])
    centre = rng.uniform(-margin, 1 + margin, (count, 2)) * extent
    half = np.exp(rng.uniform(np.log(0.01), np.log(0.8), (count, 2))) * extent / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    kind = rng.integers(0, 10, count)
    boxes[kind == 1] = np.round(boxes[kind == 1])
    boxes[kind == 2] += np.tile(3 * extent, 2)
    boxes[kind == 3, 2] = boxes[kind == 3, 0]
    boxes[kind == 4] = boxes[kind == 4][:, [2, 3, 0, 1]]
    return boxes


def to_layout(features, layout):
    """The same map, contiguous in `layout`; `features` is (N, C, H, W) or (C, H, W)."""
    if layout == "NCHW":
        return np.ascontiguousarray(features)
    return np.ascontiguousarray(np.moveaxis(features, -3, -1))


def from_layout(pooled, layout):
    return pooled if layout == "NCHW" else np.moveaxis(pooled, -1, 1)


def roi_pool(features, rois, output_size, scale, *, layout="NCHW", **options):
    """`fastroi.roi_pool` of an NCHW map through `layout`, result brought back to (K, C, PH, PW)."""
    result = fastroi.roi_pool(to_layout(features, layout), rois, output_size, scale, layout=layout, **options)
    if options.get("return_argmax"):
        return tuple(from_layout(part, layout) for part in result)
    return from_layout(result, layout)


def assert_same(actual, expected, rois=None):
    """Equality of values (+0 equals -0, NaN equals NaN), reported by the first differing RoI."""
    assert actual.shape == expected.shape
    differ = ~((actual == expected) | ((actual != actual) & (expected != expected)))
    if differ.any():
        at = tuple(int(i) for i in np.argwhere(differ)[0])
        box = "" if rois is None else f", roi {list(map(float, rois[at[0]]))}"
        raise AssertionError(
            f"{int(differ.sum())} of {differ.size} values differ; first at {at}: "
            f"{actual[at]!r} instead of {expected[at]!r}{box}"
        )


def assert_mean_close(actual, expected, magnitude, taps):
    """|error| <= (rows + columns + 2) * unit roundoff * mean of |v|, per bin."""
    unit = 2.0**-24 if actual.dtype == np.float32 else 2.0**-53
    bound = (taps[:, None] + 2) * unit * magnitude
    error = np.abs(actual.astype(expected.dtype) - expected)
    worst = np.max(error - bound, initial=-np.inf)
    assert worst <= 0, f"mean exceeds its error bound by {worst}"


def digest(*arrays):
    """SHA-256 over shape, strides, dtype and every byte that the arrays can reach."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(repr((array.shape, array.strides, array.dtype.str)).encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def run_python(code, *, timeout=60, check=True, **environment):
    """Run `code` in a fresh interpreter; a variable set to None is removed."""
    env = dict(os.environ)
    for name, value in environment.items():
        env.pop(name, None)
        if value is not None:
            env[name] = str(value)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=timeout)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def expected_max(features, rois, output_size, scale, rule):
    """Oracle maximum in the features' dtype, with argmax."""
    out, argmax, _ = oracle.roi_pool(features, rois, output_size, scale, rule)
    return out.astype(features.dtype), argmax


def public_operators():
    """Names of the functions of fastroi that fill an array for their caller."""
    named = {name: getattr(fastroi, name) for name in fastroi.__all__}
    return {
        name
        for name, item in named.items()
        if inspect.isfunction(item) and {"out", "num_threads"} <= set(inspect.signature(item).parameters)
    }
