"""Golden vectors of torchvision's RoI operators (CPU)."""

from __future__ import annotations

import numpy as np
import torch
import torchvision
from common import Recorder
from torchvision import ops
from torchvision.ops.poolers import LevelMapper

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}


def call(op, dtype=torch.float32, **fixed):
    def run(input, boxes):
        result = op(torch.from_numpy(input).to(dtype), torch.from_numpy(boxes).to(dtype), **fixed)
        return result.numpy()
    return run


def roi_pool(recorder):
    for box_set, label, size in (("edge", "1", (3, 2)), ("edge", "1_4", (7, 7)),
                                 ("edge", "0_3", (2, 3)), ("random", "1", (4, 3)),
                                 ("random", "0_3", (7, 5)), ("huge", "1", (7, 7)),
                                 ("overrun", "1", (7, 7))):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        args = {"output_size": size, "spatial_scale": SCALES[label]}
        inputs = {"input": feature, "boxes": f"rois_{box_set}_{label}"}
        recorder.add("roi_pool", call(ops.roi_pool, **args), inputs, args)
        if (box_set, label) in (("overrun", "1"), ("edge", "0_3")):
            recorder.add("roi_pool", call(ops.roi_pool, torch.float64, **args), inputs,
                         {**args, "dtype": "float64"})


def roi_align(recorder):
    for aligned in (False, True):
        for ratio in (-1, 0, 2, 3):
            for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3"),
                                   ("huge", "1_4")):
                if box_set == "huge" and ratio == 3:
                    continue
                if aligned and ratio <= 0 and box_set != "huge":
                    box_set += "_ordered"
                args = {"output_size": (3, 2), "spatial_scale": SCALES[label],
                        "sampling_ratio": ratio, "aligned": aligned}
                recorder.add("roi_align", call(ops.roi_align, **args),
                             {"input": "map_normal", "boxes": f"rois_{box_set}_{label}"}, args)
    args = {"output_size": (7, 7), "spatial_scale": 0.25, "sampling_ratio": 0, "aligned": True}
    recorder.add("roi_align", call(ops.roi_align, torch.float64, **args),
                 {"input": "map_normal", "boxes": "rois_edge_ordered_1_4"}, {**args, "dtype": "float64"})


def position_sensitive(recorder):
    for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3")):
        inputs = {"input": "map_ps", "boxes": f"rois_{box_set}_{label}"}
        args = {"output_size": 3, "spatial_scale": SCALES[label]}
        recorder.add("ps_roi_pool", call(ops.ps_roi_pool, **args), inputs, args)
        for ratio in (-1, 2):
            sampled = {**args, "sampling_ratio": ratio}
            recorder.add("ps_roi_align", call(ops.ps_roi_align, **sampled), inputs, sampled)
    args = {"output_size": 3, "spatial_scale": 1.0}
    recorder.add("ps_roi_pool", call(ops.ps_roi_pool, **args),
                 {"input": "map_ps_ramp", "boxes": "rois_edge_1"}, args)


def pyramid(recorder):
    shapes = [(192, 256), (180, 250)]
    names = {f"level_{n}": f"pyramid_{n}" for n in range(4)}

    def pool(boxes, output_size, sampling_ratio, canonical_scale, canonical_level, **levels):
        pooler = ops.MultiScaleRoIAlign([f"level_{n}" for n in range(4)], output_size,
                                        sampling_ratio, canonical_scale=canonical_scale,
                                        canonical_level=canonical_level)
        features = {key: torch.from_numpy(value) for key, value in levels.items()}
        per_image = [torch.from_numpy(boxes[boxes[:, 0] == n, 1:]) for n in range(2)]
        result = pooler(features, per_image, shapes)
        scales = np.asarray(pooler.scales)
        return result.numpy(), scales

    for ratio, size in ((2, (3, 2)), (-1, (2, 2))):
        args = {"output_size": size, "sampling_ratio": ratio, "canonical_scale": 224,
                "canonical_level": 4}
        recorder.add("multiscale_roi_align",
                     lambda args=args, **arrays: pool(**arrays, **args),
                     {"boxes": "rois_levels", **names}, {**args, "image_shapes": shapes})

    def levels(boxes):
        mapper = LevelMapper(2, 5)
        return mapper([torch.from_numpy(boxes[:, 1:])]).numpy()

    recorder.add("level_mapper", levels, {"boxes": "rois_levels"}, {"k_min": 2, "k_max": 5})


def main():
    torch.set_num_threads(1)
    recorder = Recorder("torchvision", torch=torch.__version__, torchvision=torchvision.__version__)
    roi_pool(recorder)
    position_sensitive(recorder)
    pyramid(recorder)
    recorder.write()
    roi_align(recorder)
    recorder.write("_align")


if __name__ == "__main__":
    main()
