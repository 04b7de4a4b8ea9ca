"""torchvision's CPU operators with the torch of its own wheel; the result is always fresh."""

from __future__ import annotations

from . import Adapter


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    import torch
    import torchvision
    from torchvision import ops

    torch.set_num_threads(threads)

    def session(function, features, boxes, *options):
        tensors = [torch.from_numpy(array) for array in (features, boxes)]

        def call():
            with torch.inference_mode():
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
        return session(ops.ps_roi_pool, features, boxes, job.output_size, job.scale)

    def ps_align(job, features, boxes):
        return session(ops.ps_roi_align, features, boxes, job.output_size, job.scale, job.params["sampling_ratio"])

    return Adapter(
        torchvision.__version__,
        {"roi_pool": pool, "roi_align": align, "ps_roi_pool": ps_pool, "ps_roi_align": ps_align},
        rules={"roi_pool": "fast_rcnn_f32", "ps_roi_pool": "torchvision"},
        notes=f"torch {torch.__version__}; NCHW in and out; no preallocated output, malloc told to keep memory",
        isa=torch.backends.cpu.get_cpu_capability(),
    )
