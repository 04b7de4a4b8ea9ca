"""Golden vectors of ncnn's RoI layers (CPU): one RoI per call, as the layers take them."""

from __future__ import annotations

import importlib.metadata

import ncnn
import numpy as np
from common import Recorder

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}


def network(layer_type, params):
    """A net of one layer with the blobs data, rois and out."""
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_packing_layout = False
    net.opt.use_bf16_storage = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    settings = " ".join(f"{key}={value}" for key, value in params.items())
    text = f"7767517\n3 3\nInput data 0 1 data\nInput rois 0 1 rois\n{layer_type} out 2 1 data rois out {settings}\n"
    if net.load_param_mem(text):
        raise RuntimeError(f"{layer_type} refuses {params}")
    net.load_model(ncnn.DataReaderFromEmpty())
    return net


def forward(net, feature, box):
    with net.create_extractor() as extractor:
        extractor.input("data", ncnn.Mat(np.ascontiguousarray(feature)).clone())
        extractor.input("rois", ncnn.Mat(box.reshape(1, 1, 4)).clone())
        status, out = extractor.extract("out")
        if status:
            raise RuntimeError(f"extract returns {status}")
        return np.array(out)


def call(layer_type, params):
    def run(feature, rois):
        net = network(layer_type, params)
        return np.stack([forward(net, feature[int(row[0])], row[1:].copy()) for row in rois])

    return run


def main():
    recorder = Recorder("ncnn", ncnn=importlib.metadata.version("ncnn"))
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("huge", "1", (7, 7)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        params = {0: size[1], 1: size[0], 2: SCALES[label]}
        recorder.add(
            "ROIPooling",
            call("ROIPooling", params),
            {"feature": feature, "rois": f"rois_{box_set}_{label}"},
            {"pooled_width": size[1], "pooled_height": size[0], "spatial_scale": SCALES[label]},
        )
    # version 0, the default, reads beyond the map for boxes that leave it: nothing to record
    for aligned in (False, True):
        for ratio in (0, 2):
            args = {
                "pooled_width": 2,
                "pooled_height": 3,
                "spatial_scale": 1.0,
                "sampling_ratio": ratio,
                "aligned": aligned,
                "version": 1,
            }
            params = {0: 2, 1: 3, 2: 1.0, 3: ratio, 4: int(aligned), 5: 1}
            recorder.add(
                "ROIAlign", call("ROIAlign", params), {"feature": "map_normal", "rois": "rois_edge_ordered_1"}, args
            )
    args = {
        "pooled_width": 2,
        "pooled_height": 3,
        "spatial_scale": 1.0,
        "sampling_ratio": 0,
        "aligned": True,
        "version": 1,
    }
    recorder.add(
        "ROIAlign",
        call("ROIAlign", dict(enumerate((2, 3, 1.0, 0, 1, 1)))),
        {"feature": "map_normal", "rois": "rois_random_ordered_1"},
        args,
    )
    for box_set, label in (("edge", "1"), ("edge", "0_3"), ("random", "1")):
        args = {"pooled_width": 3, "pooled_height": 3, "spatial_scale": SCALES[label], "output_dim": 2}
        recorder.add(
            "PSROIPooling",
            call("PSROIPooling", dict(enumerate(args.values()))),
            {"feature": "map_ps", "rois": f"rois_{box_set}_{label}"},
            args,
        )
    recorder.write()


if __name__ == "__main__":
    main()
