"""fastroi itself; variants: nhwc, and the name of an instruction set to force."""

from __future__ import annotations

import os

import numpy as np

from . import Adapter

OPERATORS = ("roi_pool", "roi_align", "roi_align_rotated", "ps_roi_pool", "ps_roi_align", "crop_and_resize")


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    isa = [name for name in variants if name != "nhwc"]
    if isa:
        os.environ["FASTROI_SIMD"] = isa[0]
    import fastroi

    layout = "NHWC" if "nhwc" in variants else None

    def build(job, features, boxes):
        operator = getattr(fastroi, job.op)
        wanted, shape = job.layout, job.output_shape
        if layout and layout != job.layout:
            features = np.ascontiguousarray(features.transpose(0, 2, 3, 1))
            wanted, shape = layout, tuple(shape[axis] for axis in (0, 2, 3, 1))
        keywords = dict(job.params, layout=wanted, num_threads=threads)
        if not fresh:
            keywords["out"] = np.empty(shape, "float32")
            keywords["out"].fill(0)
        if job.op == "crop_and_resize":
            leading = (features, boxes, job.indices, job.output_size)
        else:
            leading = (features, boxes, job.output_size, job.scale)

        def read(result):
            return result.transpose(0, 3, 1, 2) if wanted != job.layout else result

        return lambda: operator(*leading, **keywords), read

    builders = {name: build for name in OPERATORS if hasattr(fastroi, name)}
    return Adapter(
        fastroi.__version__, builders, isa=fastroi.simd.active(), notes=f"{layout or 'caller'} layout in and out"
    )
