"""ONNX Runtime, CPU provider; outputs bound to a NumPy array."""

from __future__ import annotations

import numpy as np

from . import Adapter


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    import onnxruntime as ort
    from onnx import TensorProto, helper

    types = {
        np.dtype("float32"): TensorProto.FLOAT,
        np.dtype("int64"): TensorProto.INT64,
        np.dtype("int32"): TensorProto.INT32,
    }

    def session(kind, feeds, shape, domain="", **attributes):
        opsets = [helper.make_opsetid("", 16), helper.make_opsetid("com.microsoft", 1)]
        inputs = [helper.make_tensor_value_info(name, types[array.dtype], array.shape) for name, array in feeds.items()]
        output = helper.make_tensor_value_info("Y", TensorProto.FLOAT, shape)
        node = helper.make_node(kind, list(feeds), ["Y"], domain=domain, **attributes)
        model = helper.make_model(helper.make_graph([node], "g", inputs, [output]), opset_imports=opsets, ir_version=8)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        run = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        if fresh:
            return lambda: run.run(None, feeds)[0]
        out = np.zeros(shape, "float32")
        out.fill(0)
        binding = run.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        binding.bind_output("Y", "cpu", 0, np.float32, shape, out.ctypes.data)

        def call():
            run.run_with_iobinding(binding)
            return out

        return call

    def pool(job, features, boxes):
        feeds = {"X": features, "rois": np.ascontiguousarray(boxes)}
        return session(
            "MaxRoiPool", feeds, job.output_shape, spatial_scale=job.scale, pooled_shape=list(job.output_size)
        ), None

    def align(job, features, boxes):
        feeds = {"X": features, "rois": np.ascontiguousarray(boxes[:, 1:]), "batch": boxes[:, 0].astype("int64")}
        mode = "half_pixel" if job.params["aligned"] else "output_half_pixel"
        return session(
            "RoiAlign",
            feeds,
            job.output_shape,
            spatial_scale=job.scale,
            output_height=job.output_size[0],
            output_width=job.output_size[1],
            sampling_ratio=job.params["sampling_ratio"],
            mode="avg",
            coordinate_transformation_mode=mode,
        ), None

    def crop(job, features, boxes):
        feeds = {
            "X": np.ascontiguousarray(features.transpose(0, 3, 1, 2)),
            "boxes": boxes,
            "batch": job.indices,
            "size": np.array(job.output_size, "int32"),
        }
        shape = tuple(job.output_shape[axis] for axis in (0, 3, 1, 2))
        call = session("CropAndResize", feeds, shape, domain="com.microsoft", mode="bilinear")
        return call, lambda result: result.transpose(0, 2, 3, 1)

    return Adapter(
        ort.__version__,
        {"roi_pool": pool, "roi_align": align, "crop_and_resize": crop},
        rules={"roi_pool": "fast_rcnn_f32"},
        notes="NCHW in and out, output bound to a NumPy array",
    )
