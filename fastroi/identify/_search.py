"""From all hypotheses to those that agree: on a few RoIs and channels first, on all of them last."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import _probes
from ._boxes import NONE, TURNED_CORRECTIONS, UPRIGHT_CORRECTIONS, Correction, Format, Scale, inferred_scales
from ._candidates import REFINED, Setting, native_settings, refined
from ._evaluate import Evaluator, Hypothesis, Sample, Score, correlation, explained
from ._problem import Array, Geometry, Problem, View
from ._profiles import profile_settings

SCREENED_ROIS, SCREENED_CHANNELS, MIDDLE_ROIS, MIDDLE_CHANNELS = 8, 4, 64, 8
_GEOMETRIES, _CORRECTED_GEOMETRIES, _CORRECTED_SETTINGS = 4, 3, 60
_BEHIND = 0.3  # of correlation or share explained: a geometry so far behind the best is none
_SURVIVORS, _MOST_AGREEING, _OTHERS = 24, 160, 8
_FINE = (*REFINED, "sampling_ratio")  # options that move samples, but not the picture

_SAME_WITHOUT = {"deform_roi_pool": "offset"}  # without this array it is another operator of the table, slower


@dataclass(frozen=True)
class Found:
    """A hypothesis with its errors, on all RoIs, and others that compute the same."""

    hypothesis: Hypothesis
    score: Score
    same: tuple[Hypothesis, ...] = ()


@dataclass
class Outcome:
    """What a search found, best first."""

    problem: Problem
    evaluator: Evaluator
    settings: Callable[[View], list[Setting]]
    found: list[Found]
    middle: Sample
    searched: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> Found | None:
        return self.found[0] if self.found else None


def search(problem: Problem, tolerance: float | None, operators: Sequence[str] | None) -> Outcome:
    """All hypotheses, fewer of them on ever more RoIs."""
    return _Search(problem, tolerance, operators).run()


class _Search:
    def __init__(self, problem: Problem, tolerance: float | None, operators: Sequence[str] | None) -> None:
        self.problem, self.operators = problem, operators
        self.evaluator = Evaluator(problem, tolerance)
        view = problem.views[0]
        self.screen = Sample(self.evaluator.informative(view, SCREENED_ROIS), SCREENED_CHANNELS)
        self.middle = Sample(self._middle_rows(view), MIDDLE_CHANNELS)
        self.whole = Sample(np.arange(problem.count), None)
        self._native: dict[Any, list[Setting]] = {}
        self._simple: dict[int, list[Setting]] = {}

    def _middle_rows(self, view: View) -> Array:
        """Informative rows, and others evenly."""
        evenly = np.linspace(0, self.problem.count - 1, MIDDLE_ROIS // 2).astype(int)
        return np.unique(np.concatenate([self.evaluator.informative(view, MIDDLE_ROIS // 2), evenly]))

    def run(self) -> Outcome:
        places = self._geometries()
        scored = self._screened(places)
        scored = self._corrected(scored)
        scored += self._profiled(scored)
        middle = self._on_the_middle(self._survivors(scored))
        groups = _probes.grouped(self.evaluator, middle, self.middle, self.simplicity)
        found = [
            Found(members[0], score, tuple(members[1:]))
            for members in self._worth_all(groups)
            if (score := self.evaluator.score(members[0], self.whole)) is not None
        ]
        found.sort(key=self._rank)
        return Outcome(self.problem, self.evaluator, self.settings, found, self.middle, self.evaluator.evaluated)

    # --- hypotheses -------------------------------------------------------------------------------------------------------

    def settings(self, view: View) -> list[Setting]:
        key = (view.maps[0].shape, view.observed.shape)
        if key not in self._native:
            self._native[key] = [s for s in native_settings(self.problem, view) if self._is_tried(s.name)]
        return self._native[key]

    def _is_tried(self, name: str) -> bool:
        if self.operators is not None:
            return name in self.operators
        return name not in _SAME_WITHOUT or _SAME_WITHOUT[name] in self.problem.arrays

    def simplicity(self, h: Hypothesis) -> tuple[Any, ...]:
        """Less of everything that is out of the ordinary comes first."""
        corrections = TURNED_CORRECTIONS if self.problem.kind == "turned" else UPRIGHT_CORRECTIONS
        g = h.geometry
        return (
            corrections.index(g.correction),
            self.problem.formats.index(g.format),
            not h.view.is_plain,
            self.problem.views.index(h.view),
            not h.setting.is_native,
            h.setting.order,
            len(h.setting.options),
        )

    # --- stages -----------------------------------------------------------------------------------------------------------

    def _geometries(self) -> list[tuple[View, Geometry]]:
        """Orders of axes, formats and scales whose values go with the observed ones, whatever the rule."""
        places = [
            (view, Geometry(form, NONE, scale))
            for view in self.problem.views
            for form, scale in plausible(self.problem, view, self.screen.rows)
        ]
        ratings = [self._rating(view, geometry) for view, geometry in places]
        chosen: list[tuple[View, Geometry]] = []
        for rating in zip(*ratings, strict=True):
            ordered = sorted(range(len(places)), key=lambda place: -rating[place])[:_GEOMETRIES]
            for place in ordered:
                view, geometry = places[place]
                near = rating[place] >= rating[ordered[0]] - _BEHIND
                if near and not any(view is v and geometry == g for v, g in chosen):
                    chosen.append((view, geometry))
        return chosen

    def _rating(self, view: View, geometry: Geometry) -> tuple[float, float]:
        """The best correlation, and the best share explained, of all kinds of operators."""
        observed = self.evaluator.observed(view, self.screen)
        best = [-1.0, -math.inf]
        for setting in self._representatives(view):
            predicted = self.evaluator.predict(Hypothesis(view, geometry, setting), self.screen)
            if predicted is not None and predicted.shape == observed.shape:
                best = [max(best[0], correlation(predicted, observed)), max(best[1], explained(predicted, observed))]
        return best[0], best[1]

    def _representatives(self, view: View) -> list[Setting]:
        settings = self.settings(view)
        if id(settings) not in self._simple:
            self._simple[id(settings)] = representatives(settings)
        return self._simple[id(settings)]

    def _screened(self, places: list[tuple[View, Geometry]]) -> list[tuple[Hypothesis, Score]]:
        return self._scores(
            (Hypothesis(view, geometry, setting) for view, geometry in places for setting in self.settings(view)),
            self.screen,
        )

    def _corrected(self, scored: list[tuple[Hypothesis, Score]]) -> list[tuple[Hypothesis, Score]]:
        """And the best of them with boxes that are off by some convention."""
        corrections = TURNED_CORRECTIONS if self.problem.kind == "turned" else UPRIGHT_CORRECTIONS
        scored = sorted(scored, key=_by_error)
        places: list[tuple[View, Geometry]] = []
        for h, _ in scored:
            if not any(h.view is view and h.geometry == geometry for view, geometry in places):
                places.append((h.view, h.geometry))
        more = []
        agreeing = [(h.view, h.geometry) for h, score in scored if score.agrees]
        for view, geometry in agreeing[:1] or places[:_CORRECTED_GEOMETRIES]:
            if geometry.scale.normalised:
                continue
            here = [h for h, _ in scored if h.view is view and h.geometry == geometry][:_CORRECTED_SETTINGS]
            for correction in corrections[1:]:
                more += self._scores((_with(h, correction) for h in here), self.screen)
        return scored + more

    def _profiled(self, scored: list[tuple[Hypothesis, Score]]) -> list[tuple[Hypothesis, Score]]:
        """The functions of the profiles where the best operators are."""
        if self.operators is not None:
            return []
        places: list[tuple[View, Geometry]] = []
        for h, score in sorted(scored, key=_by_error)[: 4 * _SURVIVORS]:
            known = any(h.view is view and h.geometry == geometry for view, geometry in places)
            if not known and (score.agrees or len(places) < 2):
                places.append((h.view, h.geometry))
        hypotheses = [
            Hypothesis(view, geometry, setting)
            for view, geometry in places[:4]
            for setting in profile_settings(self.problem, view, 1_000_000)
        ]
        return self._scores(hypotheses, self.screen)

    def _survivors(self, scored: list[tuple[Hypothesis, Score]]) -> list[Hypothesis]:
        scored = sorted(scored, key=lambda item: (not item[1].agrees, *_by_error(item)))
        agreeing = [h for h, score in scored if score.agrees][:_MOST_AGREEING]
        others = [h for h, score in scored if not score.agrees][:_SURVIVORS]
        known: dict[Any, Hypothesis] = {}
        for h in agreeing + others:
            for setting in refined_of(h):
                key = (h.view, h.geometry, setting.text())
                known.setdefault(key, replace(h, setting=setting))
        return list(known.values())

    def _on_the_middle(self, hypotheses: list[Hypothesis]) -> list[tuple[Hypothesis, Score]]:
        return self._scores(hypotheses, self.middle)

    def _worth_all(self, groups: list[tuple[list[Hypothesis], Score]]) -> list[list[Hypothesis]]:
        groups = sorted(groups, key=lambda item: (-item[1].agreeing, item[1].median, self.simplicity(item[0][0])))
        agreeing = [members for members, score in groups if score.agrees]
        return agreeing[:_SURVIVORS] + [members for members, score in groups if not score.agrees][:_OTHERS]

    def _scores(self, hypotheses: Iterable[Hypothesis], sample: Sample) -> list[tuple[Hypothesis, Score]]:
        scored = ((h, self.evaluator.score(h, sample)) for h in hypotheses)
        return [(h, score) for h, score in scored if score is not None]

    def _rank(self, found: Found) -> tuple[Any, ...]:
        score = found.score
        return (-score.agreeing, *map(_magnitude, (score.median, score.largest)), self.simplicity(found.hypothesis))


def _with(h: Hypothesis, correction: Correction) -> Hypothesis:
    return replace(h, geometry=replace(h.geometry, correction=correction))


def refined_of(h: Hypothesis) -> list[Any]:
    return refined(h.setting) if isinstance(h.setting, Setting) else [h.setting]


def _by_error(item: tuple[Hypothesis, Score]) -> tuple[float, float]:
    return item[1].median, item[1].largest


def _magnitude(error: float) -> int:
    """Errors that differ by less than a factor of two or so rank alike."""
    return -10_000 if error == 0 else 10_000 if not math.isfinite(error) else round(math.log2(error))


def representatives(settings: list[Setting]) -> list[Setting]:
    """One setting of each kind: those that differ in rarer conventions look alike. So do those of other densities of samples,
    but not where bins hold many cells of a rough map: of the commonest kinds there is one of each density.
    """
    kinds: dict[Any, Setting] = {}
    for setting in settings:
        told = [(name, value) for name, value in setting.options if name not in _FINE]
        if any(name == "aligned" and isinstance(value, str) for name, value in told):
            continue
        common = all(name == "aligned" for name, _ in told)
        density = dict(setting.options).get("sampling_ratio") if common else None
        kinds.setdefault((setting.name, tuple(told), density), setting)
    return list(kinds.values())


def plausible(problem: Problem, view: View, rows: Array) -> list[tuple[Format, Scale]]:
    """Formats and scales under which boxes that have values lie on the map."""
    found = []
    for form in problem.formats:
        boxes = form.corners(problem.rows[rows].astype(np.float64))
        options = problem.scales or inferred_scales(_extents(problem, form), view.map_size)
        found += [(form, scale) for scale in options if _on_map(problem, view, boxes, scale) or problem.scales]
    return found


def _extents(problem: Problem, form: Format) -> Array:
    """The numbers that tell scales: right and lower ends."""
    boxes = form.corners(problem.rows)
    return boxes[:, :2] if problem.kind == "turned" else boxes[:, 2:4]


def _on_map(problem: Problem, view: View, boxes: Array, scale: Scale) -> bool:
    height, width = view.map_size
    low, high = (boxes[:, :2], boxes[:, :2]) if problem.kind == "turned" else (boxes[:, :2], boxes[:, 2:4])
    low, high = np.minimum(low, high), np.maximum(low, high)
    x, y = scale.horizontal, scale.vertical
    meets = (high[:, 0] * x > -1) & (low[:, 0] * x < width + 1) & (high[:, 1] * y > -1) & (low[:, 1] * y < height + 1)
    seen = (high[:, 0] - low[:, 0]) * x < 4 * width + 4
    return bool((meets & seen).mean() >= 0.5)
