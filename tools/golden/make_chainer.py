"""Golden vectors of Chainer's RoI functions (NumPy on the CPU); boxes are y1, x1, y2, x2."""

from __future__ import annotations

import chainer
import chainer.functions as F
import numpy as np
from common import Recorder

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}


def call(op, swap=True, **args):
    def run(x, boxes):
        index = boxes[:, 0].astype(np.int32)
        if swap:
            return op(x, np.ascontiguousarray(boxes[:, [2, 1, 4, 3]]), index, **args).array
        return op(x, boxes, **args).array

    return run


def main():
    recorder = Recorder("chainer", chainer=chainer.__version__)
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("random", "0_3", (4, 3)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        inputs = {"x": feature, "boxes": f"rois_{box_set}_{label}"}
        args = {"outsize": size, "spatial_scale": SCALES[label]}
        recorder.add("roi_max_pooling_2d", call(F.roi_max_pooling_2d, **args), inputs, args)
        recorder.add("roi_average_pooling_2d", call(F.roi_average_pooling_2d, **args), inputs, args)
        older = {"outh": size[0], "outw": size[1], "spatial_scale": SCALES[label]}
        recorder.add("roi_pooling_2d", call(F.roi_pooling_2d, swap=False, **older), inputs, older)
    for op in ("roi_max_align_2d", "roi_average_align_2d"):
        for ratio in (None, 2, (1, 3)):
            args = {"outsize": (3, 2), "spatial_scale": 0.3, "sampling_ratio": ratio}
            recorder.add(op, call(getattr(F, op), **args), {"x": "map_normal", "boxes": "rois_edge_ordered_0_3"}, args)
        args = {"outsize": (2, 2), "spatial_scale": 1.0, "sampling_ratio": 2}
        recorder.add(op, call(getattr(F, op), **args), {"x": "map_normal", "boxes": "rois_random_1"}, args)
    recorder.write()


if __name__ == "__main__":
    main()
