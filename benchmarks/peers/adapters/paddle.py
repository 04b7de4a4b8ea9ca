"""PaddlePaddle (CPU), dynamic graph; the result is always its own allocation."""

from __future__ import annotations

import numpy as np

from . import Adapter


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    import paddle
    from paddle.vision import ops

    paddle.set_device("cpu")

    def session(function, features, boxes, *options):
        counts = np.bincount(boxes[:, 0].astype(int), minlength=len(features)).astype("int32")
        arrays = (features, np.ascontiguousarray(boxes[:, 1:]), counts)
        tensors = [paddle.to_tensor(array) for array in arrays]

        def call():
            with paddle.no_grad():
                return function(*tensors, *options)

        return call, lambda result: result.numpy()

    def pool(job, features, boxes):
        return session(ops.roi_pool, features, boxes, job.output_size, job.scale)

    def align(job, features, boxes):
        return session(
            ops.roi_align,
            features,
            boxes,
            job.output_size,
            job.scale,
            job.params["sampling_ratio"],
            job.params["aligned"],
        )

    def ps_pool(job, features, boxes):
        return session(ops.psroi_pool, features, boxes, job.output_size, job.scale)

    return Adapter(
        paddle.__version__,
        {"roi_pool": pool, "roi_align": align, "ps_roi_pool": ps_pool},
        rules={"roi_pool": "fast_rcnn_f32"},
        notes="NCHW in and out; no preallocated output, malloc told to keep memory",
    )
