"""Every result of the library as a digest: ``python tests/support/digests.py`` records `digests.json`, `test_digests.py` compares with it.

A case is an operator with one set of options on a scene: a map and boxes. Its digest is the same for every layout, thread count and
instruction set, but sums of the instruction sets without fused multiply-add ("plain") may have a digest of their own.

What makes the inputs is exact on every machine: random numbers are only added and multiplied, never put through a library's
functions, levels of a pyramid are given, not computed, and angles are those of CLEAR_ANGLES.
"""

import hashlib
import itertools
import json
import math
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastroi

FILE = Path(__file__).with_suffix(".json")
LAYOUTS = ("NCHW", "NHWC", "strided")
DTYPES = ("float32", "float64")
MASK_DTYPES = ("bool", "uint8", "float32", "float64")
THREADS = (1, 2, 5)
ARITHMETICS = ("float64", "float32")
SAMPLINGS = (-1, 2, (3, 0))
ALIGNED = (
    True, False, "image", "least_one", "clamp_half_pixel", "clamp_output_half_pixel", "clamp_asymmetric", "clamp_align_corners",
)  # fmt: skip
ALIGN_REDUCES = ("mean", "max", "max_corners", "max_from_zero", "max_inside")

# No two libraries round every cosine and sine alike, nor does one of them on every processor. Of these angles, as radians and as
# degrees, both lie within 0.4 units of the last place of a float64: whoever errs by less than 0.6 finds that one.
CLEAR_ANGLES = (0, 30, -45, 2, -110, 160, 87, -21, 3, -133, 75, -69, 14)


class Scene(NamedTuple):
    """A map (N, C, H, W), bins, cells per pixel, and `count` boxes whose sides are up to `side` of the map."""

    shape: tuple
    size: tuple
    scale: object
    count: int
    side: float


# All options are put to the small scene, rules of ranges also to one where their edges differ. Some are put to scenes that the core
# cuts up otherwise: tables of maxima and rows of windows, boxes packed one by one, strips of columns, results written past the cache.
SCENES = {
    "small": Scene((2, 19, 9, 13), (3, 2), (0.1, 0.3), 28, 1.2),
    "edges of bins": Scene((1, 3, 40, 60), (7, 11), (0.7, 0.3), 140, 1.5),
    "many boxes": Scene((2, 35, 50, 68), (3, 7), (1 / 8, 1 / 7), 100, 1.0),
    "large map": Scene((1, 21, 90, 110), (2, 3), 1 / 4, 9, 0.2),
    "large bins": Scene((1, 17, 100, 130), (2, 2), 1.0, 80, 4.0),
    "large result": Scene((1, 67, 16, 20), (7, 9), 1 / 8, 750, 0.2),
}
GATHERING = ("roi_align_rotated", "riroi_align_rotated", "deform_roi_pool", "deform_ps_roi_pool")  # slow
MASKED = ("paste_masks", "crop_masks")


def _options(**choices):
    return [dict(zip(choices, values)) for values in itertools.product(*choices.values())]


OPTIONS = {
    "roi_pool": [
        {"rule": rule, **reduce}
        for rule in fastroi.ROI_POOL_RULES
        for reduce in ({"reduce": "max"}, {"reduce": "mean"}, {"return_argmax": True})
    ],
    "roi_align": _options(aligned=ALIGNED, reduce=ALIGN_REDUCES, arithmetic=ARITHMETICS, sampling_ratio=SAMPLINGS),
    "multiscale_roi_align": _options(
        aligned=(True, False, "clamp_asymmetric"), reduce=ALIGN_REDUCES, arithmetic=ARITHMETICS, sampling_ratio=SAMPLINGS
    ),
    "ps_roi_pool": _options(
        rule=("rfcn", "openvino", "torchvision", "chainercv"),
        channel_order=("class", "bin"), arithmetic=ARITHMETICS, group_size=(None, (2, 1)),
    ),
    "ps_roi_align": _options(
        aligned=ALIGNED, channel_order=("class", "bin"), arithmetic=ARITHMETICS, group_size=(None, (2, 1)), sampling_ratio=SAMPLINGS
    ),
    "roi_warp": [{}],
    "prroi_pool": [{}],
    "area_pool": _options(reduce=("mean", "sum")),
    "crop_and_resize": _options(method=("bilinear", "nearest"), extrapolation_value=(0.0, -1.5)),
    "roi_align_rotated": _options(
        aligned=(True, False), clockwise=(False, True), angle_unit=("radians", "degrees"), arithmetic=ARITHMETICS,
        sampling_ratio=SAMPLINGS,
    ),
    "riroi_align_rotated": _options(
        orientations=(1, 3, 8), clockwise=(False, True), angle_unit=("radians", "degrees"), arithmetic=ARITHMETICS,
        sampling_ratio=SAMPLINGS,
    ),
    "deform_roi_pool": _options(moved=(True, False), gamma=(0.1, 0.25), arithmetic=ARITHMETICS, sampling_ratio=SAMPLINGS),
    "deform_ps_roi_pool": _options(
        moved=(True, False), group_size=(None, (2, 1)), part_size=(None, (2, 3)), sample_per_part=(4, 1), trans_std=(0.1, 0.25),
        arithmetic=ARITHMETICS,
    ),
    "paste_masks": _options(
        rule=("detectron2", "detectron2_full", "detectron"), threshold=(0.5, 0.2, None), arithmetic=ARITHMETICS,
    ),
    "crop_masks": _options(
        aligned=(True, False), threshold=(0.5, 0.2, None), arithmetic=ARITHMETICS, sampling_ratio=SAMPLINGS
    ),
}  # fmt: skip


class Case(NamedTuple):
    operator: str
    scene: str
    dtype: str


def scenes_of(operator):
    if operator in MASKED:
        return ["small", "large map"]
    only_for = {"edges of bins": ("roi_pool", "ps_roi_pool"), "large result": ("roi_pool", "roi_align")}
    return [scene for scene in SCENES if operator in only_for.get(scene, (operator,))]


CASES = [
    Case(operator, scene, dtype)
    for operator in OPTIONS
    for scene in scenes_of(operator)
    for dtype in (MASK_DTYPES if operator in MASKED else DTYPES)
]


def options_of(case):
    """All sets of options, or about as many as the scene can afford, in steps that meet every choice of every option."""
    options = OPTIONS[case.operator]
    if case.scene in ("small", "edges of bins"):
        return options
    wanted = 1 if case.scene == "large result" else 3 if case.operator in GATHERING else 5
    step = max(1, len(options) // wanted)
    while math.gcd(step, len(options)) > 1:
        step += 1
    return options[::step]


def name_of(options):
    """Of a set of options: words speak for themselves, other values need their option's name."""
    words = [value if isinstance(value, str) else f"{name}={value}" for name, value in options.items()]
    return " ".join(words) or "defaults"


# --- inputs -------------------------------------------------------------------------------------------------------------------


def groups_of(case, options):
    """Groups of channels that a position-sensitive operator reads apart."""
    return math.prod(options["group_size"] or SCENES[case.scene].size) if "group_size" in options else 1


def channels_of(case, options):
    """Of the map: about the scene's, a multiple of groups or orientations."""
    _, channels, _, _ = SCENES[case.scene].shape
    factor = options.get("orientations") or groups_of(case, options)
    return factor * max(1, channels // factor)


def output_channels_of(case, options):
    return channels_of(case, options) // groups_of(case, options)


@lru_cache(maxsize=16)
def feature_map(shape, dtype):
    """Half the cells hold small integers, so that equal maxima are common."""
    rng = np.random.default_rng(list(shape))
    values = 4 * rng.random(shape) - 2
    whole = rng.integers(-2, 3, shape)
    return np.where(rng.random(shape) < 0.5, whole, values).astype(dtype)


@lru_cache(maxsize=16)
def placed_map(shape, dtype, layout):
    features = feature_map(shape, dtype)
    if layout == "NHWC":
        return np.ascontiguousarray(features.transpose(0, 2, 3, 1))
    return features if layout == "NCHW" else strided_like(features)


def strided(shape, dtype):
    """An array (N, C, H, W) whose axes lie in the order H, N, W, C, from the last row up, with gaps."""
    images, channels, rows, columns = shape
    memory = np.zeros((rows, images, columns + 3, 2 * channels), dtype)
    return memory[::-1, :, 2:-1, ::2].transpose(1, 3, 0, 2)


def strided_like(array):
    copy = strided(array.shape, array.dtype)
    copy[...] = array
    return copy


@lru_cache(maxsize=16)
def boxes_of(scene):
    """(K, 5) [batch, x1, y1, x2, y2]: ordinary, whole, on ties, without width, reversed, beside the map, up to its edge."""
    images, _, height, width = scene.shape
    scale_y, scale_x = np.ones(2) * scene.scale
    extent = np.array([width / scale_x, height / scale_y])
    rng = np.random.default_rng(scene.count)
    centre = (1.4 * rng.random((scene.count, 2)) - 0.2) * extent
    share = rng.random((scene.count, 2))
    half = share * share * scene.side * extent / 2
    low, high = centre - half, centre + half
    kind = np.arange(scene.count) % 14
    whole, ties = kind == 1, (kind == 2) | (kind > 10)
    low[whole], high[whole] = np.floor(low[whole]), np.floor(high[whole])
    cell = 1 / np.array([scale_x, scale_y])
    low[ties], high[ties] = (np.floor(low[ties] / cell) + 0.5) * cell, (np.floor(high[ties] / cell) + 0.5) * cell
    high[kind == 3, 0] = low[kind == 3, 0]
    low[kind == 4], high[kind == 4] = high[kind == 4], low[kind == 4]
    low[kind == 5] += 2 * extent
    high[kind == 6] = -0.5
    batch = rng.integers(0, images, (scene.count, 1))
    return np.concatenate([batch, low, high], axis=1)


def turned(rois):
    """[batch, cx, cy, w, h, angle] of the same boxes."""
    low, high = rois[:, 1:3], rois[:, 3:5]
    angles = np.resize(CLEAR_ANGLES, (len(rois), 1))
    return np.concatenate([rois[:, :1], (low + high) / 2, high - low, angles], axis=1)


def normalised(scene, rois):
    """[y1, x1, y2, x2] of the same boxes, in images; and the image of each."""
    _, _, height, width = scene.shape
    scale_y, scale_x = np.ones(2) * scene.scale
    x1, y1, x2, y2 = rois[:, 1:].T
    boxes = np.stack([y1 * scale_y / height, x1 * scale_x / width, y2 * scale_y / height, x2 * scale_x / width], axis=1)
    return boxes, rois[:, 0].astype(np.int64)


def offsets_of(case, options):
    """Of a deformable operator, those that are position-sensitive a class for each output channel; None if nothing is moved."""
    if not options["moved"]:
        return None
    count, size = SCENES[case.scene].count, SCENES[case.scene].size
    shape = (count, 2, *size)
    if case.operator == "deform_ps_roi_pool":
        shape = (count, 2 * output_channels_of(case, options), *(options["part_size"] or size))
    return (3 * np.random.default_rng(list(shape)).random(shape) - 1.5).astype(case.dtype)


# --- calls --------------------------------------------------------------------------------------------------------------------


def run(case, options, layout, threads):
    """The parts of the result, in the order N, C, H, W."""
    arguments, named = call_of(case, options, layout, threads)
    return parts_of(getattr(fastroi, case.operator)(*arguments, **named), layout)


def parts_of(result, layout):
    parts = result if isinstance(result, tuple) else (result,)
    return [part.transpose(0, 3, 1, 2) if layout == "NHWC" and part.ndim == 4 else part for part in parts]


def call_of(case, options, layout, threads):
    """Arguments and keywords of the operator's call."""
    if case.operator in MASKED:
        return call_of_masks(case, options, layout, threads)
    scene = SCENES[case.scene]
    named = {name: value for name, value in options.items() if name != "moved"}
    named.update(layout="NHWC" if layout == "NHWC" else "NCHW", num_threads=threads)
    if case.operator == "multiscale_roi_align":
        named["levels"] = np.arange(scene.count) // 3 % 2
    if layout == "strided":
        named["out"] = strided((scene.count, output_channels_of(case, options), *scene.size), case.dtype)
    return arguments_of(case, options, layout), named


def arguments_of(case, options, layout):
    """What an operator is called with before its options."""
    scene = SCENES[case.scene]
    images, _, height, width = scene.shape
    channels = channels_of(case, options)
    features = placed_map((images, channels, height, width), case.dtype, layout)
    rois = boxes_of(scene)
    if case.operator == "crop_and_resize":
        boxes, indices = normalised(scene, rois)
        return features, boxes.astype(case.dtype), indices, scene.size
    rois = (turned(rois) if "rotated" in case.operator else rois).astype(case.dtype)
    if case.operator == "multiscale_roi_align":
        coarse = placed_map((images, channels, (height + 1) // 2, (width + 1) // 2), case.dtype, layout)
        scale = np.max(scene.scale)
        return [features, coarse], rois, scene.size, [scale, scale / 2]
    moves = [offsets_of(case, options)] if "moved" in options else []
    return features, rois, *moves, scene.size, scene.scale


def call_of_masks(case, options, layout, threads):
    scene = SCENES[case.scene]
    _, _, height, width = scene.shape
    boxes = boxes_of(scene)[:, 1:] * np.tile(np.ones(2) * scene.scale, 2)
    paste = case.operator == "paste_masks"
    shape = (scene.count, 4, 3) if paste else (scene.count, height, width)
    size = (height, width) if paste else scene.size
    values = np.random.default_rng(list(shape)).random(shape)
    masks = values.astype(case.dtype) if case.dtype.startswith("float") else (values < 0.5).astype(case.dtype)
    named = {"num_threads": threads}
    if layout == "strided":
        masks = strided_like(masks[:, None])[:, 0]
        wide = "float64" if case.dtype == "float64" else "float32"
        dtype = wide if options["threshold"] is None else "bool"
        named["out"] = strided((scene.count, 1, *size), dtype)[:, 0]
    return (masks, boxes, size), options | named


def digest(parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{part.shape} {part.dtype}".encode())
        total.update(np.ascontiguousarray(part).data)
    return total.hexdigest()[:12]


# --- the record ---------------------------------------------------------------------------------------------------------------


def kind_of(isa):
    return "plain" if isa == "baseline" else "fused"


def recorded():
    return json.loads(FILE.read_text())


def expected(record, case, options, isa):
    """Digest of the record; "plain" holds only those that differ from "fused"."""
    case, options = " ".join(case), name_of(options)
    own = record[kind_of(isa)].get(case, {})
    return own[options] if options in own else record["fused"][case][options]


def digests_of(case, isa):
    with fastroi.simd.use(isa):
        return {name_of(options): digest(run(case, options, "NCHW", 1)) for options in options_of(case)}


def main():
    best = fastroi.simd.supported()[0]
    if kind_of(best) == "plain":
        sys.exit("a processor with fused multiply-add is needed")
    record = {"fused": {}, "plain": {}}
    for case in CASES:
        fused, plain = digests_of(case, best), digests_of(case, "baseline")
        record["fused"][" ".join(case)] = fused
        own = {name: plain[name] for name in plain if plain[name] != fused[name]}
        if own:
            record["plain"][" ".join(case)] = own
    FILE.write_text(json.dumps(record, indent=0) + "\n")


if __name__ == "__main__":
    main()
