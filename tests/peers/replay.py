"""Replays the recorded calls of other packages through ``fastroi.compat`` and compares the results.

A vector file says what a package returned for which inputs; the functions here make the same call
through the profile of that package.  A disagreement is *explained* when it belongs to a named kind
in ``EXPLANATIONS`` (documented in docs/compat.md), and a failure otherwise.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import fastroi
from fastroi.compat import detectron2, mmcv, mxnet, onnx, openvino, paddle, tensorflow, torchvision

GOLDEN = Path(__file__).resolve().parent / "golden"

EXACT = 0.0
#: Sums: the package's own rounding (single taps, reciprocals), in units in the last place of max|map|.
SUM_UNITS = 16
#: Packages that compute float64 maps in float32.
IN_FLOAT32 = {"openvino"}
#: The vectors inside the onnx package are printed with four decimals.
FOUR_DECIMALS = 1e-4
#: Where mmcv's CPU code begins the search for a maximum.
MMCV_LEAST = -10000
#: What torchvision's level of a box of negative area becomes: NaN cast to int64, less k_min.
NO_LEVEL = 2**63 - 2


def load(path):
    """The meta data of a vector file and its arrays by name."""
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    return json.loads(str(arrays.pop("meta"))), arrays


def cases(folder=GOLDEN):
    """Every recorded call as (file stem, case, tuple of results)."""
    for path in sorted(Path(folder).glob("*.npz")):
        if path.stem != "inputs":
            meta, arrays = load(path)
            for case in meta["cases"]:
                yield meta["package"], case, tuple(arrays[name] for name in case["results"])


# -- the calls ------------------------------------------------------------------------------------

REPLAYS = {}


def replays(package, op):
    def register(function):
        REPLAYS[package, op] = function
        return function

    return register


def typed(args, *arrays):
    return tuple(a.astype(args.get("dtype", "float32")) for a in arrays)


def only(args, *names):
    return {name: args[name] for name in names}


def pair(args, height, width):
    return args[height], args[width]


@replays("torchvision", "roi_pool")
@replays("torchvision", "roi_align")
@replays("torchvision", "ps_roi_pool")
@replays("torchvision", "ps_roi_align")
def _torchvision(op, inputs, args):
    features, boxes = typed(args, inputs["input"], inputs["boxes"])
    rest = {key: value for key, value in args.items() if key != "dtype"}
    return getattr(torchvision, op)(features, boxes, **rest)


def _levels(inputs):
    return {key: value for key, value in inputs.items() if key.startswith("level_")}


@replays("torchvision", "multiscale_roi_align")
def _torchvision_multiscale(op, inputs, args):
    pooler = torchvision.MultiScaleRoIAlign(
        list(_levels(inputs)),
        args["output_size"],
        args["sampling_ratio"],
        canonical_scale=args["canonical_scale"],
        canonical_level=args["canonical_level"],
    )
    rows = inputs["boxes"]
    boxes = [rows[rows[:, 0] == n, 1:] for n in range(2)]
    return pooler(_levels(inputs), boxes, args["image_shapes"]), np.asarray(pooler.scales)


@replays("torchvision", "paste_masks_in_image")
def _torchvision_paste(op, inputs, args):
    values = inputs["masks"] if args.get("cut") is None else inputs["masks"] > args["cut"]
    (boxes,) = typed(args, inputs["boxes"])
    return torchvision.paste_masks_in_image(_mask_values(values, args)[:, None], boxes, args["img_shape"])


def _mask_values(values, args):
    return (values * np.float32(args.get("times", 1))).astype(args.get("mask_dtype", "float32"))


@replays("torchvision", "grid_sample")
def _detectron2_paste(op, inputs, args):
    """The soft values have no public function in detectron2; the boolean ones are tested apart."""
    return fastroi.paste_masks(inputs["masks"], inputs["boxes"], args["img_shape"], None, arithmetic="float32")


@replays("torchvision", "project_masks_on_boxes")
def _torchvision_project(op, inputs, args):
    masks, (boxes,) = _mask_values(inputs["gt_masks"], args), typed(args, inputs["boxes"])
    return torchvision.project_masks_on_boxes(masks, boxes, np.arange(len(boxes))[::-1].copy(), args["M"])


@replays("onnxruntime", "MaxRoiPool")
def _onnx_pool(op, inputs, args):
    return onnx.max_roi_pool(inputs["X"], inputs["rois"], **args)


@replays("onnxruntime", "RoiAlign")
@replays("onnx", "RoiAlign")
def _onnx_align(op, inputs, args):
    features, boxes = typed(args, inputs["X"], inputs["rois"])
    rest = _without(args, "dtype", "opset", "backend_test", "note")
    if args.get("opset") == 10:
        rest["coordinate_transformation_mode"] = "output_half_pixel"
    if "batch_indices" in inputs:
        return onnx.roi_align(features, boxes, inputs["batch_indices"], **rest)
    return onnx.roi_align(features, np.ascontiguousarray(boxes[:, 1:]), boxes[:, 0].astype(np.int64), **rest)


@replays("onnxruntime", "CropAndResize")
def _onnx_crop(op, inputs, args):
    return onnx.crop_and_resize(inputs["X"], inputs["rois"], inputs["batch_indices"], **args)


def _unit_rois(inputs):
    return np.column_stack([inputs["index"], inputs["boxes"][:, [1, 0, 3, 2]]]).astype(np.float32)


def _without(args, *names):
    return {key: value for key, value in args.items() if key not in names}


def _coords(inputs, args):
    """The rows of a call, of which one may end the list or some may be of no image."""
    coords = np.array(inputs["coords"] if "coords" in inputs else _unit_rois(inputs))
    if "end" in args:
        coords[args["end"], 0] = -1
    return coords


@replays("openvino", "ROIPooling")
def _openvino_pool(op, inputs, args):
    features, coords = typed(args, inputs["input"], _coords(inputs, args))
    return openvino.roi_pooling(features, coords, **_without(args, "coords", "dtype", "end"))


@replays("openvino", "ROIAlign")
def _openvino_align(op, inputs, args):
    features, rois = typed(args, inputs["data"], inputs["rois"])
    return openvino.roi_align(features, rois[:, 1:], rois[:, 0].astype(np.int32), **_without(args, "dtype"))


@replays("openvino", "PSROIPooling")
def _openvino_psroi(op, inputs, args):
    features, coords = typed(args, inputs["input"], _coords(inputs, args))
    return openvino.psroi_pooling(features, coords, **_without(args, "coords", "dtype", "end"))


@replays("openvino", "DeformablePSROIPooling")
def _openvino_deformable(op, inputs, args):
    return openvino.deformable_psroi_pooling(
        inputs["feature_maps"], _coords(inputs, args), offsets=inputs.get("offsets"), **_without(args, "end")
    )


@replays("openvino", "ROIAlignRotated")
def _openvino_rotated(op, inputs, args):
    features, rois = typed(args, inputs["data"], inputs["rois"])
    return openvino.roi_align_rotated(features, rois[:, 1:], rois[:, 0].astype(np.int32), **_without(args, "dtype"))


@replays("openvino", "ExperimentalDetectronROIFeatureExtractor")
def _openvino_extractor(op, inputs, args):
    levels = [level[:1] for level in _levels(inputs).values()]
    return openvino.experimental_detectron_roi_feature_extractor(
        [inputs["rois"][:, 1:], *levels], **_without(args, "note")
    )


@replays("tensorflow", "crop_and_resize")
def _tensorflow(op, inputs, args):
    image = (inputs["image"].transpose(0, 2, 3, 1) * np.float64(args.get("times", 1))).astype(args["dtype"])
    return tensorflow.crop_and_resize(
        image, inputs["boxes"], inputs["box_indices"], **_without(args, "dtype", "layout", "times")
    )


def _by_image(rois, images):
    order = np.argsort(rois[:, 0], kind="stable")
    return rois[order, 1:], np.bincount(rois[:, 0].astype(int), minlength=images).astype(np.int32)


@replays("paddle", "roi_pool")
@replays("paddle", "roi_align")
@replays("paddle", "psroi_pool")
def _paddle(op, inputs, args):
    boxes, count = _by_image(inputs["boxes"], len(inputs["x"]))
    features, boxes = typed(args, inputs["x"], boxes)
    return getattr(paddle, op)(features, boxes, count, **_without(args, "dtype", "rows"))


@replays("paddle", "distribute_fpn_proposals")
def _paddle_levels(op, inputs, args):
    boxes, count = _by_image(inputs["fpn_rois"], 2)
    levels, restore, counts = paddle.distribute_fpn_proposals(
        boxes, rois_num=count, **_without(args, "rows", "results")
    )
    return (*levels, restore, *counts)


@replays("mxnet", "ROIPooling")
@replays("mxnet", "contrib.ROIAlign")
@replays("mxnet", "contrib.PSROIPooling")
@replays("mxnet", "contrib.DeformablePSROIPooling")
def _mxnet(op, inputs, args):
    arrays = typed(args, *inputs.values())
    arrays[1][args.get("unlisted", []), 0] = -1
    return getattr(mxnet, op.removeprefix("contrib."))(*arrays, **_without(args, "dtype", "unlisted"))


@replays("mxnet", "contrib.RROIAlign")
def _mxnet_rotated(op, inputs, args):
    rois = inputs["rois"]
    degrees = np.column_stack([rois[:, :5], np.degrees(rois[:, 5])]).astype(np.float32)
    return mxnet.RROIAlign(inputs["data"], degrees, **_without(args, "note", "dtype", "unlisted"))


def native_pool(rule, feature, rois, size, reduce="max"):
    """A rule of `fastroi.roi_pool` whose package has no profile."""

    def run(op, inputs, args):
        extents = size(args) if callable(size) else tuple(args[size])
        return fastroi.roi_pool(inputs[feature], inputs[rois], extents, args["spatial_scale"], rule=rule, reduce=reduce)

    return run


REPLAYS["mnn", "roi_pooling"] = native_pool("mnn", "input", "roi", lambda a: pair(a, "pooled_height", "pooled_width"))
REPLAYS["opencv", "ROIPooling"] = native_pool("opencv", "data", "rois", lambda a: pair(a, "pooled_h", "pooled_w"))
REPLAYS["chainer", "roi_max_pooling_2d"] = native_pool("chainer", "x", "boxes", "outsize")
REPLAYS["chainer", "roi_average_pooling_2d"] = native_pool("chainer", "x", "boxes", "outsize", "mean")


@replays("chainer", "roi_average_align_2d")
@replays("chainer", "roi_max_align_2d")
def _chainer_align(op, inputs, args):
    return fastroi.roi_align(
        inputs["x"],
        inputs["boxes"],
        args["outsize"],
        args["spatial_scale"],
        args["sampling_ratio"] or -1,
        aligned=False,
        reduce="max_inside" if "max" in op else "mean",
    )


@replays("torchvision", "level_mapper")
def _torchvision_levels(op, inputs, args):
    pooler = torchvision.MultiScaleRoIAlign(list("abcd"), 1, 2)
    pooler.scales = [2.0**-level for level in range(args["k_min"], args["k_max"] + 1)]
    levels = pooler._levels(inputs["boxes"][:, 1:])
    return np.where(levels < 0, NO_LEVEL, levels)


def _turned(rois, angles):
    """Rows with corners as rows with centre, signed size and one of `angles`, as the writers make them."""
    centre, size = (rois[:, 1:3] + rois[:, 3:5]) / 2, rois[:, 3:5] - rois[:, 1:3]
    angle = np.resize(np.asarray(angles, np.float32), len(rois))
    return np.column_stack([rois[:, :1], centre, size, angle])


def _in_degrees(rois):
    return np.column_stack([rois[:, :5], np.degrees(rois[:, 5])])


@replays("mmcv", "roi_pool")
@replays("mmcv", "prroi_pool")
@replays("mmcv", "deform_roi_pool")
@replays("mmcv", "roi_align")
@replays("mmcv", "roi_align_rotated")
@replays("mmcv", "riroi_align_rotated")
def _mmcv(op, inputs, args):
    if "angles" in args:
        inputs = {**inputs, "rois": _turned(inputs["rois"], args["angles"])}
    arrays = dict(zip(inputs, typed(args, *inputs.values())))
    return getattr(mmcv, op)(**arrays, **_without(args, "dtype", "angles", "kernel"))


@replays("detectron2", "roi_align_rotated")
def _detectron2_rotated(op, inputs, args):
    rois = inputs["rois"]
    rois = _turned(rois, args["angles"]) if "angles" in args else _in_degrees(rois)
    features, rois = typed(args, inputs["input"], rois)
    return detectron2.roi_align_rotated(features, rois, **_without(args, "dtype", "angles"))


@replays("detectron2", "levels")
def _detectron2_levels(op, inputs, args):
    boxes = inputs["boxes"][:, 1:]
    levels = fastroi.fpn_levels(boxes, args["k_min"], args["k_max"], rule="detectron2") - args["k_min"]
    reversed_once = (boxes[:, 2] < boxes[:, 0]) != (boxes[:, 3] < boxes[:, 1])
    return np.where(reversed_once, -1, levels)


@replays("mnn", "roi_align")
def _mnn_align(op, inputs, args):
    return mmcv.roi_align(
        inputs["input"],
        inputs["roi"],
        pair(args, "pooled_height", "pooled_width"),
        args["spatial_scale"],
        args["sampling_ratio"],
        args["pooling_mode"][:3].lower().replace("ave", "avg"),
        args["aligned"],
    )


@replays("ncnn", "ROIAlign")
def _ncnn_align(op, inputs, args):
    return torchvision.roi_align(
        inputs["feature"],
        inputs["rois"],
        pair(args, "pooled_height", "pooled_width"),
        **only(args, "spatial_scale", "sampling_ratio", "aligned"),
    )


@replays("ncnn", "PSROIPooling")
def _ncnn_psroi(op, inputs, args):
    return openvino.psroi_pooling(
        inputs["feature"],
        inputs["rois"],
        args["output_dim"],
        args["pooled_width"],
        args["spatial_scale"],
        1,
        1,
        "average",
    )


# -- the comparison -------------------------------------------------------------------------------

EXACT_OPS = {"roi_pool", "MaxRoiPool", "roi_pooling", "roi_max_pooling_2d", "distribute_fpn_proposals"}


def is_exact(case):
    op, args = case["op"], case["args"]
    return op in EXACT_OPS or (op == "ROIPooling" and args.get("method", "max") == "max")


def bound_of(package, case, arrays, dtype):
    """Largest difference that rounding explains.

    A few units in the last place of the largest value of the map, for the order of the sums; and as
    many of the largest coordinate on the map, for the position of a sample.
    """
    if is_exact(case):
        return EXACT
    computed = np.dtype(np.float32) if package in IN_FLOAT32 else dtype
    unit = np.finfo(computed).eps if dtype.kind == "f" else 0.0
    value = max((float(np.abs(a).max()) for a in arrays.values() if a.ndim > 2), default=0.0)
    value *= case["args"].get("times", 1)
    scale = case["args"].get("spatial_scale", 1.0)
    coordinate = max((float(np.abs(a[:, -4:]).max()) * scale for a in arrays.values() if a.ndim == 2), default=0.0)
    bound = unit * value * (SUM_UNITS + coordinate)
    return max(bound, FOUR_DECIMALS) if "backend_test" in case["args"] else bound


@dataclass
class Report:
    """What the comparison of one case found."""

    rois: int = 0
    largest: float = 0.0
    explained: Counter = field(default_factory=Counter)
    unexplained: list = field(default_factory=list)


def difference(expected, got):
    """|expected - got|, 0 where both are the same number or both NaN, inf where one is NaN."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(expected.astype(np.float64) - got.astype(np.float64))
    same = (expected == got) | (np.isnan(expected) & np.isnan(got))
    return np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))


def compare(package, case, expected, inputs):
    """Replay one case; shapes, dtypes and values of all of its results."""
    arrays = {key: inputs[name] for key, name in case["inputs"].items()}
    if "backend_test" in case["args"]:
        arrays, expected = dict(zip(("X", "rois", "batch_indices"), expected)), expected[3:]
    got = REPLAYS[package, case["op"]](case["op"], arrays, case["args"])
    got = got if isinstance(got, tuple) else (got,)
    assert len(got) == len(expected)
    report = Report(rois=len(expected[0]))
    bound = bound_of(package, case, arrays, expected[0].dtype)
    for want, have in zip(expected, got, strict=True):
        assert have.shape == want.shape, f"{have.shape} instead of {want.shape}"
        assert have.dtype == want.dtype, f"{have.dtype} instead of {want.dtype}"
        if want.dtype.kind in "iu":
            assert np.array_equal(want, have)
            continue
        gap = difference(want, have).reshape(len(want), -1)
        report.largest = max(report.largest, float(gap[gap <= bound].max(initial=0.0)))
        for row in np.flatnonzero((gap > bound).any(axis=1)):
            kind = (
                explained_by_values(package, case, want[row], have[row])
                or explained_by_count(package, case, arrays, want, int(row), bound)
                or explained_by_cancellation(package, case, arrays, row, gap[row])
                or explained_by_border(package, case, arrays, want, int(row), bound)
            )
            if kind:
                report.explained[kind] += 1
            else:
                report.unexplained.append((int(row), float(gap[row].max())))
    return report


@dataclass
class Row:
    """One line of the table of agreement."""

    package: str
    op: str
    calls: int = 0
    rois: int = 0
    largest: float = 0.0
    explained: Counter = field(default_factory=Counter)
    unexplained: list = field(default_factory=list)

    def add(self, name, report):
        self.calls += 1
        self.rois += report.rois
        self.largest = max(self.largest, report.largest)
        self.explained += report.explained
        self.unexplained += [(name, *entry) for entry in report.unexplained]


def tally(recorded, inputs):
    """Replay every case that has a replay; one row per package and operator."""
    rows = {}
    for package, case, expected in recorded:
        if (package, case["op"]) in REPLAYS and expected:
            key = package, case["op"]
            row = rows.setdefault(key, Row(*key))
            row.add(f"{case['name']} {case['args']}", compare(package, case, expected, inputs))
    return list(rows.values())


def format_table(rows):
    """The rows as text: package, operator, calls, RoIs, largest difference, disagreements."""
    lines = [f"{'package':12} {'operator':42} {'calls':>5} {'RoIs':>7} {'largest':>9}  disagreements"]
    for row in rows:
        notes = [f"{count} x {kind}" for kind, count in sorted(row.explained.items())]
        notes += [f"UNEXPLAINED {entry}" for entry in row.unexplained[:5]]
        if len(row.unexplained) > 5:
            notes.append(f"... {len(row.unexplained)} UNEXPLAINED in all")
        lines.append(
            f"{row.package:12} {row.op:42} {row.calls:5} {row.rois:7} {row.largest:9.2e}  "
            + ("; ".join(notes) or "none")
        )
    return "\n".join(lines)


def explained_by_values(package, case, want, have):
    """The documented kind of a disagreement that shows in the two rows alone, or None."""
    odd = ~np.isfinite(want) | (want == -np.finfo(np.float32).max)
    if package == "mmcv":
        odd |= want == MMCV_LEAST
    if not odd.any():
        return None
    close = np.allclose(want[~odd], have[~odd], rtol=1e-5, atol=1e-5)
    if not close or np.any(have[odd] != 0):
        return None
    if package == "chainer" and np.isneginf(want[odd]).all():
        return "nothing to take the maximum of: -inf there, 0 here"
    return "no sample in the grid: NaN or -FLT_MAX there, 0 here"


def explained_by_count(package, case, arrays, want, row, bound):
    """A name if the number of samples, counted in float32 for a float64 map, explains it, else None."""
    args = case["args"]
    if (package, case["op"], args.get("dtype")) != ("mmcv", "roi_align", "float64"):
        return None
    scale, size = np.float32(args["spatial_scale"]), np.asarray(args["output_size"])
    box = arrays["rois"][row].astype(np.float64)
    corners = box[1:] * scale
    counts = np.ceil(((corners[2:] - corners[:2])[::-1] / size).astype(np.float32)).astype(int)
    other = fastroi.roi_align(
        arrays["input"].astype(np.float64),
        box[None],
        args["output_size"],
        float(scale),
        counts.tolist(),
        aligned=args["aligned"],
    )
    return "samples counted in float32" if difference(want[row], other[0]).max() <= bound else None


def explained_by_cancellation(package, case, arrays, row, gap):
    """A name if the ends of a small bin, rounded to float32, explain the difference, else None.

    PrRoIPool divides by the area of a bin what it has computed from the coordinates of its ends.
    """
    if (package, case["op"]) != ("mmcv", "prroi_pool"):
        return None
    args = case["args"]
    box = arrays["rois"][row, 1:].astype(np.float64) * args["spatial_scale"]
    bins = (box[2:] - box[:2]) / args["output_size"][::-1]
    unit = np.finfo(np.float32).eps * np.abs(box).max()
    if gap.max() <= 2 * np.abs(arrays["features"]).max() * (unit / bins).sum():
        return "a bin so small that float32 loses its digits"
    return None


#: Relative shifts of a box, a few units in the last place of float32, that move a sample across a
#: border of the map or an extent across a whole number of samples.
NUDGE = 2.0**-21


def explained_by_border(package, case, arrays, want, row, bound):
    """A name if a box moved by a rounding error gives the package's values, else None.

    Packages whose compiler fused a product and a sum, or that divide in another order, put a sample
    that lies exactly on -1 or L on the other side of that border.
    """
    if is_exact(case) or case["op"] == "prroi_pool" or "backend_test" in case["args"]:
        return None
    name = next((n for n in ("boxes", "rois", "coords", "roi") if n in arrays), None)
    if name is None:
        return None
    for signs in itertools.product((0, -1, 1), repeat=4):
        moved = arrays[name].copy()
        moved[:, -4:] += np.asarray(signs, np.float32) * np.float32(NUDGE) * np.abs(moved[:, -4:])
        other = REPLAYS[package, case["op"]](case["op"], {**arrays, name: moved}, case["args"])
        other = other[0] if isinstance(other, tuple) else other
        if difference(want[row], other[row]).max() <= bound + NUDGE * 64:
            return "a sample within a rounding error of the map's border"
    return None
