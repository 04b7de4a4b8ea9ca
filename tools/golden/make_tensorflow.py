"""Golden vectors of TensorFlow's crop_and_resize (CPU)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from common import Recorder


def hostile(recorder):
    """Images of other elements, some beyond what float32 tells apart, and a fill value that it cannot hold."""
    for dtype, times, method in (
        ("float64", 0.3, "bilinear"),
        ("int32", 3e6, "nearest"),
        ("int16", 6000.0, "bilinear"),
        ("float16", 1.0, "bilinear"),
    ):
        args = {"crop_size": (3, 2), "method": method, "extrapolation_value": 1 / 3}

        def call(image, boxes, box_indices, args=args, dtype=dtype, times=times):
            nhwc = (image.transpose(0, 2, 3, 1) * np.float64(times)).astype(dtype)
            return tf.image.crop_and_resize(np.ascontiguousarray(nhwc), boxes, box_indices, **args).numpy()

        inputs = {"image": "map_normal", "boxes": "boxes_unit", "box_indices": "boxes_unit_index"}
        recorder.add("crop_and_resize", call, inputs, {**args, "dtype": dtype, "times": times})
    recorder.write("_hostile")


def elements(recorder):
    """Images of every narrow element that TensorFlow takes, up to their largest numbers."""
    for dtype, low, high in (
        ("uint8", 0, 255),
        ("int8", -128, 127),
        ("uint16", 0, 65535),
        ("int16", -32768, 32767),
        ("float16", -9, 9),
    ):
        for method in ("bilinear", "nearest"):
            args = {"crop_size": (3, 2), "method": method, "extrapolation_value": -7.5}

            def call(image, boxes, box_indices, args=args, dtype=dtype, low=low, high=high):
                share = (image.transpose(0, 2, 3, 1) + 4) / 8
                nhwc = np.ascontiguousarray(np.clip(low + share * (high - low), low, high).astype(dtype))
                return tf.image.crop_and_resize(nhwc, boxes, box_indices, **args).numpy(), nhwc

            inputs = {"image": "map_normal", "boxes": "boxes_unit", "box_indices": "boxes_unit_index"}
            recorder.add("elements crop_and_resize", call, inputs, args)
    recorder.write("_elements")


def main():
    recorder = Recorder("tensorflow", tensorflow=tf.__version__)
    for method in ("bilinear", "nearest"):
        for feature, dtype, size in (
            ("map_normal", "float32", (3, 4)),
            ("map_normal", "float32", (1, 1)),
            ("map_normal", "float32", (1, 5)),
            ("map_normal", "float64", (4, 3)),
            ("map_relu", "float32", (14, 14)),
        ):
            args = {"crop_size": size, "method": method, "extrapolation_value": -7.5}

            def call(image, boxes, box_indices, args=args, dtype=dtype):
                nhwc = np.ascontiguousarray(image.transpose(0, 2, 3, 1)).astype(dtype)
                return tf.image.crop_and_resize(nhwc, boxes, box_indices, **args).numpy()

            recorder.add(
                "crop_and_resize",
                call,
                {"image": feature, "boxes": "boxes_unit", "box_indices": "boxes_unit_index"},
                {**args, "dtype": dtype, "layout": "image transposed to NHWC"},
            )
    recorder.write()
    hostile(recorder)
    elements(recorder)


if __name__ == "__main__":
    main()
