"""Drop-in profiles: the RoI operators under the names, defaults and edge cases of other packages.

Each module of this package carries the functions of one framework, with its argument order, its
defaults, its box format and the dtype of its results, on NumPy arrays::

    from fastroi.compat import torchvision
    torchvision.roi_align(features, boxes, 7, 1 / 16, sampling_ratio=2)

Quirks that a trained model depends on (rounding, bin edges, channel order, the float32 arithmetic)
are kept.  Crashes, reads outside an array, and NaN where the definition gives a number are not:
the table in docs/compat.md lists each such difference with the smallest input that shows it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = [
    "caffe",
    "detectron2",
    "mmcv",
    "mxnet",
    "onnx",
    "openvino",
    "paddle",
    "tensorflow",
    "tensorrt",
    "torchvision",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
