"""Golden vectors of Apache MXNet's RoI operators (CPU)."""

from __future__ import annotations

import mxnet as mx
import numpy as np
from common import HOSTILE_SCALES, Recorder

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}


def call(op, dtype="float32", **args):
    def run(data, rois, trans=None):
        arrays = [mx.nd.array(data, dtype=dtype), mx.nd.array(rois, dtype=dtype)]
        if trans is not None:
            arrays.append(mx.nd.array(trans, dtype=dtype))
        return op(*arrays, **args).asnumpy()

    return run


def hostile(recorder):
    """float64 maps with scales that float32 cannot hold, and rows of no image."""
    for scale in HOSTILE_SCALES:
        for op, feature, args in (
            ("ROIPooling", "map_edge", {"pooled_size": (3, 2)}),
            ("contrib.ROIAlign", "map_normal", {"pooled_size": (3, 2), "sample_ratio": -1}),
            ("contrib.PSROIPooling", "map_ps", {"output_dim": 2, "pooled_size": 3}),
            ("contrib.RROIAlign", "map_relu", {"pooled_size": (3, 2), "sampling_ratio": 2}),
        ):
            function = getattr(mx.nd.contrib, op.removeprefix("contrib."), None) or getattr(mx.nd, op)
            dtypes = ("float32",) if op == "contrib.RROIAlign" else ("float32", "float64")
            for dtype in dtypes:
                every = {**args, "spatial_scale": scale}
                # contrib.ROIAlign leaves what was in the memory there
                unlisted = [3, 17, 38] if op == "ROIPooling" else []

                def run(data, rois, function=function, every=every, dtype=dtype, unlisted=unlisted):
                    rois = np.array(rois)
                    rois[unlisted, 0] = -1
                    rois[:, 5:] = np.degrees(rois[:, 5:])
                    return call(function, dtype, **every)(data, rois)

                rois = "rois_rotated" if op == "contrib.RROIAlign" else "rois_edge_1_4"
                note = {"dtype": dtype, "unlisted": unlisted}
                recorder.add(op, run, {"data": feature, "rois": rois}, {**every, **note})
        args = {"spatial_scale": scale, "output_dim": 2, "group_size": 3, "pooled_size": 3, "part_size": 3}
        args = {**args, "sample_per_part": 2, "trans_std": 0.1, "no_trans": False}
        recorder.add(
            "contrib.DeformablePSROIPooling",
            call(mx.nd.contrib.DeformablePSROIPooling, "float64", **args),
            {"data": "map_ps", "rois": "rois_random_1_4", "trans": "offsets_2"},
            {**args, "dtype": "float64"},
        )
    recorder.write("_hostile")


def main():
    recorder = Recorder("mxnet", mxnet=mx.__version__)
    contrib = mx.nd.contrib
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("huge", "1", (7, 7)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        args = {"pooled_size": size, "spatial_scale": SCALES[label]}
        recorder.add(
            "ROIPooling", call(mx.nd.ROIPooling, **args), {"data": feature, "rois": f"rois_{box_set}_{label}"}, args
        )
        if box_set == "overrun":
            recorder.add(
                "ROIPooling",
                call(mx.nd.ROIPooling, "float64", **args),
                {"data": feature, "rois": f"rois_{box_set}_{label}"},
                {**args, "dtype": "float64"},
            )
    for ratio in (-1, 2):
        args = {"pooled_size": (3, 2), "spatial_scale": 1.0, "sample_ratio": ratio, "aligned": False}
        recorder.add(
            "contrib.ROIAlign", call(contrib.ROIAlign, **args), {"data": "map_normal", "rois": "rois_random_1"}, args
        )
    for aligned in (False, True):
        for ratio in (-1, 2):
            # aligned aborts the process on a box reversed on either axis
            args = {"pooled_size": (3, 2), "spatial_scale": 0.3, "sample_ratio": ratio, "aligned": aligned}
            name = "rois_huge_0_3" if aligned else "rois_edge_0_3"
            recorder.add("contrib.ROIAlign", call(contrib.ROIAlign, **args), {"data": "map_normal", "rois": name}, args)
            args = {**args, "pooled_size": (3, 3), "position_sensitive": True}
            recorder.add("contrib.ROIAlign", call(contrib.ROIAlign, **args), {"data": "map_ps", "rois": name}, args)
    for box_set, label in (("edge", "1"), ("random", "1")):
        args = {"spatial_scale": SCALES[label], "output_dim": 2, "pooled_size": 3, "group_size": 3}
        recorder.add(
            "contrib.PSROIPooling",
            call(contrib.PSROIPooling, **args),
            {"data": "map_ps", "rois": f"rois_{box_set}_{label}"},
            args,
        )
    for trans in (None, "offsets_1", "offsets_2"):
        args = {
            "spatial_scale": 1.0,
            "output_dim": 2,
            "group_size": 3,
            "pooled_size": 3,
            "part_size": 3,
            "sample_per_part": 2,
            "trans_std": 0.1,
            "no_trans": trans is None,
        }
        inputs = {"data": "map_ps", "rois": "rois_random_1"}
        if trans:
            inputs["trans"] = trans
        recorder.add("contrib.DeformablePSROIPooling", call(contrib.DeformablePSROIPooling, **args), inputs, args)
    for ratio in (-1, 2):
        args = {"pooled_size": (3, 2), "spatial_scale": 0.5, "sampling_ratio": ratio}

        def rotated(data, rois, args=args):
            degrees = np.column_stack([rois[:, :5], np.degrees(rois[:, 5])]).astype(np.float32)
            return call(contrib.RROIAlign, **args)(data, degrees)

        recorder.add(
            "contrib.RROIAlign",
            rotated,
            {"data": "map_relu", "rois": "rois_rotated"},
            {**args, "note": "angles turned into float32 degrees by numpy.degrees"},
        )
    recorder.write()
    hostile(recorder)


if __name__ == "__main__":
    main()
