"""Golden vectors of the RoI layers of OpenCV's dnn module (read from a Caffe description)."""

from __future__ import annotations

import cv2
import numpy as np
from common import Recorder

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}
TEMPLATE = """
input: "data" input_shape {{ dim: {n} dim: {c} dim: {h} dim: {w} }}
input: "rois" input_shape {{ dim: {k} dim: 5 dim: 1 dim: 1 }}
layer {{ name: "out" type: "{layer}" bottom: "data" bottom: "rois" top: "out" {parameters} }}
"""


def call(layer, parameters):
    def run(data, rois):
        n, c, h, w = data.shape
        text = TEMPLATE.format(n=n, c=c, h=h, w=w, k=len(rois), layer=layer, parameters=parameters)
        net = cv2.dnn.readNetFromCaffe(np.frombuffer(text.encode(), np.uint8))
        net.setInput(data, "data")
        net.setInput(rois.reshape(-1, 5, 1, 1), "rois")
        return np.array(net.forward("out"))

    return run


def main():
    cv2.setNumThreads(1)
    recorder = Recorder("opencv", opencv=cv2.__version__)
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("overrun", "1", (7, 7)),
    ):
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        text = f"roi_pooling_param {{ pooled_h: {size[0]} pooled_w: {size[1]} spatial_scale: {SCALES[label]} }}"
        recorder.add(
            "ROIPooling",
            call("ROIPooling", text),
            {"data": feature, "rois": f"rois_{box_set}_{label}"},
            {"pooled_h": size[0], "pooled_w": size[1], "spatial_scale": SCALES[label]},
        )
    for label in ("1", "0_3"):
        text = f"psroi_pooling_param {{ output_dim: 2 group_size: 3 spatial_scale: {SCALES[label]} }}"
        recorder.add(
            "PSROIPooling",
            call("PSROIPooling", text),
            {"data": "map_ps", "rois": f"rois_edge_{label}"},
            {"output_dim": 2, "group_size": 3, "spatial_scale": SCALES[label]},
        )
    recorder.write()


if __name__ == "__main__":
    main()
