"""Types of the compiled module: thin over fastroi.h, for the modules of this package."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class Field:
    name: str
    type: str
    of: str
    offset: int
    choices: tuple[str, ...] | None

class Operator:
    name: str
    fields: dict[str, Field]
    flags: int

class Params:
    operator: Operator
    arrays: dict[str, tuple[Any, int]]
    def __init__(self, operator: str, **values: str | bool | float | tuple[float, float]) -> None: ...
    def __getitem__(self, name: str) -> float: ...
    def attach(self, name: str, array: Any, dtype: int = 0) -> None: ...
    def with_arrays(self, arrays: dict[str, tuple[Any, int]]) -> Params: ...

OPERATORS: dict[str, Operator]
CHECK_SHAPES: int
TAKES_TURNED_BOXES: int
TAKES_NORMALISED_BOXES: int
TAKES_LEVELS: int
TAKES_MASKS: int

def run(
    params: Params,
    features: list[NDArray[Any]],
    dtype: int,
    rois: NDArray[Any],
    batch_indices: NDArray[np.int64] | None,
    out: NDArray[Any],
    out_dtype: int,
    num_threads: int,
    simd: bytes | None,
    flow: int = 0,
) -> None: ...
def axis_points(
    op: int,
    lo: float,
    hi: float,
    scale: float,
    sampling_ratio: int,
    bins: int,
    extent: int,
) -> tuple[tuple[float, float], int, list[tuple[int, float, float]]]: ...
def axis_ranges(
    rule: str,
    lo: float,
    hi: float,
    scale: float,
    bins: int,
    extent: int,
) -> tuple[tuple[float, float], tuple[tuple[int, int], ...]]: ...
def list_plan(
    params: Params,
    features: list[NDArray[Any]],
    dtype: int,
    rois: NDArray[Any],
    batch_indices: NDArray[np.int64] | None,
    out: NDArray[Any],
    out_dtype: int,
) -> tuple[int, list[tuple[int, int, int, int, int, int, float]]]: ...
def build_info() -> dict[str, str | bool | int]: ...
def elements() -> dict[str, int]: ...
def usable_threads(num_threads: int) -> int: ...
def simd_activate(name: str) -> None: ...
def simd_active() -> str: ...
def simd_compiled() -> tuple[str, ...]: ...
def simd_supported() -> tuple[str, ...]: ...
