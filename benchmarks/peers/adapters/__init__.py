"""One module per package, each with `load(threads, fresh) -> Adapter`.

A builder takes `(job, features, boxes)` and returns `(call, read)`: `call()` does the work that
is timed and returns whatever must stay alive until it is read; `read(returned)` gives the result
as an array in the job's layout, (K, C, PH, PW) or (K, PH, PW, C). With `fresh` every call must
produce its result in memory it did not hold before; otherwise the result is written where the
previous one was, if the package can do that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Job:
    """A case as a worker sees it."""

    op: str
    layout: str
    scale: float
    output_size: tuple[int, int]
    output_shape: tuple[int, int, int, int]
    params: dict[str, Any]
    indices: np.ndarray | None = None

    def empty_output(self) -> np.ndarray:
        return np.empty(self.output_shape, "float32")

    def resident_output(self) -> np.ndarray:
        out = self.empty_output()
        out.fill(0)
        return out


Builder = Callable[[Job, np.ndarray, np.ndarray], tuple[Callable[[], Any], Callable[[Any], Any]]]


@dataclass(frozen=True)
class Adapter:
    """What one package can do here.

    Parameters
    ----------
    version : str
        The package's version, as it says itself.
    builders : dict
        Operator name -> builder.
    rules : dict
        Operator name -> reference rule, where the package documents another than the default.
    notes : str
        What a reader of the table must know about layouts and memory.
    isa : str
        Instruction set, where the package tells.
    checked : bool
        False where what is run has no values to compare.
    """

    version: str
    builders: dict[str, Builder]
    rules: dict[str, str] = field(default_factory=dict)
    notes: str = ""
    isa: str = ""
    checked: bool = True
