"""Golden vectors of PaddlePaddle's RoI operators (CPU)."""

from __future__ import annotations

import numpy as np
import paddle
from common import HOSTILE_SCALES, Recorder
from paddle.vision import ops

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}


def by_image(rois):
    """Rows sorted by image (stable), without the index, and how many rows each image has."""
    order = np.argsort(rois[:, 0], kind="stable")
    count = np.bincount(rois[:, 0].astype(int), minlength=2).astype(np.int32)
    return rois[order, 1:], count


def call(op, dtype="float32", **args):
    def run(x, boxes):
        rows, count = by_image(boxes)
        if len(x) == 1:
            count = count[:1]
        return op(
            paddle.to_tensor(x.astype(dtype)), paddle.to_tensor(rows.astype(dtype)), paddle.to_tensor(count), **args
        ).numpy()

    return run


def hostile(recorder, note):
    """float64 maps with scales that float32 cannot hold."""
    for scale in HOSTILE_SCALES:
        for op, feature, args in (
            ("roi_pool", "map_edge", {"output_size": (3, 2)}),
            ("psroi_pool", "map_ps", {"output_size": 3}),
            ("roi_align", "map_normal", {"output_size": (3, 2), "sampling_ratio": -1, "aligned": False}),
        ):
            args = {**args, "spatial_scale": scale}
            recorder.add(
                op,
                call(getattr(ops, op), "float64", **args),
                {"x": feature, "boxes": "rois_edge_1_4"},
                {**args, **note, "dtype": "float64"},
            )
    recorder.write("_hostile")


def main():
    paddle.set_device("cpu")
    note = {"rows": "boxes sorted by image, stable; boxes_num from the index column"}
    recorder = Recorder("paddle", paddlepaddle=paddle.__version__)
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("huge", "1", (7, 7)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        args = {"output_size": size, "spatial_scale": SCALES[label]}
        inputs = {"x": feature, "boxes": f"rois_{box_set}_{label}"}
        recorder.add("roi_pool", call(ops.roi_pool, **args), inputs, {**args, **note})
        if box_set == "overrun":
            recorder.add(
                "roi_pool", call(ops.roi_pool, "float64", **args), inputs, {**args, **note, "dtype": "float64"}
            )
    for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3")):
        args = {"output_size": 3, "spatial_scale": SCALES[label]}
        recorder.add(
            "psroi_pool",
            call(ops.psroi_pool, **args),
            {"x": "map_ps", "boxes": f"rois_{box_set}_{label}"},
            {**args, **note},
        )
    for pixel_offset in (False, True):
        args = {"min_level": 2, "max_level": 5, "refer_level": 4, "refer_scale": 224, "pixel_offset": pixel_offset}

        def distribute(fpn_rois, args=args):
            rows, count = by_image(fpn_rois)
            rois, restore, number = ops.distribute_fpn_proposals(
                paddle.to_tensor(rows), rois_num=paddle.to_tensor(count), **args
            )
            return (*(r.numpy() for r in rois), restore.numpy(), *(n.numpy() for n in number))

        recorder.add(
            "distribute_fpn_proposals",
            distribute,
            {"fpn_rois": "rois_levels"},
            {**args, **note, "results": "boxes of levels 2..5, restore index, counts of levels 2..5"},
        )
    recorder.write()

    for aligned in (False, True):
        for ratio in (-1, 2):
            for box_set, label in (("edge", "1"), ("random", "1"), ("edge", "0_3"), ("huge", "1_4")):
                if aligned and ratio < 0 and box_set != "huge":
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
                    {"x": "map_normal", "boxes": f"rois_{box_set}_{label}"},
                    {**args, **note},
                )
    args = {"output_size": (3, 2), "spatial_scale": 1.0, "sampling_ratio": -1, "aligned": False}
    recorder.add(
        "roi_align",
        call(ops.roi_align, "float64", **args),
        {"x": "map_normal", "boxes": "rois_edge_1"},
        {**args, **note, "dtype": "float64"},
    )
    recorder.write("_align")
    hostile(recorder, note)


if __name__ == "__main__":
    main()
