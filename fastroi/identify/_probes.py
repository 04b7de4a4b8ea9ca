"""Boxes that tell candidates apart which the given boxes do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._evaluate import Evaluator, Hypothesis, Sample, Score, errors
from ._problem import Array, Geometry


@dataclass(frozen=True)
class Probe:
    """A box that one would add.

    Attributes
    ----------
    row : tuple of float
        As the rows of rois are.
    kind : str
        What is special about it.
    difference : float
        The largest difference of the two candidates on it.
    """

    row: tuple[float, ...]
    kind: str
    difference: float


_KINDS: tuple[tuple[str, tuple[float, float, float, float]], ...] = (  # parts of the map
    ("inside the map", (0.21, 0.17, 0.83, 0.61)),
    ("reaching beyond the left and upper border", (-0.3, -0.4, 0.4, 0.5)),
    ("reaching beyond the right and lower border", (0.6, 0.5, 1.45, 1.3)),
    ("larger than the map", (-0.4, -0.3, 1.6, 1.5)),
    ("off the map", (1.4, 0.2, 1.9, 0.7)),
    ("taller than wide", (0.4, 0.1, 0.55, 0.95)),
)
_SIDES = (
    ("smaller than a cell", 0.3),
    ("of one and a half cells", 1.5),
    ("of whole cells", 3.0),
    ("of a few cells", 4.6),
)


def probe_corners(size: tuple[int, int], scale: tuple[float, float], turned: bool) -> tuple[list[str], Array]:
    """Boxes of all kinds in image pixels, and what is special about each."""
    height, width = size
    cells = [(kind, np.multiply(parts, (width, height, width, height))) for kind, parts in _KINDS]
    for kind, side in _SIDES:
        for start in ((0.0, 0.0), (0.27, 0.41), (0.5, 0.5)):
            corner = np.floor(np.multiply((0.3, 0.4), (width, height))) + start
            cells.append((kind, np.concatenate([corner, corner + side])))
    cells.append(("without area", np.multiply((0.4, 0.3, 0.4, 0.6), (width, height, width, height))))
    cells.append(("reversed", np.multiply((0.7, 0.8, 0.2, 0.3), (width, height, width, height))))
    boxes = np.array([box for _, box in cells]) / np.tile(scale[::-1], 2)
    if turned:
        low, high = boxes[:, :2], boxes[:, 2:]
        boxes = np.column_stack([(low + high) / 2, high - low, np.linspace(0.1, 2.9, len(boxes))])
    return [kind for kind, _ in cells], boxes


class Probing:
    """Hypotheses on the probes of one reading of the boxes."""

    def __init__(self, evaluator: Evaluator, middle: Sample, lead: Hypothesis) -> None:
        self.evaluator = evaluator
        geometry: Geometry = lead.geometry
        turned = evaluator.problem.kind == "turned"
        self.kinds, corners = probe_corners(lead.view.map_size, geometry.scale.pair, turned)
        dtype = evaluator.problem.rows.dtype
        self.rows = geometry.format.rows(corners).astype(dtype)
        self.sample = Sample(np.resize(middle.rows, len(self.rows)), middle.channels)

    def predict(self, h: Hypothesis) -> Array | None:
        boxes = h.geometry.correction.change(h.geometry.format.corners(self.rows))
        return self.evaluator.predict(h, self.sample, np.ascontiguousarray(boxes))

    def telling(self, a: Hypothesis, b: Hypothesis) -> Probe | None:
        """The first probe on which two hypotheses differ; None if there is none."""
        first, second = self.predict(a), self.predict(b)
        if first is None or second is None or first.shape != second.shape:
            return None
        error = errors(first, second).reshape(len(first), -1).max(axis=1, initial=0)
        clear = np.flatnonzero(error > _rounding(self.evaluator) * 100)
        if not len(clear):
            return None
        row = int(clear[0])
        return Probe(tuple(float(f"{v:.6g}") for v in self.rows[row]), self.kinds[row], float(error[row]))


def _rounding(evaluator: Evaluator) -> float:
    """What may differ though the computation is the same, in the type of the maps."""
    eps = float(np.finfo(evaluator.problem.views[0].maps[0].dtype).eps)
    return 64 * eps * (evaluator.problem.largest or 1.0)


def grouped(
    evaluator: Evaluator,
    scored: list[tuple[Hypothesis, Score]],
    middle: Sample,
    simplicity: Callable[[Hypothesis], Any],
) -> list[tuple[list[Hypothesis], Score]]:
    """Hypotheses that give the same within rounding, on the probes as on the RoIs; the nearest of each group first."""
    if not scored:
        return []
    scored = sorted(scored, key=lambda item: simplicity(item[0]))
    lead = min(scored, key=lambda item: (-item[1].agreeing, item[1].median))[0]
    probing = Probing(evaluator, middle, lead)
    groups: list[tuple[Array, list[tuple[Hypothesis, Score]]]] = []
    for h, score in scored:
        values = _signature(evaluator, probing, middle, h)
        if values is None:
            continue
        for known, members in groups:
            if members[0][0].view is h.view and _alike(known, values, _rounding(evaluator)):
                members.append((h, score))
                break
        else:
            groups.append((values, [(h, score)]))
    return [_nearest_first(members) for _, members in groups]


def _signature(evaluator: Evaluator, probing: Probing, middle: Sample, h: Hypothesis) -> Array | None:
    on_probes, on_rows = probing.predict(h), evaluator.predict(h, middle)
    if on_probes is None or on_rows is None:
        return None
    return np.concatenate([on_probes.reshape(-1), on_rows.reshape(-1)])


def _alike(a: Array, b: Array, rounding: float) -> bool:
    return a.shape == b.shape and bool(errors(a, b).max(initial=0) <= rounding)


def _nearest_first(members: list[tuple[Hypothesis, Score]]) -> tuple[list[Hypothesis], Score]:
    """The simplest of those that are as near as any, then the others."""
    near = min(score.largest for _, score in members)
    lead = next(i for i, (_, score) in enumerate(members) if score.largest <= 4 * near)
    ordered = [members[lead], *members[:lead], *members[lead + 1 :]]
    return [h for h, _ in ordered], ordered[0][1]
