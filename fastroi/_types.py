"""What annotations are made of. Imported by type checkers only: at run time `import fastroi` never reads this file.

The names of choices are those of the library's table of operators, which tests/abi/test_typing.py compares.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, SupportsFloat, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._core import Params

# --- what users pass and get ---------------------------------------------------------------------------------------------

Rois: TypeAlias = ArrayLike | Sequence[ArrayLike]  # one table, or one of each image
Size: TypeAlias = SupportsIndex | tuple[SupportsIndex, SupportsIndex] | Sequence[SupportsIndex]
Sampling: TypeAlias = Size
Scale: TypeAlias = SupportsFloat | tuple[SupportsFloat, SupportsFloat] | Sequence[SupportsFloat]
Result: TypeAlias = NDArray[Any]  # of the dtype asked for

# --- choices -------------------------------------------------------------------------------------------------------------

Layout: TypeAlias = Literal["NCHW", "NHWC"]
Arithmetic: TypeAlias = Literal["float64", "float32"]
RoiPoolRule: TypeAlias = Literal[
    "floor", "fast_rcnn", "fast_rcnn_f32", "fast_rcnn_f64", "chainer", "acl", "mmcv", "mnn", "opencv"
]
RoiPoolReduce: TypeAlias = Literal["max", "mean"]
Aligned: TypeAlias = (
    bool
    | Literal[
        "asymmetric",
        "half_pixel",
        "image",
        "least_one",
        "clamp_half_pixel",
        "clamp_output_half_pixel",
        "clamp_asymmetric",
        "clamp_align_corners",
    ]
)
RoiAlignReduce: TypeAlias = Literal["mean", "max", "max_corners", "max_from_zero", "max_inside"]
AreaReduce: TypeAlias = Literal["mean", "sum"]
PsRoiPoolRule: TypeAlias = Literal["rfcn", "openvino", "torchvision", "chainercv"]
ChannelOrder: TypeAlias = Literal["class", "bin"]
AngleUnit: TypeAlias = Literal["radians", "degrees"]
CropMethod: TypeAlias = Literal["bilinear", "nearest"]
CropEnd: TypeAlias = Literal["tensorflow", "exact"]
Formula: TypeAlias = Literal["torchvision", "onnx", "tflite"]
PasteRule: TypeAlias = Literal["detectron2", "detectron2_full", "detectron"]
LevelRule: TypeAlias = Literal[
    "torchvision",
    "epsilon_1e-6",
    "maskrcnn_benchmark",
    "detectron2",
    "msra",
    "tf_models",
    "matterport",
    "tensorrt",
]

# --- inside the package --------------------------------------------------------------------------------------------------

Array: TypeAlias = NDArray[Any]  # of the device of a call: a CuPy array is asked for the same attributes


class Device(Protocol):
    """Where a call is computed. What is asked, :mod:`fastroi._devices` says."""

    elements: str

    def array(self, value: Any, name: str) -> Array: ...
    def element_code(self, dtype: np.dtype[Any]) -> int | None: ...
    def blank(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array: ...
    def empty(self, shape: tuple[int, ...], dtype: DTypeLike, size: int) -> Array: ...
    def check_kind(self, out: Any, name: str) -> None: ...
    def checked_out(
        self, out: Array, shape: tuple[int, ...], dtype: np.dtype[Any], inputs: Iterable[Any], name: str
    ) -> Array: ...
    def run(
        self,
        params: Params,
        maps: Sequence[Array],
        code: int,
        boxes: Array,
        batch_indices: Array | None,
        out: Array,
        out_code: int,
        num_threads: SupportsIndex | None,
    ) -> None: ...
    def attach(self, params: Params, name: str, array: Array, code: int = 0) -> None: ...
