"""What a user's type checker sees; checked by `mypy --strict tests/abi/typed_use.py`, never run."""

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastroi
from fastroi.explain import Explanation, Interpolation, Plan, plot_rules

features = np.zeros((1, 4, 8, 8), np.float32)
rois = [[0.0, 0.0, 4.0, 4.0]]

assert_type(fastroi.roi_pool(features, rois, 3), NDArray[Any])
values, argmax = fastroi.roi_pool(features, rois, (3, 5), (1 / 16, 1 / 8), return_argmax=True, num_threads=2)
assert_type(argmax, NDArray[np.int64])
assert_type(fastroi.roi_align(features, rois, 3, sampling_ratio=(2, 3), aligned="image"), NDArray[Any])
fastroi.roi_pool(features, rois, 3, out=fastroi.empty_aligned((1, 4, 3, 3), np.float64))
assert_type(fastroi.fpn_levels(rois, 2, 5), NDArray[np.int64])
fastroi.roi_align(features, rois, 3, aligned="clamp_align_corners")
fastroi.multiscale_roi_align([features, features], np.array(rois), 7, [1 / 4, 1 / 8])
fastroi.crop_and_resize(features, rois, [0], (2, 2), "nearest", layout="NCHW")
fastroi.roi_pool(features, rois, 3, reduce="median")  # type: ignore[call-overload]
fastroi.roi_align(features, rois, 3, layout="HWC")  # type: ignore[arg-type]
fastroi.ps_roi_pool(features, rois, 2, rule="caffe")  # type: ignore[arg-type]
for rule in fastroi.ROI_POOL_RULES:
    fastroi.roi_pool(features, rois, 3, rule=rule)
for level_rule in fastroi.FPN_LEVEL_RULES:
    fastroi.fpn_levels(rois, 2, 5, rule=level_rule)
assert_type(fastroi.paste_masks(features[0], rois, (8, 8)), NDArray[np.bool_])
assert_type(fastroi.paste_masks(features[0], rois, (8, 8), None), NDArray[Any])
assert_type(fastroi.gpu.check, Callable[[], None])
print(fastroi.gpus)  # type: ignore[attr-defined]
with fastroi.set_num_threads(1), fastroi.simd.use("baseline"):
    assert_type(fastroi.simd.active(), str)
assert_type(fastroi.explain((0, 0, 1, 1), 3, 1.0), Explanation | Interpolation)
assert_type(fastroi.explain((0, 0, 1, 1), 3, operator="ps_roi_pool", map_size=8, group_size=1), Plan)
fastroi.explain((0, 0, 1, 1), 3, 1.0, reduce="mean")  # type: ignore[call-overload]
plot_rules([fastroi.explain((0, 0, 1, 1), 3, 1.0)])
