"""Golden vectors of OpenVINO's RoI operators (CPU plugin, float32 inference)."""

from __future__ import annotations

import sys

import numpy as np
import openvino as ov
import openvino.opset15 as ops
from common import HOSTILE_SCALES, Recorder
from openvino.utils.node_factory import NodeFactory

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}
CORE = ov.Core()


def infer(build, *arrays):
    """Run one node made by ``build(*parameters)`` on the arrays; all of its outputs."""
    parameters = [ops.parameter(list(a.shape), a.dtype) for a in arrays]
    node = build(*parameters)
    results = [ops.result(output) for output in node.outputs()]
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = CORE.compile_model(ov.Model(results, parameters, "g"), "CPU", settings)
    answers = compiled(list(arrays))
    return tuple(np.array(answers[n]) for n in range(len(results)))


def bfloat16_bits(values):
    """float32 rounded to the nearest bfloat16, as unsigned integers."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def infer_narrow(build, dtype, *arrays):
    """What `infer` does, on float arrays rounded to float16 or bfloat16; bfloat16 as its bits. Integers stay."""
    kind = {"float16": ov.Type.f16, "bfloat16": ov.Type.bf16}[dtype]
    tensors = []
    for array in arrays:
        if array.dtype.kind != "f":
            tensors.append(ov.Tensor(array))
            continue
        tensor = ov.Tensor(kind, list(array.shape))
        bits = array.astype(np.float16).view(np.uint16) if dtype == "float16" else bfloat16_bits(array)
        tensor.data.view(np.uint16)[...] = bits
        tensors.append(tensor)
    parameters = [ops.parameter(list(tensor.shape), tensor.element_type) for tensor in tensors]
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = CORE.compile_model(ov.Model([build(*parameters)], parameters, "g"), "CPU", settings)
    answer = np.array(compiled(tensors)[0])
    return answer if dtype == "float16" else answer.view(np.uint16)


def elements(recorder):
    """float16 and bfloat16; not the rotated one in bfloat16, which ends the process."""
    for dtype in ("float16", "bfloat16"):
        for op, feature, build in (
            ("roi_pooling", "map_edge", lambda x, r: ops.roi_pooling(x, r, [3, 2], 0.3, "max")),
            ("psroi_pooling", "map_ps", lambda x, r: ops.psroi_pooling(x, r, 2, 3, 0.3, 1, 1, "average")),
            (
                "deformable_psroi_pooling",
                "map_ps",
                lambda x, r: ops.deformable_psroi_pooling(x, r, 2, 0.3, 3, "bilinear_deformable", 2, 3, 0.1, 1),
            ),
        ):
            call = lambda input, coords, build=build, dtype=dtype: infer_narrow(build, dtype, input, coords)  # noqa: E731
            recorder.add(f"elements {op}", call, {"input": feature, "coords": "rois_random_0_3"}, {"dtype": dtype})

        def align(input, coords, dtype=dtype):
            boxes, index = split(coords)
            return infer_narrow(
                lambda x, r, i: ops.roi_align(x, r, i, 3, 2, 2, 0.3, "avg", aligned_mode="half_pixel_for_nn"),
                dtype,
                input,
                boxes,
                index,
            )

        recorder.add(
            "elements roi_align", align, {"input": "map_normal", "coords": "rois_random_0_3"}, {"dtype": dtype}
        )
    recorder.write("_elements")


def split(rois):
    return np.ascontiguousarray(rois[:, 1:]), rois[:, 0].astype(np.int32)


def roi_pooling(recorder):
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("random", "0_3", (7, 5)),
        ("huge", "1", (7, 7)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        args = {"output_roi": size, "spatial_scale": SCALES[label], "method": "max"}

        def call(input, coords, args=args):
            return infer(
                lambda x, r: ops.roi_pooling(x, r, list(args["output_roi"]), args["spatial_scale"], args["method"]),
                input,
                coords,
            )

        recorder.add("ROIPooling", call, {"input": feature, "coords": f"rois_{box_set}_{label}"}, args)


def unit_rois(boxes, index):
    """The y1, x1, y2, x2 unit boxes as OpenVINO's index, x1, y1, x2, y2 rows."""
    return np.column_stack([index, boxes[:, [1, 0, 3, 2]]]).astype(np.float32)


def roi_pooling_bilinear(recorder):
    for size in ((3, 4), (1, 1), (1, 5)):
        args = {"output_roi": size, "spatial_scale": 1.0, "method": "bilinear"}

        def call(input, boxes, index, size=size):
            return infer(
                lambda x, r: ops.roi_pooling(x, r, list(size), 1.0, "bilinear"), input, unit_rois(boxes, index)
            )

        recorder.add(
            "ROIPooling",
            call,
            {"input": "map_normal", "boxes": "boxes_unit", "index": "boxes_unit_index"},
            {**args, "coords": "index, then boxes[:, [1, 0, 3, 2]]"},
        )


def roi_align(recorder):
    for aligned_mode in ("asymmetric", "half_pixel_for_nn", "half_pixel"):
        for mode in ("avg", "max"):
            for ratio in (0, 2):
                for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3"), ("huge", "1_4")):
                    if aligned_mode != "asymmetric" and ratio == 0 and box_set != "huge":
                        box_set += "_ordered"
                    args = {
                        "pooled_h": 3,
                        "pooled_w": 2,
                        "sampling_ratio": ratio,
                        "spatial_scale": SCALES[label],
                        "mode": mode,
                        "aligned_mode": aligned_mode,
                    }

                    def call(data, rois, args=args):
                        return infer(lambda x, b, i: ops.roi_align(x, b, i, **args), data, *split(rois))

                    recorder.add("ROIAlign", call, {"data": "map_relu", "rois": f"rois_{box_set}_{label}"}, args)


def roi_align_negative(recorder):
    for mode in ("avg", "max"):
        args = {
            "pooled_h": 3,
            "pooled_w": 2,
            "sampling_ratio": 2,
            "spatial_scale": 1.0,
            "mode": mode,
            "aligned_mode": "asymmetric",
        }

        def call(data, rois, args=args):
            return infer(lambda x, b, i: ops.roi_align(x, b, i, **args), data, *split(rois))

        recorder.add("ROIAlign", call, {"data": "map_edge", "rois": "rois_edge_1"}, args)


def position_sensitive(recorder):
    for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3")):
        args = {
            "output_dim": 2,
            "group_size": 3,
            "spatial_scale": SCALES[label],
            "spatial_bins_x": 1,
            "spatial_bins_y": 1,
            "mode": "average",
        }

        def call(input, coords, args=args):
            return infer(lambda x, r: ops.psroi_pooling(x, r, **args), input, coords)

        recorder.add("PSROIPooling", call, {"input": "map_ps", "coords": f"rois_{box_set}_{label}"}, args)
    args = {
        "output_dim": 8,
        "group_size": 3,
        "spatial_scale": 1.0,
        "spatial_bins_x": 2,
        "spatial_bins_y": 2,
        "mode": "bilinear",
    }

    def bilinear(input, boxes, index):
        return infer(lambda x, r: ops.psroi_pooling(x, r, **args), input, unit_rois(boxes, index))

    recorder.add(
        "PSROIPooling",
        bilinear,
        {"input": "map_ps4", "boxes": "boxes_unit", "index": "boxes_unit_index"},
        {**args, "coords": "index, then boxes[:, [1, 0, 3, 2]]"},
    )


def deformable(recorder):
    for offsets in (None, "offsets_1", "offsets_2"):
        for samples in (1, 2):
            args = {
                "output_dim": 2,
                "spatial_scale": 1.0,
                "group_size": 3,
                "mode": "bilinear_deformable",
                "spatial_bins_x": samples,
                "spatial_bins_y": samples,
                "trans_std": 0.1,
                "part_size": 3,
            }

            def call(feature_maps, coords, offsets=None, args=args):
                if offsets is None:
                    return infer(lambda x, r: ops.deformable_psroi_pooling(x, r, **args), feature_maps, coords)
                return infer(
                    lambda x, r, o: ops.deformable_psroi_pooling(x, r, offsets=o, **args), feature_maps, coords, offsets
                )

            inputs = {"feature_maps": "map_ps", "coords": "rois_random_1"}
            if offsets:
                inputs["offsets"] = offsets
            recorder.add("DeformablePSROIPooling", call, inputs, args)


def rotated(recorder):
    for clockwise in (False, True):
        for ratio in (0, 2):
            args = {
                "pooled_h": 3,
                "pooled_w": 2,
                "sampling_ratio": ratio,
                "spatial_scale": 0.5,
                "clockwise_mode": clockwise,
            }

            def call(data, rois, args=args):
                return infer(lambda x, b, i: ops.roi_align_rotated(x, b, i, **args), data, *split(rois))

            recorder.add("ROIAlignRotated", call, {"data": "map_relu", "rois": "rois_rotated"}, args)


def detectron(recorder):
    factory = NodeFactory("opset6")
    for aligned in (False, True):
        for ratio in (0, 2):
            args = {"output_size": 3, "sampling_ratio": ratio, "pyramid_scales": [4, 8, 16, 32], "aligned": aligned}

            def call(rois, args=args, **levels):
                arrays = [levels[f"level_{n}"][:1] for n in range(4)]
                return infer(
                    lambda *nodes: factory.create(
                        "ExperimentalDetectronROIFeatureExtractor", [node.output(0) for node in nodes], args
                    ),
                    np.ascontiguousarray(rois[:, 1:]),
                    *arrays,
                )

            recorder.add(
                "ExperimentalDetectronROIFeatureExtractor",
                call,
                {"rois": "rois_levels", **{f"level_{n}": f"pyramid_{n}" for n in range(4)}},
                {**args, "note": "image 0 of every level; boxes without their index"},
            )


def ended(rois, row):
    """The rows with image -1 in one of them, which ends the list."""
    rois = np.array(rois)
    if row is not None:
        rois[row, 0] = -1
    return rois


def hostile(recorder):
    """Scales that float32 cannot hold, float64 maps, lists that end, parts and channels that do not fit."""
    for scale in HOSTILE_SCALES:
        for dtype in ("float32", "float64"):
            hostile_scales(recorder, scale, dtype)
    for args, feature, offsets in (
        ({"part_size": 1}, "map_ps", "offsets_1"),
        ({"part_size": 2}, "map_ps", "offsets_2"),
        ({"part_size": 3, "spatial_bins_x": 3, "spatial_bins_y": 2}, "map_ps", "offsets_2"),
        ({"spatial_bins_x": 1, "spatial_bins_y": 4}, "map_ps", None),
        ({}, "map_ps4", None),
    ):
        args = {"output_dim": 2, "spatial_scale": 1 / 3, "group_size": 3, "trans_std": 0.3, **args}

        def deformable(feature_maps, coords, args=args, **offsets):
            arrays = feature_maps, ended(coords, 150), *offsets.values()
            return infer(lambda x, r, *o: ops.deformable_psroi_pooling(x, r, **args, **dict(zip(offsets, o))), *arrays)

        inputs = {"feature_maps": feature, "coords": "rois_random_1_4", **({"offsets": offsets} if offsets else {})}
        recorder.add("DeformablePSROIPooling", deformable, inputs, {**args, "end": 150})
    recorder.write("_hostile")


def hostile_scales(recorder, scale, dtype):
    note = {"dtype": dtype, "end": 35}

    def typed(array):
        return array.astype(dtype)

    def pool(input, coords):
        return infer(lambda x, r: ops.roi_pooling(x, r, [3, 2], scale, "max"), typed(input), typed(ended(coords, 35)))

    inputs = {"input": "map_edge", "coords": "rois_edge_1_4"}
    recorder.add("ROIPooling", pool, inputs, {"output_roi": (3, 2), "spatial_scale": scale, "method": "max", **note})
    for mode, output_dim, bins, feature in (("average", 2, 1, "map_ps"), ("bilinear", 8, 2, "map_ps4")):
        args = {"output_dim": output_dim, "group_size": 3, "spatial_scale": scale, "mode": mode}
        args = {**args, "spatial_bins_x": bins, "spatial_bins_y": bins}
        if mode == "average":
            inputs, rows = {"input": feature, "coords": "rois_edge_1_4"}, note
        else:
            inputs = {"input": feature, "boxes": "boxes_unit", "index": "boxes_unit_index"}
            rows = {**note, "coords": "index, then boxes[:, [1, 0, 3, 2]]"}

        def psroi(input, coords=None, boxes=None, index=None, args=args):
            coords = unit_rois(boxes, index) if coords is None else coords
            return infer(lambda x, r: ops.psroi_pooling(x, r, **args), typed(input), typed(ended(coords, 35)))

        recorder.add("PSROIPooling", psroi, inputs, {**args, **rows})
    args = {"pooled_h": 3, "pooled_w": 2, "sampling_ratio": 2, "spatial_scale": scale}

    def align(data, rois):
        boxes, index = split(rois)
        return infer(lambda x, b, i: ops.roi_align(x, b, i, **args, mode="avg"), typed(data), typed(boxes), index)

    recorder.add(
        "ROIAlign", align, {"data": "map_normal", "rois": "rois_edge_1_4"}, {**args, "mode": "avg", "dtype": dtype}
    )

    def turned(data, rois):
        boxes, index = split(rois)
        return infer(
            lambda x, b, i: ops.roi_align_rotated(x, b, i, **args, clockwise_mode=False),
            typed(data),
            typed(boxes),
            index,
        )

    recorder.add(
        "ROIAlignRotated",
        turned,
        {"data": "map_relu", "rois": "rois_rotated"},
        {**args, "clockwise_mode": False, "dtype": dtype},
    )


PYRAMID_CASES = 30


def cells(height, width, level):
    """(1, 2, height, width) map that a replay makes anew."""
    number = np.arange(2 * height * width, dtype=np.float32) * 37 % 101 + 100 * level
    return number.reshape(1, 2, height, width)


def unusual_boxes(rng, count, adaptive):
    """Boxes of all levels; the first lie on a threshold, are reversed, have no area, or end far beyond any map.

    Far only on a fixed grid: the package takes every sample of an adaptive one.
    """
    special = [(224, 224), (-9, 30), (-9, -30), (0, 40)] + [(1e5, 1e5), (1e12, 1e12)] * (not adaptive)
    corner = rng.uniform(-20, 300, (count, 2))
    size = np.concatenate([special, np.exp(rng.uniform(0, np.log(1500), (count, 2)))])[:count]
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def unusual_pyramids(recorder, calls, seed):
    """Strides in any order, equal, odd or left out, one level, maps of any size, no boxes."""
    factory = NodeFactory("opset6")
    rng = np.random.default_rng(seed)
    for number in range(calls):
        strides = rng.choice([1, 2, 3, 4, 5, 8, 16, 32, 64], rng.integers(1, 6)).tolist()
        args = {
            "output_size": int(rng.integers(1, 4)),
            "sampling_ratio": int(rng.choice([0, 2])),
            "pyramid_scales": sorted(strides) if rng.random() < 0.4 else strides,
            "aligned": bool(rng.integers(2)),
        }
        sizes = rng.integers(1, 25, (len(strides), 2)).tolist()
        maps = [cells(*size, level) for level, size in enumerate(sizes)]
        count = 0 if number % 10 == 9 else int(rng.integers(1, 13))
        boxes = unusual_boxes(rng, count, args["sampling_ratio"] == 0)

        def extract(args=args, maps=maps, boxes=boxes):
            pooled, copied = infer(
                lambda *nodes: factory.create(
                    "ExperimentalDetectronROIFeatureExtractor", [node.output(0) for node in nodes], args
                ),
                boxes,
                *maps,
            )
            return pooled, copied

        recorder.add("unusual_pyramid", extract, {}, {**args, "sizes": sizes})


def main():
    recorder = Recorder("openvino", openvino=ov.__version__)
    roi_pooling(recorder)
    roi_pooling_bilinear(recorder)
    recorder.write()
    roi_align(recorder)
    roi_align_negative(recorder)
    recorder.write("_align")
    position_sensitive(recorder)
    deformable(recorder)
    rotated(recorder)
    detectron(recorder)
    recorder.write("_more")
    hostile(recorder)
    elements(recorder)
    live = len(sys.argv) > 1
    unusual_pyramids(recorder, *((300, 20261128) if live else (PYRAMID_CASES, 13)))
    recorder.write("_pyramids")


if __name__ == "__main__":
    main()
