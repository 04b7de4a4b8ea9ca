"""Types of `fastroi.memory`; documentation is in the module."""

from collections.abc import Sequence
from typing import Any, SupportsIndex

from numpy.typing import DTypeLike, NDArray

__all__ = ["empty_aligned"]

def empty_aligned(shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike = "float32") -> NDArray[Any]: ...
