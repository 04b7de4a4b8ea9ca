"""Golden vectors of MNN's RoI operators (CPU)."""

from __future__ import annotations

import numpy as np
from common import Recorder
from MNN import expr as F
from MNN import version

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}


def variable(array, layout):
    return F.const(np.ascontiguousarray(array, np.float32), list(array.shape), layout, F.float)


def call(op, **args):
    def run(input, roi):
        feature = F.convert(variable(input, F.NCHW), F.NC4HW4)
        result = op(feature, variable(roi, F.NCHW), *args.values())
        return np.array(F.convert(result, F.NCHW).read())

    return run


def main():
    recorder = Recorder("mnn", mnn=version())
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("huge", "1", (7, 7)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        args = {"pooled_height": size[0], "pooled_width": size[1], "spatial_scale": SCALES[label]}
        recorder.add(
            "roi_pooling", call(F.roi_pooling, **args), {"input": feature, "roi": f"rois_{box_set}_{label}"}, args
        )
    for mode in ("AVEPOOL", "MAXPOOL"):
        for aligned in (False, True):
            for ratio in (-1, 2):
                for box_set in ("edge_ordered", "random_ordered", "huge"):
                    label = "0_3" if box_set == "huge" else "1"
                    if box_set == "random_ordered" and aligned != (ratio == 2):
                        continue
                    args = {
                        "pooled_height": 3,
                        "pooled_width": 2,
                        "spatial_scale": SCALES[label],
                        "sampling_ratio": ratio,
                        "aligned": aligned,
                    }
                    fixed = {**args, "pooling_mode": getattr(F.Pooling_Mode, mode)}
                    recorder.add(
                        "roi_align",
                        call(F.roi_align, **fixed),
                        {"input": "map_normal", "roi": f"rois_{box_set}_{label}"},
                        {**args, "pooling_mode": mode},
                    )
    recorder.write()


if __name__ == "__main__":
    main()
