"""Golden vectors of torchvision's RoI operators (CPU)."""

from __future__ import annotations

import sys

import numpy as np
import torch
import torchvision
from common import HOSTILE_SCALES, Recorder
from torchvision import ops
from torchvision.models.detection import roi_heads
from torchvision.ops.poolers import LevelMapper

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}


def call(op, dtype=torch.float32, **fixed):
    def run(input, boxes):
        result = op(torch.from_numpy(input).to(dtype), torch.from_numpy(boxes).to(dtype), **fixed)
        return result.numpy()

    return run


def roi_pool(recorder):
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
        args = {"output_size": size, "spatial_scale": SCALES[label]}
        inputs = {"input": feature, "boxes": f"rois_{box_set}_{label}"}
        recorder.add("roi_pool", call(ops.roi_pool, **args), inputs, args)
        if (box_set, label) in (("overrun", "1"), ("edge", "0_3")):
            recorder.add("roi_pool", call(ops.roi_pool, torch.float64, **args), inputs, {**args, "dtype": "float64"})


def roi_align(recorder):
    for aligned in (False, True):
        for ratio in (-1, 0, 2, 3):
            for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3"), ("huge", "1_4")):
                if box_set == "huge" and ratio == 3:
                    continue
                if aligned and ratio <= 0 and box_set != "huge":
                    box_set += "_ordered"
                args = {
                    "output_size": (3, 2),
                    "spatial_scale": SCALES[label],
                    "sampling_ratio": ratio,
                    "aligned": aligned,
                }
                recorder.add(
                    "roi_align",
                    call(ops.roi_align, **args),
                    {"input": "map_normal", "boxes": f"rois_{box_set}_{label}"},
                    args,
                )
    args = {"output_size": (7, 7), "spatial_scale": 0.25, "sampling_ratio": 0, "aligned": True}
    recorder.add(
        "roi_align",
        call(ops.roi_align, torch.float64, **args),
        {"input": "map_normal", "boxes": "rois_edge_ordered_1_4"},
        {**args, "dtype": "float64"},
    )


def position_sensitive(recorder):
    for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3")):
        inputs = {"input": "map_ps", "boxes": f"rois_{box_set}_{label}"}
        args = {"output_size": 3, "spatial_scale": SCALES[label]}
        recorder.add("ps_roi_pool", call(ops.ps_roi_pool, **args), inputs, args)
        for ratio in (-1, 2):
            sampled = {**args, "sampling_ratio": ratio}
            recorder.add("ps_roi_align", call(ops.ps_roi_align, **sampled), inputs, sampled)
    args = {"output_size": 3, "spatial_scale": 1.0}
    recorder.add("ps_roi_pool", call(ops.ps_roi_pool, **args), {"input": "map_ps_ramp", "boxes": "rois_edge_1"}, args)


def pyramid(recorder):
    shapes = [(192, 256), (180, 250)]
    names = {f"level_{n}": f"pyramid_{n}" for n in range(4)}

    def pool(boxes, output_size, sampling_ratio, canonical_scale, canonical_level, **levels):
        pooler = ops.MultiScaleRoIAlign(
            [f"level_{n}" for n in range(4)],
            output_size,
            sampling_ratio,
            canonical_scale=canonical_scale,
            canonical_level=canonical_level,
        )
        features = {key: torch.from_numpy(value) for key, value in levels.items()}
        per_image = [torch.from_numpy(boxes[boxes[:, 0] == n, 1:]) for n in range(2)]
        result = pooler(features, per_image, shapes)
        scales = np.asarray(pooler.scales)
        return result.numpy(), scales

    for ratio, size in ((2, (3, 2)), (-1, (2, 2))):
        args = {"output_size": size, "sampling_ratio": ratio, "canonical_scale": 224, "canonical_level": 4}
        recorder.add(
            "multiscale_roi_align",
            lambda args=args, **arrays: pool(**arrays, **args),
            {"boxes": "rois_levels", **names},
            {**args, "image_shapes": shapes},
        )

    def levels(boxes):
        mapper = LevelMapper(2, 5)
        return mapper([torch.from_numpy(boxes[:, 1:])]).numpy()

    recorder.add("level_mapper", levels, {"boxes": "rois_levels"}, {"k_min": 2, "k_max": 5})


PYRAMID_CASES = 30


def cells(height, width, level):
    """(2, 2, height, width) map that a replay makes anew."""
    number = np.arange(4 * height * width, dtype=np.float64) * 37 % 101 + 100 * level
    return number.reshape(2, 2, height, width)


def unusual_pyramid(rng):
    """Strides in any order, twice or left out, axes of other sizes than their strides, images smaller than the batch."""
    whole = rng.integers(40, 700, 2)
    strides = 2 ** rng.integers(0, 7, rng.integers(1, 6))
    if rng.random() < 0.6:
        strides.sort()
    sizes = [np.maximum(1, np.ceil(whole * rng.uniform(0.7, 1.4, 2) / stride)).astype(int) for stride in strides]
    levels = [[str(n), *map(int, np.minimum(size, 90))] for n, size in enumerate(sizes)]
    rng.shuffle(levels)
    names = [str(n) for n in rng.permutation(len(levels))]
    return {
        "levels": levels,
        "featmap_names": [*names[: rng.integers(1, len(names) + 1)], "absent"],
        "image_shapes": [whole.tolist(), (whole * rng.uniform(0.5, 1, 2)).astype(int).tolist()],
        "sampling_ratio": int(rng.choice([-1, 2])),
        "canonical_scale": int(rng.choice([56, 224])),
        "canonical_level": int(rng.integers(2, 6)),
        "dtype": str(rng.choice(["float32", "float64"])),
        "second_names": names[: rng.integers(1, len(names) + 1)],
    }


def pyramid_boxes(rng, dtype):
    corner = rng.uniform(-20, 300, (16, 2))
    size = np.exp(rng.uniform(0, np.log(900), (16, 2)))
    size[0] = 224
    size[1] *= -1, 1
    size[2] = 0
    return torch.from_numpy(np.concatenate([corner, corner + size], axis=1).astype(dtype))


def unusual_pyramids(recorder, count, seed):
    """Two calls of one layer: the second finds other maps and keeps the scales of the first."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        args = unusual_pyramid(rng)
        dtype = args["dtype"]
        boxes = [pyramid_boxes(rng, dtype) for _ in range(2)]
        maps = {name: torch.from_numpy(cells(h, w, int(name)).astype(dtype)) for name, h, w in args["levels"]}

        def pool(args=args, boxes=boxes, maps=maps):
            pooler = ops.MultiScaleRoIAlign(
                args["featmap_names"],
                2,
                args["sampling_ratio"],
                canonical_scale=args["canonical_scale"],
                canonical_level=args["canonical_level"],
            )
            first = pooler(maps, boxes, args["image_shapes"])
            scales = np.asarray(pooler.scales)
            others = {name: level for name, level in maps.items() if name in args["second_names"]}
            named = any(name in pooler.featmap_names for name in others)
            second = pooler(others, boxes, [(9, 9)] * 2) if named else first
            return first.numpy(), scales, second.numpy(), torch.stack(boxes).numpy()

        recorder.add("unusual_pyramid", pool, {}, args)


def masks(recorder):
    """torchvision's paste and projection, and detectron2's paste through grid_sample."""
    height, width = 40, 50

    def paste(masks, boxes):
        return roi_heads.paste_masks_in_image(
            torch.from_numpy(masks)[:, None], torch.from_numpy(boxes), (height, width)
        ).numpy()

    def at_pixel_centres(masks, boxes):
        result = np.zeros((len(masks), height, width), np.float32)
        for k, (x1, y1, x2, y2) in enumerate(torch.from_numpy(boxes)):
            left, right = max(int(x1.floor()) - 1, 0), min(int(x2.ceil()) + 1, width)
            top, bottom = max(int(y1.floor()) - 1, 0), min(int(y2.ceil()) + 1, height)
            if left >= right or top >= bottom:
                continue
            x = (torch.arange(left, right, dtype=torch.float32) + 0.5 - x1) / (x2 - x1) * 2 - 1
            y = (torch.arange(top, bottom, dtype=torch.float32) + 0.5 - y1) / (y2 - y1) * 2 - 1
            grid = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], dim=2)
            values = torch.nn.functional.grid_sample(
                torch.from_numpy(masks[k])[None, None], grid[None], align_corners=False
            )
            result[k, top:bottom, left:right] = values[0, 0].numpy()
        return result

    def project(gt_masks, boxes):
        matched = torch.arange(len(boxes)).flip(0)
        return roi_heads.project_masks_on_boxes(
            torch.from_numpy(gt_masks), torch.from_numpy(boxes), matched, 14
        ).numpy()

    inputs = {"masks": "masks", "boxes": "boxes_masks"}
    recorder.add("paste_masks_in_image", paste, inputs, {"img_shape": [height, width]})
    recorder.add(
        "grid_sample",
        at_pixel_centres,
        inputs,
        {"img_shape": [height, width], "note": "detectron2's paste, one mask at a time"},
    )
    recorder.add(
        "project_masks_on_boxes",
        project,
        {"gt_masks": "masks_image", "boxes": "boxes_masks"},
        {"M": 14, "note": "matched_idxs are the masks in reverse order"},
    )


def mask_types(recorder):
    """Masks of 0 and 1, of 0 and 255, of levels; boxes of both types."""
    for boxes_dtype in ("float32", "float64"):
        for mask_dtype, times, cut in (
            ("uint8", 1, 0.5),
            ("uint8", 255, 0.5),
            ("uint8", 255, None),
            ("float32", 255, 0.5),
            ("float64", 1, None),
        ):
            if (mask_dtype, boxes_dtype) == ("float64", "float32"):
                continue  # the box in float32, the resizing in float64: fastroi has one type for both
            args = {"img_shape": [40, 50], "mask_dtype": mask_dtype, "times": times, "cut": cut}

            def paste(masks, boxes, args=args, boxes_dtype=boxes_dtype):
                values = masks if args["cut"] is None else masks > args["cut"]
                values = torch.from_numpy((values * np.float32(args["times"])).astype(args["mask_dtype"]))
                boxes = torch.from_numpy(boxes.astype(boxes_dtype))
                return roi_heads.paste_masks_in_image(values[:, None], boxes, (40, 50)).numpy()

            inputs = {"masks": "masks", "boxes": "boxes_masks"}
            recorder.add("paste_masks_in_image", paste, inputs, {**args, "dtype": boxes_dtype})
        for mask_dtype, times in (("bool", 1), ("uint8", 1), ("uint8", 255), ("int64", 255), ("float64", 1)):
            args = {"M": 7, "mask_dtype": mask_dtype, "times": times}

            def project(gt_masks, boxes, args=args, boxes_dtype=boxes_dtype):
                values = torch.from_numpy((gt_masks * np.float32(args["times"])).astype(args["mask_dtype"]))
                boxes = torch.from_numpy(boxes.astype(boxes_dtype))
                matched = torch.arange(len(boxes)).flip(0)
                return roi_heads.project_masks_on_boxes(values, boxes, matched, args["M"]).numpy()

            inputs = {"gt_masks": "masks_image", "boxes": "boxes_masks"}
            recorder.add("project_masks_on_boxes", project, inputs, {**args, "dtype": boxes_dtype})
    recorder.write("_mask_types")


def hostile(recorder):
    """Scales that float32 cannot hold, for maps of both types: the schema has a double, the kernels the map's type."""
    for scale in HOSTILE_SCALES:
        for dtype in (torch.float32, torch.float64):
            note = {"spatial_scale": scale, "dtype": str(dtype).removeprefix("torch.")}
            for op, feature, args in (
                (ops.roi_pool, "map_edge", {"output_size": (3, 2)}),
                (ops.roi_align, "map_normal", {"output_size": (3, 2), "sampling_ratio": -1, "aligned": False}),
                (ops.roi_align, "map_normal", {"output_size": (3, 2), "sampling_ratio": 2, "aligned": True}),
                (ops.ps_roi_pool, "map_ps", {"output_size": 3}),
                (ops.ps_roi_align, "map_ps", {"output_size": 3, "sampling_ratio": 2}),
            ):
                inputs = {"input": feature, "boxes": "rois_edge_1_4"}
                call_args = {**args, "spatial_scale": scale}
                recorder.add(op.__name__, call(op, dtype, **call_args), inputs, {**args, **note})
    recorder.write("_hostile")


QUANTISED_CASES = 40
QUANTISED = {"uint8": torch.quint8, "int8": torch.qint8}


def quantised_cells(dtype):
    """(1, 3, 14, 18) map of all numbers of an integer type, that a replay makes anew."""
    number = np.arange(3 * 14 * 18) * 37 % 256 + np.iinfo(dtype).min
    return number.astype(dtype).reshape(1, 3, 14, 18)


def quantised_boxes(rng, dtype):
    """Boxes of the map's type, as torchvision wants them: from -8 to 24 in steps of an eighth; the image's number is not read."""
    corner = rng.uniform(-8, 20, (12, 2))
    rows = np.hstack([np.zeros((12, 1)), corner, corner + rng.uniform(0, 12, (12, 2))]).astype(np.float32)
    zero_point = 64 + np.iinfo(dtype).min
    return torch.quantize_per_tensor(torch.from_numpy(rows), 0.125, zero_point, QUANTISED[dtype])


def quantised(recorder, count, seed):
    """roi_align of quantised maps: the only operator that torchvision has for them."""
    rng = np.random.default_rng(seed)
    for n in range(count):
        dtype = ("uint8", "int8")[n % 2]
        args = {
            "dtype": dtype,
            "scale": float(np.float32(rng.choice([0.1, 0.037, 0.5, 1.0, 3.3]))),
            "zero_point": int(rng.integers(0, 256) + np.iinfo(dtype).min),
            "output_size": [3, 2],
            "spatial_scale": float(rng.choice([1.0, 0.5])),
            "sampling_ratio": int(rng.choice([-1, 1, 2, 3])),
            "aligned": bool(rng.integers(2)),
        }
        boxes = quantised_boxes(rng, dtype)

        def pool(args=args, boxes=boxes):
            whole = torch.from_numpy(quantised_cells(args["dtype"]))
            real = args["scale"] * (whole.double() - args["zero_point"])
            kind = QUANTISED[args["dtype"]]
            map_ = torch.quantize_per_tensor(real.float(), args["scale"], args["zero_point"], kind)
            assert (map_.int_repr() == whole).all()
            names = "output_size", "spatial_scale", "sampling_ratio", "aligned"
            result = ops.roi_align(map_, boxes, *(args[name] for name in names))
            assert (result.q_scale(), result.q_zero_point()) == (map_.q_scale(), map_.q_zero_point())
            return result.int_repr().numpy(), boxes.dequantize().numpy()[:, 1:]

        recorder.add("quantized_roi_align", pool, {}, args)


def main():
    torch.set_num_threads(1)
    recorder = Recorder("torchvision", torch=torch.__version__, torchvision=torchvision.__version__)
    roi_pool(recorder)
    position_sensitive(recorder)
    pyramid(recorder)
    recorder.write()
    roi_align(recorder)
    recorder.write("_align")
    masks(recorder)
    recorder.write("_masks")
    mask_types(recorder)
    hostile(recorder)
    live = len(sys.argv) > 1
    unusual_pyramids(recorder, *((3000, 20261127) if live else (PYRAMID_CASES, 13)))
    recorder.write("_pyramids")
    quantised(recorder, *((2000, 20261128) if live else (QUANTISED_CASES, 17)))
    recorder.write("_quantized")


if __name__ == "__main__":
    main()
