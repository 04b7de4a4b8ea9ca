"""MNN's expression interface, in its own packed layout.

The map is packed to NC4HW4 before, and the result left in it: what remains is the operator. That
favours MNN over a caller who has plain arrays.
"""

from __future__ import annotations

import numpy as np

from . import Adapter


def load(threads: int, fresh: bool, variants: tuple[str, ...] = ()) -> Adapter:
    import MNN
    import MNN.expr as F

    F.set_thread_number(threads)
    F.lazy_eval(True)

    def session(features, boxes, node):
        packed = F.convert(F.const(features, features.shape, F.NCHW, F.float), F.NC4HW4)
        packed.fix_as_const()
        rois = F.placeholder(boxes.shape, F.NCHW, F.float)
        kept = None if fresh else node(packed, rois)

        def call():
            if fresh:
                new = F.const(boxes, boxes.shape, F.NCHW, F.float)
                result = node(packed, new)
            else:
                rois.write(boxes)  # marks the result stale: without it nothing is computed again
                result = kept
            result.ptr  # noqa: B018 - asking for the address computes the values
            return result

        def read(result):
            planar = F.convert(result, F.NCHW)  # owns what read() shows
            return np.array(planar.read())

        return call, read

    def pool(job, features, boxes):
        return session(features, boxes, lambda x, r: F.roi_pooling(x, r, *job.output_size, job.scale))

    def align(job, features, boxes):
        average = F.Pool_Mode.AVEPOOL if hasattr(F, "Pool_Mode") else F.Pooling_Mode.AVEPOOL
        return session(
            features,
            boxes,
            lambda x, r: F.roi_align(
                x, r, *job.output_size, job.scale, job.params["sampling_ratio"], job.params["aligned"], average
            ),
        )

    return Adapter(
        MNN.version(),
        {"roi_pool": pool, "roi_align": align},
        notes="own packed layout (NC4HW4) in and out, conversions not timed",
    )
