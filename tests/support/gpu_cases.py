"""What the emulated and the real GPU are both asked."""

import math

import numpy as np
from helpers import (
    MASK_DTYPES,
    assert_same,
    awkward_rois,
    axis_taps,
    feature_map,
    from_layout,
    random_boxes,
    random_masks,
    to_layout,
)

import fastroi
from fastroi import _core
from fastroi._checks.call import named_dtype

ELEMENTS = {name: named_dtype(name) for name in _core.elements()}
INTEGERS = [kind for kind in ELEMENTS.values() if kind.kind in "iu"]

# Each element once as that of maps and once as that of results; all pairs are in the long set.
PAIRS = (
    ("uint8", "float32"), ("float16", "float16"), ("bfloat16", "bfloat16"), ("int8", "uint16"), ("uint16", "int8"),
    ("int16", "float64"), ("float64", "uint8"), ("float32", "int16"),
)  # fmt: skip

ALIGNED = _core.OPERATORS["roi_align"].fields["aligned"].choices
RATIOS = {"asymmetric": (0, 1, 2, 5), "half_pixel": (0, 1, 2, 5)}
SHAPES = (
    ((2, 8, 13, 17), (3, 5), 1 / 16),
    ((1, 3, 1, 1), (2, 3), 1 / 32),
    ((3, 4, 1, 23), (1, 7), 0.1),
    ((1, 35, 38, 50), (7, 7), (1 / 16, 1 / 7)),
    ((2, 6, 20, 33), (1, 1), 1.0),
    ((1, 2, 6, 5), (9, 12), 1 / 4),
)

# Maps large beside their bins, for bins of any number of cells: rows of one strip of columns up to several, planes that one access
# of 16 bytes fits and some that none does, more images than one. (shape, bins, scale, RoIs)
LARGE_MAPS = (
    ((1, 3, 40, 300), (2, 3), 1 / 4, 130),
    ((2, 5, 31, 47), (1, 2), 0.3, 95),
    ((1, 2, 3, 301), 1, 1.0, 60),
    ((1, 4, 60, 64), (5, 3), 1 / 2, 20),
    ((1, 8, 33, 64), 2, 1 / 2, 170),  # read often enough to be packed: the device chooses
)
ANY_NUMBER_OF_CELLS = {
    "roi_pool": ({"rule": "fast_rcnn"}, {"rule": "floor"}, {"rule": "chainer", "reduce": "mean"}),
    "roi_align": ({"sampling_ratio": -1}, {"sampling_ratio": (2, 0), "aligned": False, "arithmetic": "float32"}),
    "prroi_pool": ({},),
    "area_pool": ({"reduce": "sum"},),
}

# Keyword sets of every operator. "groups" marks position-sensitive ones, whose channels are multiplied.
OPERATORS = {
    "roi_pool": [{"rule": rule, "reduce": reduce} for rule in fastroi.ROI_POOL_RULES for reduce in ("max", "mean")],
    "roi_align": [
        {"sampling_ratio": ratio, "aligned": aligned, "arithmetic": arithmetic}
        for ratio in (-1, 1, 2, (3, 2))
        for aligned, arithmetic in (
            (True, "float64"),
            (False, "float32"),
            ("image", "float64"),
            ("least_one", "float32"),
            ("clamp_half_pixel", "float32"),
            ("clamp_output_half_pixel", "float64"),
            ("clamp_asymmetric", "float64"),
            ("clamp_align_corners", "float32"),
        )
    ],
    "roi_align_max": [
        {"sampling_ratio": ratio, "reduce": reduce, "aligned": aligned}
        for ratio, aligned in ((-1, True), (2, False), (-1, "clamp_half_pixel"), (2, "clamp_asymmetric"))
        for reduce in ("max", "max_corners", "max_from_zero", "max_inside")
    ],
    "ps_roi_pool": [
        {"rule": rule, "channel_order": order, "arithmetic": arithmetic}
        for rule in ("rfcn", "openvino", "torchvision", "chainercv")
        for order, arithmetic in (("class", "float64"), ("bin", "float32"))
    ],
    "ps_roi_align": [
        {"sampling_ratio": ratio, "channel_order": order} for ratio in (-1, 2) for order in ("class", "bin")
    ],
    "roi_warp": [{}],
    "prroi_pool": [{}],
    "area_pool": [{"reduce": reduce} for reduce in ("mean", "sum")],
    "crop_and_resize": [
        {"method": method, "extrapolation_value": -1.5, "end": end}
        for method, end in (("bilinear", "tensorflow"), ("nearest", "exact"), ("bilinear", "exact"))
    ],
    "roi_align_rotated": [
        {
            "sampling_ratio": ratio,
            "clockwise": clockwise,
            "aligned": aligned,
            "arithmetic": arithmetic,
            "angle_unit": unit,
        }
        for ratio in (-1, 2, (5, 4))
        for clockwise, aligned, arithmetic, unit in (
            (True, True, "float64", "radians"),
            (False, False, "float32", "degrees"),
        )
    ],
    "riroi_align_rotated": [
        {"sampling_ratio": ratio, "orientations": orientations, "clockwise": ratio > 0, "arithmetic": arithmetic}
        for ratio, orientations in ((-1, 3), (2, 8), (4, 1))
        for arithmetic in ("float64", "float32")
    ],
    "deform_roi_pool": [
        {"sampling_ratio": ratio, "arithmetic": arithmetic, "gamma": 0.25}
        for ratio in (-1, 1, (3, 2))
        for arithmetic in ("float64", "float32")
    ],
    "deform_ps_roi_pool": [
        {
            "group_size": group,
            "part_size": part,
            "sample_per_part": samples,
            "trans_std": 0.25,
            "arithmetic": arithmetic,
        }
        for group, part, samples in ((None, None, 4), (1, (2, 3), 1), ((2, 1), None, 3))
        for arithmetic in ("float64", "float32")
    ],
}
TURNED = ("roi_align_rotated", "riroi_align_rotated")  # cosine and sine, which no two libraries round alike


def moderate_rois(rng, count, shape, scale):
    """Awkward RoIs without those whose adaptive grids have millions of points."""
    rois = awkward_rois(rng, 2 * count, shape, scale)
    return rois[np.abs(rois[:, 1:]).max(axis=1) * np.max(scale) < 1e5][:count]


def run_operator(name, settings, features, rois, size, scale, layout, to_device=np.asarray):
    """One operator on an NCHW map through `layout`, back in NCHW."""
    settings = dict(settings, layout=layout)
    if name == "crop_and_resize":
        extents = np.array([features.shape[3], features.shape[2]] * 2) / (np.ones(2) * scale)[[1, 0, 1, 0]]
        normalised = (rois[:, 1:] / extents)[:, [1, 0, 3, 2]]
        images = rois[:, 0].astype(np.int64)
        arguments = to_device(to_layout(features, layout)), to_device(normalised), to_device(images), size
        return from_layout(fastroi.crop_and_resize(*arguments, **settings), layout)
    operator = getattr(fastroi, name.removesuffix("_max"))
    features = with_channels_of(name, settings, features, size)
    arguments = (size, scale)
    if name.startswith("deform"):
        arguments = to_device(random_offsets(name, settings, features, len(rois), size)), size, scale
    boxes = to_device(turned(rois) if name in TURNED else rois)
    return from_layout(operator(to_device(to_layout(features, layout)), boxes, *arguments, **settings), layout)


def with_channels_of(name, settings, features, size):
    """The map with as many channels as groups or orientations ask for: some for each of its own."""
    if name.startswith("ps_"):
        times = math.prod(size)
    elif name == "deform_ps_roi_pool":
        times = math.prod(np.broadcast_to(settings["group_size"] or size, 2))
    else:
        times = settings.get("orientations", 1)
    return np.concatenate([features + np.asarray(g, features.dtype) for g in range(times)], axis=1)


def random_offsets(name, settings, features, count, size):
    """Offsets of `count` boxes; a class for each output channel of a position-sensitive operator. Beside maps of integers halves."""
    rng = np.random.default_rng(count)
    kind = np.dtype(np.float16) if features.dtype.kind in "iu" else features.dtype
    if name == "deform_roi_pool":
        return rng.standard_normal((count, 2, *size)).astype(kind)
    groups = math.prod(np.broadcast_to(settings["group_size"] or size, 2))
    parts = np.broadcast_to(settings["part_size"] or size, 2)
    return rng.standard_normal((count, 2 * features.shape[1] // groups, *parts)).astype(kind)


def turned(rois):
    """[batch, cx, cy, w, h, angle] of the same boxes; every fifth is not turned."""
    low, high = rois[:, 1:3], rois[:, 3:5]
    angle = np.linspace(-7, 7, len(rois))
    angle[::5] = 0
    return np.concatenate([rois[:, :1], (low + high) / 2, high - low, angle[:, None]], axis=1)


def check_large_maps(rng, dtype, to_device, read, expected_of):
    """Boxes of any number of cells have the CPU's bits in every layout; yields the name of each operator as it is checked."""
    for shape, size, scale, count in LARGE_MAPS:
        rois = moderate_rois(rng, count, shape, scale)
        features = feature_map(rng, shape, dtype)
        if np.dtype(dtype).kind == "f":
            features[rng.random(shape) < 0.01] = -0.0
        padded = np.zeros((*shape[:3], shape[3] + 3), features.dtype)
        padded[..., :-3] = features
        for name, choices in ANY_NUMBER_OF_CELLS.items():
            operator = getattr(fastroi, name)
            for settings in choices:
                expected = expected_of(operator, features, rois, size, scale, **settings)
                for layout, maps in (
                    ("NCHW", features),
                    ("NHWC", to_layout(features, "NHWC")),
                    ("NCHW", padded[..., :-3]),
                ):
                    pooled = operator(to_device(maps), to_device(rois), size, scale, layout=layout, **settings)
                    assert_same(from_layout(read(pooled), layout), expected, rois)
                yield name


def element_map(rng, shape, kind):
    """A map of an element, of integers about as far as 8 bits reach and some beyond."""
    if kind.kind not in "iu":
        return feature_map(rng, shape).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(max(limits.min, -300), min(limits.max, 300), shape, kind, endpoint=True)


def assert_same_bits(got, expected, what):
    """NaNs apart, of which there is one on a GPU."""
    assert got.dtype == expected.dtype, what
    assert got.shape == expected.shape, what
    bits = [np.ascontiguousarray(array).view(f"u{array.itemsize}") for array in (got, expected)]
    both_nan = (got != got) & (expected != expected)
    assert ((bits[0] == bits[1]) | both_nan).all(), what


def check_elements(rng, kind, results, to_device, read, expected_of, names=tuple(OPERATORS), shapes=SHAPES):
    """Maps of one element to results of some: every operator; settings, layouts and results take turns. Returns how many were compared."""
    compared = 0
    for shape, size, scale in shapes:
        features, rois = element_map(rng, shape, kind), moderate_rois(rng, 20, shape, scale)
        for name in names:
            choices = OPERATORS[name]
            for result in results:
                settings = {**choices[compared % len(choices)], "dtype": result}
                layout = ("NCHW", "NHWC")[compared // len(choices) % 2]
                arguments = name, settings, features, rois, size, scale, layout
                pooled = read(run_operator(*arguments, to_device))
                assert_same_bits(pooled, expected_of(run_operator, *arguments), (arguments[:2], shape, layout))
                compared += 1
    return compared


def half_bound(expected, magnitude, taps, dtype):
    """One rounding to the half type after a float32 sum."""
    unit, least = (2.0**-11, 2.0**-25) if dtype == "float16" else (2.0**-8, 2.0**-134)
    summed = (taps[:, None] + 2) * 2.0**-24 * magnitude
    return summed + unit * (np.abs(expected) + summed) + least


def compare_plans(runtime, to_device, read):
    """Compare ranges and taps that the device planned with the CPU's, bit for bit; returns how many bins were compared.

    `read(address, size)` copies device memory to the host.
    """
    compared = 0
    plans = []
    launch = runtime.launch

    def recording(kernel_set, name, blocks, threads, shared_bytes, call):
        launch(kernel_set, name, blocks, threads, shared_bytes, call)
        if name.startswith("plan_"):
            plans.append({
                "bins": (call.bins_h, call.bins_w),
                "y": read(call.y_items, call.count * (call.y_capacity * 8 or call.bins_h * 8)).tobytes(),
                "x": read(call.x_items, call.count * (call.x_capacity * 8 or call.bins_w * 8)).tobytes(),
                "y_first": read(call.y_first, call.count * (call.bins_h + 1) * 4).tobytes() if call.y_first else b"",
                "x_first": read(call.x_first, call.count * (call.bins_w + 1) * 4).tobytes() if call.x_first else b"",
                "capacity": (call.y_capacity, call.x_capacity),
            })  # fmt: skip

    rng = np.random.default_rng(59)
    shape, (rows, columns), scale = (1, 1, 31, 47), (7, 5), 0.3
    rois = moderate_rois(rng, 150, shape, scale)[:, 1:]
    features = to_device(feature_map(rng, shape))
    runtime.launch = recording
    try:
        for rule in fastroi.ROI_POOL_RULES:
            fastroi.roi_pool(features, to_device(rois), (rows, columns), scale, rule=rule)
            plan = plans.pop()
            for axis, extent, bins in (("y", 31, rows), ("x", 47, columns)):
                device = np.frombuffer(plan[axis], np.int32).reshape(len(rois), bins, 2)
                for k, box in enumerate(rois):
                    lo, hi = box[[1, 3]] if axis == "y" else box[[0, 2]]
                    host = np.array(_core.axis_ranges(rule, lo, hi, scale, bins, extent)[1])
                    host[host[:, 1] <= host[:, 0]] = 0
                    assert (device[k] == host).all(), (rule, axis, box)
                    compared += bins
        tap = np.dtype([("index", np.int32), ("weight", np.float32)])
        for op, options in (
            (
                "roi_align",
                [
                    {"sampling_ratio": ratio, "aligned": aligned}
                    for aligned in ALIGNED
                    for ratio in RATIOS.get(aligned, (0, 2))
                ],
            ),
            ("roi_warp", [{}]),
            ("prroi_pool", [{}]),
            ("area_pool", [{"reduce": "mean"}, {"reduce": "sum"}]),
        ):
            for keywords in options:
                getattr(fastroi, op)(features, to_device(rois), (rows, columns), scale, **keywords)
                plan = plans.pop()
                for axis, extent, bins, capacity in zip("yx", (31, 47), (rows, columns), plan["capacity"], strict=True):
                    first = np.frombuffer(plan[axis + "_first"], np.int32).reshape(len(rois), bins + 1)
                    taps = np.frombuffer(plan[axis], tap).reshape(len(rois), capacity)
                    for k, box in enumerate(rois):
                        lo, hi = box[[1, 3]] if axis == "y" else box[[0, 2]]
                        kept = axis_taps(op, lo, hi, scale, bins, extent, np.float32, **keywords)
                        own = [(p, *t) for p in range(bins) for t in taps[k, first[k, p] : first[k, p + 1]].tolist()]
                        assert own == kept, (op, keywords, axis, box)
                        compared += bins
    finally:
        runtime.launch = launch
    return compared


def mask_calls(rng):
    """(arguments of paste_masks or crop_masks, keywords, its name): every rule, type and threshold."""
    for dtype in MASK_DTYPES:
        for shape, size in (((7, 9), (37, 300)), ((1, 1), (9, 5)), ((28, 28), (12, 17))):
            masks, boxes = random_masks(rng, (30, *shape), dtype), random_boxes(rng, 30, size)
            for rule in ("detectron2", "detectron2_full", "detectron"):
                for threshold, arithmetic in ((0.5, "float64"), (0, "float32"), (None, "float32"), (None, "float64")):
                    yield (masks, boxes, size, threshold), {"rule": rule, "arithmetic": arithmetic}, "paste_masks"
        for size, bins in (((15, 21), 3), ((1, 9), (2, 3)), ((60, 70), (14, 9))):
            masks, boxes = random_masks(rng, (30, *size), dtype), random_boxes(rng, 30, size)
            indices = rng.integers(0, 30, 30)
            for threshold, ratio, aligned in ((0.5, -1, True), (0, 2, False), (None, -1, True), (None, (1, 3), False)):
                keywords = {"sampling_ratio": ratio, "aligned": aligned, "mask_indices": indices if aligned else None}
                yield (
                    (masks, boxes, bins, threshold),
                    {**keywords, "arithmetic": "float32" if ratio == 2 else "float64"},
                    "crop_masks",
                )


def check_masks(rng, to_device, read):
    """Masks on the device are those of the CPU, bit for bit; returns how many were compared."""
    compared = 0
    for (masks, boxes, *more), keywords, name in mask_calls(rng):
        operator = getattr(fastroi, name)
        expected = operator(masks, boxes, *more, **keywords)
        if keywords.get("mask_indices") is not None:
            keywords = {**keywords, "mask_indices": to_device(keywords["mask_indices"])}
        result = read(operator(to_device(masks), to_device(boxes), *more, **keywords))
        assert result.dtype == expected.dtype
        assert_same(result, expected, boxes)
        compared += len(boxes)
    return compared
