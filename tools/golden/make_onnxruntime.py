"""Golden vectors of ONNX Runtime (CPU), the ONNX reference evaluator and ONNX's backend vectors."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnx.backend.test.loader as backend_vectors
import onnxruntime
from common import HOSTILE_SCALES, Recorder
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

SCALES = {"1": 1.0, "1_4": 0.25, "0_3": 0.3}
ELEMENT = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
}


def model(op, arrays, attributes, opset=16, domain=""):
    """A model of one node whose inputs are named and typed after ``arrays``.

    Opset 16: ONNX Runtime 1.32 has no kernels for MaxRoiPool and RoiAlign of opset 22.
    """
    node = helper.make_node(op, list(arrays), ["Y"], domain=domain, **attributes)
    inputs = [
        helper.make_tensor_value_info(name, ELEMENT[value.dtype], list(value.shape)) for name, value in arrays.items()
    ]
    output = helper.make_tensor_value_info("Y", ELEMENT[next(iter(arrays.values())).dtype], [None] * 4)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(helper.make_graph([node], "g", inputs, [output]), ir_version=10, opset_imports=opsets)


def run_onnxruntime(op, arrays, attributes, **options):
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = 1
    session_options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model(op, arrays, attributes, **options).SerializeToString(),
        session_options,
        providers=["CPUExecutionProvider"],
    )
    return session.run(None, arrays)[0]


def run_reference(op, arrays, attributes, **options):
    return ReferenceEvaluator(model(op, arrays, attributes, **options)).run(None, arrays)[0]


def split(rois, dtype):
    return np.ascontiguousarray(rois[:, 1:]).astype(dtype), rois[:, 0].astype(np.int64)


def max_roi_pool(recorder):
    for box_set, label, size in (
        ("edge", "1", (3, 2)),
        ("edge", "1_4", (7, 7)),
        ("edge", "0_3", (2, 3)),
        ("random", "1", (4, 3)),
        ("random", "0_3", (7, 5)),
        ("huge", "1", (7, 7)),
        ("overrun", "1", (7, 7)),
    ):
        args = {"pooled_shape": size, "spatial_scale": SCALES[label]}
        feature = "map_wide" if box_set == "overrun" else "map_edge"
        recorder.add(
            "MaxRoiPool",
            lambda X, rois, args=args: run_onnxruntime("MaxRoiPool", {"X": X, "rois": rois}, args),
            {"X": feature, "rois": f"rois_{box_set}_{label}"},
            args,
        )


def roi_align(recorder, run, box_sets, ratios, feature, dtype=np.float32):
    for half_pixel in (True, False):
        for mode in ("avg", "max"):
            for ratio in ratios:
                for box_set, label in box_sets:
                    if half_pixel and ratio == 0 and box_set != "huge":
                        box_set += "_ordered"
                    args = {
                        "mode": mode,
                        "output_height": 3,
                        "output_width": 2,
                        "sampling_ratio": ratio,
                        "spatial_scale": SCALES[label],
                        "coordinate_transformation_mode": "half_pixel" if half_pixel else "output_half_pixel",
                    }

                    def call(X, rois, args=args):
                        boxes, index = split(rois, dtype)
                        arrays = {"X": X.astype(dtype), "rois": boxes, "batch_indices": index}
                        return run("RoiAlign", arrays, args)

                    note = {} if dtype == np.float32 else {"dtype": np.dtype(dtype).name}
                    recorder.add("RoiAlign", call, {"X": feature, "rois": f"rois_{box_set}_{label}"}, {**args, **note})


def hostile(recorder):
    """float64 maps with scales that float32 cannot hold."""
    for scale in HOSTILE_SCALES:
        for mode in ("avg", "max"):
            args = {"mode": mode, "output_height": 3, "output_width": 2, "sampling_ratio": 2, "spatial_scale": scale}
            args["coordinate_transformation_mode"] = "output_half_pixel"

            def call(X, rois, args=args):
                boxes, index = split(rois, np.float64)
                arrays = {"X": X.astype(np.float64), "rois": boxes, "batch_indices": index}
                return run_onnxruntime("RoiAlign", arrays, args)

            inputs = {"X": "map_normal", "rois": "rois_edge_1_4"}
            recorder.add("RoiAlign", call, inputs, {**args, "dtype": "float64"})
        args = {"pooled_shape": (3, 2), "spatial_scale": scale}
        recorder.add(
            "MaxRoiPool",
            lambda X, rois, args=args: run_onnxruntime("MaxRoiPool", {"X": X, "rois": rois}, args),
            {"X": "map_edge", "rois": "rois_random_1_4"},
            args,
        )
    recorder.write("_hostile")


def roi_align_opset_10(recorder):
    args = {"mode": "avg", "output_height": 2, "output_width": 3, "sampling_ratio": 2, "spatial_scale": 0.25}

    def call(X, rois):
        boxes, index = split(rois, np.float32)
        return run_onnxruntime("RoiAlign", {"X": X, "rois": boxes, "batch_indices": index}, args, opset=10)

    recorder.add("RoiAlign", call, {"X": "map_normal", "rois": "rois_edge_1_4"}, {**args, "opset": 10})


def crop_and_resize(recorder):
    for mode in ("bilinear", "nearest"):
        for size in ((3, 4), (1, 1), (1, 5), (14, 14)):
            args = {"mode": mode, "extrapolation_value": -7.5}

            def call(X, rois, batch_indices, args=args, size=size):
                arrays = {"X": X, "rois": rois, "batch_indices": batch_indices, "crop_size": np.asarray(size, np.int32)}
                return run_onnxruntime("CropAndResize", arrays, args, domain="com.microsoft")

            feature = "map_relu" if size == (14, 14) else "map_normal"
            recorder.add(
                "CropAndResize",
                call,
                {"X": feature, "rois": "boxes_unit", "batch_indices": "boxes_unit_index"},
                {**args, "crop_size": size},
            )


def backend_cases(recorder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' vectors overflow on purpose
        cases = backend_vectors.load_model_tests(kind="node")
    for case in cases:
        if "roialign" not in case.name:
            continue
        node = case.model.graph.node[0]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
        inputs, outputs = case.data_sets[0]
        values = tuple(np.asarray(value) for value in (*inputs, *outputs))
        recorder.add(
            "RoiAlign",
            lambda values=values: values,
            {},
            {**attributes, "backend_test": case.name, "note": "results are X, rois, batch_indices, Y"},
        )


def elements(recorder):
    """float16, for which ONNX Runtime puts casts around its kernels."""
    half = np.float16
    args = {"pooled_shape": (3, 2), "spatial_scale": 0.3}
    recorder.add(
        "elements max_roi_pool",
        lambda X, rois: run_onnxruntime("MaxRoiPool", {"X": X.astype(half), "rois": rois.astype(half)}, args),
        {"X": "map_edge", "rois": "rois_random_0_3"},
        args,
    )
    for mode in ("avg", "max"):
        for ratio in (0, 2):
            aligned = {"mode": mode, "sampling_ratio": ratio, "output_height": 3, "output_width": 2}
            shift = (
                "half_pixel" if ratio else "output_half_pixel"
            )  # reversed boxes have no adaptive grid without the latter
            aligned |= {"coordinate_transformation_mode": shift, "spatial_scale": 0.3}

            def align(X, rois, args=aligned):
                boxes, index = split(rois, half)
                return run_onnxruntime("RoiAlign", {"X": X.astype(half), "rois": boxes, "batch_indices": index}, args)

            recorder.add("elements roi_align", align, {"X": "map_normal", "rois": "rois_random_0_3"}, aligned)
    fill = {"mode": "bilinear", "extrapolation_value": -7.5}

    def crop(X, rois, batch_indices):
        arrays = {"X": X.astype(half), "rois": rois.astype(half), "batch_indices": batch_indices.astype(np.int32)}
        arrays["crop_size"] = np.array([3, 4], np.int32)
        return run_onnxruntime("CropAndResize", arrays, fill, domain="com.microsoft")

    inputs = {"X": "map_normal", "rois": "boxes_unit", "batch_indices": "boxes_unit_index"}
    recorder.add("elements crop_and_resize", crop, inputs, {**fill, "crop_size": (3, 4)})
    recorder.write("_elements")


def main():
    versions = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
    recorder = Recorder("onnxruntime", **versions)
    max_roi_pool(recorder)
    crop_and_resize(recorder)
    recorder.write()
    sets = (("edge", "1"), ("random", "1"), ("edge", "0_3"), ("huge", "1_4"))
    roi_align(recorder, run_onnxruntime, sets, (0, 2), "map_relu")
    roi_align_opset_10(recorder)
    recorder.write("_align")
    roi_align(recorder, run_onnxruntime, sets[:1], (0, 2), "map_normal", np.float64)
    recorder.write("_align_f64")
    hostile(recorder)
    elements(recorder)

    recorder = Recorder("onnx", **versions)
    roi_align(recorder, run_reference, sets[:1] + sets[2:3], (0, 2), "map_relu")
    backend_cases(recorder)
    recorder.write()


if __name__ == "__main__":
    main()
