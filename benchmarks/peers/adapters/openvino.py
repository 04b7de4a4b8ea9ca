"""OpenVINO, CPU plugin; plain NCHW tensors shared with NumPy."""

from __future__ import annotations

import numpy as np

from . import Adapter


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    import openvino as ov
    import openvino.opset15 as ops

    core = ov.Core()
    config = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}

    def session(job, node, parameters, arrays):
        compiled = core.compile_model(ov.Model([node], parameters), "CPU", config)
        request = compiled.create_infer_request()
        kept = [np.ascontiguousarray(array) for array in arrays]
        for index, array in enumerate(kept):
            request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
        resident = None if fresh else job.resident_output()
        if resident is not None:
            request.set_output_tensor(0, ov.Tensor(resident, shared_memory=True))

        def call():
            out = resident
            if fresh:
                out = job.empty_output()
                request.set_output_tensor(0, ov.Tensor(out, shared_memory=True))
            request.infer()
            return out, kept

        return call, lambda result: result[0]

    def pool(job, features, boxes):
        inputs = [ops.parameter(list(a.shape), np.float32) for a in (features, boxes)]
        node = ops.roi_pooling(*inputs, list(job.output_size), job.scale, "max")
        return session(job, node, inputs, (features, boxes))

    def align(job, features, boxes):
        data = ops.parameter(list(features.shape), np.float32)
        rois = ops.parameter([len(boxes), 4], np.float32)
        batch = ops.parameter([len(boxes)], np.int32)
        mode = "half_pixel_for_nn" if job.params["aligned"] else "asymmetric"
        node = ops.roi_align(data, rois, batch, *job.output_size, job.params["sampling_ratio"], job.scale, "avg", mode)
        arrays = (features, boxes[:, 1:], boxes[:, 0].astype(np.int32))
        return session(job, node, [data, rois, batch], arrays)

    def ps_pool(job, features, boxes):
        inputs = [ops.parameter(list(a.shape), np.float32) for a in (features, boxes)]
        group = job.output_size[0]
        node = ops.psroi_pooling(*inputs, job.output_shape[1], group, job.scale, 1, 1, "average")
        return session(job, node, inputs, (features, boxes))

    def crop(job, features, boxes):
        planar = np.ascontiguousarray(features.transpose(0, 3, 1, 2))
        rois = np.column_stack([job.indices, boxes[:, [1, 0, 3, 2]]]).astype(np.float32)
        inputs = [ops.parameter(list(a.shape), np.float32) for a in (planar, rois)]
        node = ops.roi_pooling(*inputs, list(job.output_size), 1.0, "bilinear")
        shape = tuple(job.output_shape[axis] for axis in (0, 3, 1, 2))
        planar_job = type(job)(job.op, "NCHW", job.scale, job.output_size, shape, job.params)
        call, _ = session(planar_job, node, inputs, (planar, rois))
        return call, lambda result: result[0].transpose(0, 2, 3, 1)

    return Adapter(
        ov.__version__,
        {"roi_pool": pool, "roi_align": align, "ps_roi_pool": ps_pool, "crop_and_resize": crop},
        notes="NCHW in and out, output tensor shared with NumPy; float32 forced",
    )
