"""Arguments judged, a search, its residual, a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from fastroi import _core
from fastroi._checks.numbers import positive_integer, real_number

from ._problem import problem_of
from ._report import Identification, report
from ._residual import solved


def identified(
    features: Any,
    rois: Any,
    observed: ArrayLike,
    output_size: Any,
    spatial_scale: Any,
    batch_indices: ArrayLike | None,
    layout: str | None,
    arrays: dict[str, ArrayLike | None],
    operators: Sequence[str] | None,
    tolerance: float | None,
    top: int,
) -> Identification:
    """What `fastroi.identify` returns."""
    top = positive_integer(top, "top")
    tolerance = None if tolerance is None else _checked_tolerance(tolerance)
    if isinstance(operators, str):
        raise TypeError(f"operators: {operators!r} is one string; a list of names required")
    if operators is not None and len(operators) == 0:
        raise ValueError("operators: the list is empty; None tries all")
    for name in operators or ():
        if name not in _core.OPERATORS:
            raise ValueError(f"operators: {name!r} is not one of {', '.join(map(repr, _core.OPERATORS))}")
    problem = problem_of(features, rois, observed, output_size, spatial_scale, batch_indices, layout, arrays)
    outcome, findings = solved(problem, tolerance, operators)
    return report(outcome, findings, top)


def _checked_tolerance(tolerance: float) -> float:
    number = real_number(tolerance, "tolerance")
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"tolerance: {tolerance!r} is not finite and at least 0")
    return number
