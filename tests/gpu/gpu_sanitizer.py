"""Every kernel once, for compute-sanitizer (memcheck, or racecheck):

PYTHONPATH=tests/support compute-sanitizer --tool memcheck python tests/gpu/gpu_sanitizer.py
"""

import cupy
import numpy as np
from gpu_cases import LARGE_MAPS, OPERATORS, SHAPES, element_map, mask_calls, moderate_rois, run_operator
from helpers import to_layout

import fastroi


def main():
    rng = np.random.default_rng(0)
    for shape, size, scale in SHAPES[:4]:
        rois = moderate_rois(rng, 12, shape, scale)
        rois[-1, 1] = np.nan  # a refused row reads and writes its share too
        for dtype in map(np.dtype, ("float32", "float16", "int8")):
            features = element_map(rng, shape, dtype)
            for layout in ("NCHW", "NHWC"):
                for name, settings in OPERATORS.items():
                    run_operator(name, settings[-1], features, rois, size, scale, layout, cupy.asarray)
                arguments = cupy.asarray(to_layout(features, layout)), cupy.asarray(rois), size, scale
                for with_argmax in (False, True):
                    fastroi.roi_pool(*arguments, layout=layout, return_argmax=with_argmax)
    for shape, size, scale, count in LARGE_MAPS:
        rois = moderate_rois(rng, count, shape, scale)
        rois[-1, 1] = np.nan
        for dtype in map(np.dtype, ("float32", "float16", "int8")):
            features = cupy.asarray(element_map(rng, shape, dtype))
            for operator in (fastroi.roi_pool, fastroi.roi_align, fastroi.prroi_pool):
                operator(features, cupy.asarray(rois), size, scale)
    for (masks, boxes, *more), keywords, name in mask_calls(rng):
        getattr(fastroi, name)(cupy.asarray(masks), cupy.asarray(boxes), *more, **keywords)
    cupy.cuda.Device().synchronize()
    print("every kernel has run")


if __name__ == "__main__":
    main()
