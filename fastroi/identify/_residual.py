"""What is left between an output and its nearest candidate: stored numbers, factors, orders, moved boxes, noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._boxes import NONE, Scale, scales_of_extents
from ._candidates import Setting
from ._evaluate import Evaluator, Hypothesis, Sample, correlation, errors
from ._problem import Array, Geometry, Problem
from ._search import Outcome, plausible, representatives, search

_FIT_ROIS, _FIT_STEPS, _DELTA = 24, 10, 0.02
_UNLIKE = 0.1  # a correlation that values that have nothing to do with each other can have
_MATCHED_ROIS, _MATCHED_VALUES, _ROIS_OF_CHANNELS, _MOST_MATCHED = 20, 96, 6, 4096


@dataclass(frozen=True)
class Finding:
    """Something that the values of an output say beyond the candidates.

    Attributes
    ----------
    kind : str
        ``"stored_as"``, ``"rescaled"``, ``"rois_permuted"``, ``"channels_permuted"``, ``"scale_fitted"``, ``"boxes_moved"``,
        ``"not_finite"``, ``"constant"``, ``"some_rois"``, ``"noise"`` or ``"unlike"``.
    text : str
        The finding as a sentence.
    values : tuple of (str, value)
        Its numbers.
    """

    kind: str
    text: str
    values: tuple[tuple[str, Any], ...]


def solved(problem: Problem, tolerance: float | None, operators: Any) -> tuple[Outcome, list[Finding]]:
    """A search, repeated with what its residual suggests while that brings it nearer."""
    outcome, findings = search(problem, tolerance, operators), list[Finding]()
    constant = _constant(problem)
    if constant is not None:
        return outcome, [constant]
    for suggestion, for_settled in _SUGGESTIONS:
        if _is_settled(outcome) != for_settled:
            continue
        suggested = suggestion(outcome, operators)
        if suggested is None:
            continue
        finding, changed = suggested
        other = search(changed, tolerance, operators)
        other.searched += outcome.searched
        if _is_nearer(other, outcome):
            outcome = other
            findings.append(finding)
    return outcome, findings + residual(outcome)


def _constant(problem: Problem) -> Finding | None:
    """An output of one value: of boxes off the map, or of no layer at all."""
    value = problem.views[0].observed.flat[0]
    if any((values != value).any() for values in problem.views[0].observed):
        return None
    text = f"all values of the output are {value:g}, as of boxes off the map: it tells nothing apart"
    return Finding("constant", text, (("value", float(value)),))


def _is_settled(outcome: Outcome) -> bool:
    return outcome.best is not None and 2 * outcome.best.score.agreeing >= outcome.best.score.count


def _is_nearer(new: Outcome, old: Outcome) -> bool:
    if new.best is None or old.best is None:
        return new.best is not None
    return new.best.score.agreeing > old.best.score.agreeing or new.best.score.median < 0.25 * old.best.score.median


# --- what to try next --------------------------------------------------------------------------------------------------------


def _attempts(outcome: Outcome, most: int = 5) -> list[Hypothesis]:
    """A few kinds of operators on every plausible reading of the boxes."""
    problem, evaluator = outcome.problem, outcome.evaluator
    found = []
    for view in problem.views:
        if not view.reversed_channels:
            kinds: dict[Any, Setting] = {}
            for setting in representatives(outcome.settings(view)):
                kinds.setdefault((setting.name, dict(setting.options).get("reduce")), setting)
            for form, scale in plausible(problem, view, evaluator.informative(view, 64)):
                found += [Hypothesis(view, Geometry(form, NONE, scale), s) for s in [*kinds.values()][:most]]
    return found


def _permuted_rois(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    problem, evaluator = outcome.problem, outcome.evaluator
    if not 1 < problem.count <= _MOST_MATCHED:
        return None
    whole = Sample(np.arange(problem.count), outcome.middle.channels)
    bins = np.prod(problem.views[0].output_size)
    few = Sample(whole.rows, min(int(np.ceil(_MATCHED_VALUES / bins)), outcome.middle.channels or 1))
    best: tuple[float, Any] = (0.5, None)
    for h in _attempts(outcome):
        predicted, observed = evaluator.predict(h, few), evaluator.observed(h.view, few)
        if predicted is None or predicted.shape != observed.shape:
            continue
        rows = evaluator.informative(h.view, _MATCHED_ROIS)
        match, strength = _matches(predicted, observed[rows])
        own = _own_strength(predicted[rows], observed[rows])
        if strength > best[0] and strength > own + 0.2 and len(np.unique(match)) >= 0.9 * len(match):
            best = strength, (h, evaluator.predict(h, whole))
    if best[1] is None:
        return None
    h, predicted = best[1]
    order = _bijection(*_similarities(predicted, evaluator.observed(h.view, whole)))
    near = search(problem.reordered(rois=np.argsort(order)), None, operators)
    outcome.searched += near.searched
    if near.best is not None:  # its values tell RoIs apart that those of another operator do not
        exact = replace(near.best.hypothesis, view=problem.views[near.problem.views.index(near.best.hypothesis.view)])
        predicted = evaluator.predict(exact, whole)
        if predicted is not None:
            order = _bijection(*_nearness(predicted, evaluator.observed(exact.view, whole)))
    text = f"the RoIs of the output are in another order: {_order_text(order, 'row', 'RoI')}"
    return Finding("rois_permuted", text, (("order", tuple(order.tolist())),)), problem.reordered(
        rois=np.argsort(order)
    )


def _permuted_channels(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    problem, evaluator = outcome.problem, outcome.evaluator
    best: tuple[float, Any] = (0.5, None)
    sample = Sample(evaluator.informative(problem.views[0], _ROIS_OF_CHANNELS), None)
    for h in _attempts(outcome):
        observed = evaluator.observed(h.view, sample)
        if not 1 < observed.shape[1] <= _MOST_MATCHED:
            continue
        predicted = evaluator.predict(h, sample)
        if predicted is None or predicted.shape != observed.shape:
            continue
        a, b = predicted.swapaxes(0, 1), observed.swapaxes(0, 1)
        match, strength = _matches(a, b)
        if strength > best[0] and strength > _own_strength(a, b) + 0.2 and len(np.unique(match)) >= 0.9 * len(match):
            best = strength, (a, b)
    if best[1] is None:
        return None
    order = _bijection(*_similarities(*best[1]))
    text = f"the channels of the output are in another order: {_order_text(order, 'channel', 'channel')}"
    return Finding("channels_permuted", text, (("order", tuple(order.tolist())),)), problem.reordered(
        channels=np.argsort(order)
    )


def _swapped_rois(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    """The RoIs that do not agree, if some of them are those of other rows that do not."""
    problem, evaluator, best = outcome.problem, outcome.evaluator, outcome.best
    if best is None or best.score.agrees:
        return None
    whole = Sample(np.arange(problem.count), outcome.middle.channels)
    predicted, observed = evaluator.predict(best.hypothesis, whole), evaluator.observed(best.hypothesis.view, whole)
    if predicted is None:
        return None
    odd = np.flatnonzero(_largest_by_row(errors(predicted, observed)) > evaluator.tolerance)
    if not 1 < len(odd) <= _MOST_MATCHED:
        return None
    similar, strength = _nearness(predicted[odd], observed[odd])
    order = np.arange(problem.count)
    order[odd] = odd[_bijection(similar, strength)]
    moved = np.flatnonzero(order != np.arange(problem.count))
    equal = _largest_by_row(errors(predicted[order[moved]], observed[moved])) <= evaluator.tolerance
    if equal.sum() < 2:
        return None
    text = f"some RoIs of the output are in another order: {_order_text(order, 'row', 'RoI')}"
    return Finding("rois_permuted", text, (("order", tuple(order.tolist())),)), problem.reordered(
        rois=np.argsort(order)
    )


def _largest_by_row(error: Array) -> Array:
    return error.max(axis=(1, 2, 3), initial=0)


def _standardised(values: Array) -> Array:
    flat = np.nan_to_num(values.reshape(len(values), -1).astype(np.float32), posinf=0, neginf=0)
    flat -= flat.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.einsum("ij,ij->i", flat, flat))[:, None]
    return flat / np.where(norm > 0, norm, 1)


def _matches(predicted: Array, observed: Array) -> tuple[Array, float]:
    """The prediction that each observation correlates with most, and the mean of that."""
    match, strength = _similarities(predicted, observed)
    return match.argmax(axis=1), float(np.mean(strength))


def _similarities(predicted: Array, observed: Array) -> tuple[Array, Array]:
    similar = _standardised(observed) @ _standardised(predicted).T
    return similar, similar.max(axis=1)


def _nearness(predicted: Array, observed: Array) -> tuple[Array, Array]:
    """As `_similarities`, of values that should be equal: of RoIs whose bins are all alike too."""
    a, b = (np.nan_to_num(part.reshape(len(part), -1).astype(np.float64)) for part in (predicted, observed))
    squares = (b**2).sum(axis=1)[:, None] + (a**2).sum(axis=1)[None] - 2 * b @ a.T
    near = 1 / (1e-9 + np.maximum(squares, 0))
    return near, near.max(axis=1)


def _own_strength(predicted: Array, observed: Array) -> float:
    return float(np.mean((_standardised(observed) * _standardised(predicted)).sum(axis=1)))


def _bijection(similar: Array, strength: Array) -> Array:
    """For each observation a prediction of its own, the surest first; what is left in its order."""
    order = np.full(len(similar), -1)
    free = np.ones(similar.shape[1], bool)
    for row in np.argsort(-strength, kind="stable"):
        choice = int(similar[row].argmax())
        if strength[row] > 0 and free[choice]:
            order[row], free[choice] = choice, False
    order[order < 0] = np.flatnonzero(free)
    return order


def _order_text(order: Array, row: str, of: str) -> str:
    if (order == np.arange(len(order))[::-1]).all():
        return "reversed"
    turn = (order - np.arange(len(order))) % len(order)
    if (turn == turn[0]).all():
        return f"{row} i is {of} i + {turn[0]}, modulo {len(order)}"
    moved = np.flatnonzero(order != np.arange(len(order)))
    listed = ", ".join(f"{row} {i} is {of} {order[i]}" for i in moved[:4])
    return f"{listed}" + (f" and {len(moved) - 4} more" if len(moved) > 4 else "")


def _rescaled(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    """One factor and one offset that make an operator's values those of the output."""
    problem, evaluator = outcome.problem, outcome.evaluator
    sample = Sample(evaluator.informative(problem.views[0], 8), outcome.middle.channels)
    best: tuple[float, Any] = (0.999, None)
    rated: list[tuple[float, int, Hypothesis]] = []
    for h in _attempts(outcome):
        predicted, observed = evaluator.predict(h, sample), evaluator.observed(h.view, sample)
        if predicted is not None and predicted.shape == observed.shape:
            rated.append((correlation(predicted, observed), -len(rated), h))
    if not rated:
        return None
    place = max(rated)[2]
    for setting in outcome.settings(place.view):
        h = replace(place, setting=setting)
        predicted, observed = evaluator.predict(h, sample), evaluator.observed(h.view, sample)
        if predicted is not None and predicted.shape == observed.shape:
            likeness = correlation(predicted, observed)
            best = max(best, (likeness, (predicted, observed)), key=lambda item: item[0])
    if best[1] is None:
        return None
    predicted, observed = (part.reshape(-1).astype(np.float64) for part in best[1])
    factor, offset = np.polyfit(predicted, observed, 1)
    if abs(factor - 1) < 1e-4 and abs(offset) < 1e-4 * (problem.largest or 1):
        return None
    views = tuple(replace(v, observed=((v.observed - offset) / factor).astype(v.observed.dtype)) for v in problem.views)
    text = (
        f"the values are {factor:.6g} times"
        + (f" plus {offset:.4g}" if abs(offset) > 1e-5 else "")
        + " those of a candidate"
    )
    return Finding("rescaled", text, (("factor", float(factor)), ("offset", float(offset)))), replace(
        problem, views=views
    )


def _fitted_scale(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    """A scale that no stride is, found by a scan and then by fitting boxes to values."""
    problem = outcome.problem
    if problem.scales is not None or problem.kind not in ("upright", "levels"):
        return None
    start = _scanned(outcome)
    fit = None if start is None else _fit(outcome, start)
    if start is None or fit is None:
        return None
    near = search(problem.scaled(_stretched(start.geometry.scale, fit)), None, operators)
    outcome.searched += near.searched
    fit = None if near.best is None else _fit(near, near.best.hypothesis)
    if near.best is None or fit is None:
        return None
    scale = _stretched(near.best.hypothesis.geometry.scale, fit)
    again = replace(near.best.hypothesis, geometry=replace(near.best.hypothesis.geometry, scale=scale, correction=NONE))
    fit = _fit(near, again)
    scale = _snapped(scale if fit is None else _stretched(scale, fit), problem.views[0].map_size)
    text = f"the scale was fitted: {scale.horizontal:.7g} (x), {scale.vertical:.7g} (y) cells a pixel"
    return Finding("scale_fitted", text, (("spatial_scale", scale.pair),)), problem.scaled(scale)


def _stretched(scale: Scale, fit: _Fit) -> Scale:
    return Scale(scale.vertical * fit.stretch[1], scale.horizontal * fit.stretch[0], "fitted")


def _scanned(outcome: Outcome) -> Hypothesis | None:
    """RoIAlign, or what else there is, under the scale whose values go best with the observed ones; None if none does."""
    problem, evaluator = outcome.problem, outcome.evaluator
    sample = Sample(evaluator.informative(problem.views[0], 16), outcome.middle.channels)
    rated: list[tuple[float, int, Hypothesis]] = []
    for scale in scales_of_extents(problem.formats[0].corners(problem.rows)[:, 2:4], problem.views[0].map_size):
        attempts = _attempts(replace(outcome, problem=problem.scaled(scale)))
        for h in [h for h in attempts if "align" in h.setting.name] or attempts:
            if h.view.is_plain:
                predicted, observed = evaluator.predict(h, sample), evaluator.observed(h.view, sample)
                if predicted is not None and predicted.shape == observed.shape:
                    rated.append((correlation(predicted, observed), len(rated), h))
    return max(rated)[2] if rated and max(rated)[0] > _UNLIKE else None


def _snapped(scale: Scale, size: tuple[int, int]) -> Scale:
    """Equal axes where they nearly are, and a number of whole pixels along an axis of the map."""
    pair = np.array(scale.pair)
    if abs(pair[0] / pair[1] - 1) < 1e-3:
        pair[:] = pair.mean()
    for extent in size:
        whole = extent / max(round(extent / pair[0]), 1)
        if pair[0] == pair[1] and abs(whole / pair[0] - 1) < 1e-4:
            pair[:] = whole
            break
    return Scale(float(pair[0]), float(pair[1]), "fitted")


#: In the order in which they are tried, and whether most RoIs agree already where they help.
_SUGGESTIONS = (
    (_permuted_rois, False),
    (_permuted_channels, False),
    (_rescaled, False),
    (_fitted_scale, False),
    (_swapped_rois, True),
)

# --- what is left -------------------------------------------------------------------------------------------------------------


def residual(outcome: Outcome) -> list[Finding]:
    """Findings about the best candidate of a search."""
    if outcome.best is None:
        return []
    findings = [*_stored(outcome), *_not_finite(outcome)]
    score = outcome.best.score
    if score.agrees:
        return findings
    moved = None if _is_settled(outcome) else _moved(outcome)
    return findings + ([moved] if moved else _unexplained(outcome))


def _stored(outcome: Outcome) -> Iterator[Finding]:
    evaluator: Evaluator = outcome.evaluator
    if evaluator.stored_as is None:
        return
    text = f"the values of the output are {evaluator.stored_as}, those of the features are not"
    yield Finding("stored_as", text, (("element", evaluator.stored_as), ("unit", evaluator.unit)))


def _not_finite(outcome: Outcome) -> Iterator[Finding]:
    view = outcome.problem.views[0]
    if not all(np.isfinite(level).all() for level in view.maps):
        return
    rows = [number for number, values in enumerate(view.observed) if not np.isfinite(values).all()]
    if rows:
        listed = ", ".join(map(str, rows[:4])) + (f" and {len(rows) - 4} more" if len(rows) > 4 else "")
        text = f"the output holds NaN or infinity in RoIs {listed}, the features do not"
        yield Finding("not_finite", text, (("rois", tuple(rows)),))


@dataclass(frozen=True)
class _Fit:
    shift: tuple[float, float]  # cells, x and y
    stretch: tuple[float, float]
    before: float
    after: float


def _fit(outcome: Outcome, h: Hypothesis) -> _Fit | None:
    """Gauss-Newton over the shift and the stretch of all boxes."""
    problem, evaluator = outcome.problem, outcome.evaluator
    if problem.kind == "turned" or not h.setting.is_native:
        return None
    sample = Sample(evaluator.informative(h.view, _FIT_ROIS), outcome.middle.channels)
    observed = evaluator.observed(h.view, sample).astype(np.float64).reshape(-1)
    corners = evaluator.corners(h.geometry, sample).astype(np.float64)
    cells = np.tile(h.geometry.scale.pair[::-1], 2)

    def misfit(t: Array) -> Array:
        boxes = corners * np.tile(np.exp(t[2:]), 2) + np.tile(t[:2], 2) / cells
        predicted = evaluator.predict(h, sample, boxes)
        if predicted is None:
            raise RuntimeError(f"{h.setting.text()} refuses boxes that are moved")
        return np.nan_to_num(predicted.astype(np.float64).reshape(-1) - observed)

    reach = np.maximum(np.abs(corners * cells).max(axis=0).reshape(2, 2).max(axis=0), 1.0)
    deltas = np.concatenate([[_DELTA, _DELTA], _DELTA / reach])
    t = np.zeros(4)
    rest = misfit(t)
    before = best = float(np.sqrt((rest**2).mean()))
    for _ in range(_FIT_STEPS):
        slopes = np.stack([(misfit(t + d) - misfit(t - d)) / (2 * d.max()) for d in np.diag(deltas)], axis=1)
        step = np.clip(np.linalg.lstsq(slopes, -rest, rcond=None)[0], -50 * deltas, 50 * deltas)
        factor = 1.0
        while factor > 0.05 and float(np.sqrt((misfit(t + factor * step) ** 2).mean())) >= best:
            factor /= 2
        if factor <= 0.05:
            break
        t = t + factor * step
        rest = misfit(t)
        best = float(np.sqrt((rest**2).mean()))
    return _Fit((float(t[0]), float(t[1])), (float(np.exp(t[2])), float(np.exp(t[3]))), before, best)


def _moved(outcome: Outcome) -> Finding | None:
    """How far the boxes of the near candidates, as they were given, are from those that make the output."""
    plain = [replace(f.hypothesis, geometry=replace(f.hypothesis.geometry, correction=NONE)) for f in outcome.found[:6]]
    fits = [(h, fit) for h in dict.fromkeys(plain) if (fit := _fit(outcome, h)) is not None]
    if not fits:
        return None
    h, fit = min(fits, key=lambda item: (round(np.log2(max(item[1].after, 1e-9))), item[0].setting.order))
    if fit.after > 0.1 * fit.before:
        return None
    x, y = fit.shift
    scale_h, scale_w = h.geometry.scale.pair
    parts = []
    if max(abs(x), abs(y)) > 0.005:
        parts.append(f"moved by {x:.3f} cells in x and {y:.3f} in y ({x / scale_w:.2f} and {y / scale_h:.2f} pixels)")
    if max(abs(s - 1) for s in fit.stretch) > 1e-4:
        parts.append(f"stretched by {fit.stretch[0]:.5g} in x and {fit.stretch[1]:.5g} in y")
    if not parts:
        return None
    text = f"the boxes look {' and '.join(parts)}: that makes the error of {h.setting.text()} {fit.before / max(fit.after, 1e-300):.3g} times smaller"
    return Finding(
        "boxes_moved", text, (("candidate", h.setting.text()), ("shift", fit.shift), ("stretch", fit.stretch))
    )


def _unexplained(outcome: Outcome) -> list[Finding]:
    best = outcome.best
    assert best is not None
    sample, evaluator, h = outcome.middle, outcome.evaluator, best.hypothesis
    predicted, observed = evaluator.predict(h, sample), evaluator.observed(h.view, sample)
    if predicted is None:
        return []
    if _is_settled(outcome):
        count = best.score.count - best.score.agreeing
        text = f"the nearest candidate differs on some RoIs only: {count} of {best.score.count}, the first is {best.score.first}"
        return [Finding("some_rois", text, (("rois", count),))]
    rest = (observed.astype(np.float64) - predicted).reshape(-1)
    rest = rest[np.isfinite(rest)]
    likeness = correlation(predicted, observed)
    if not rest.size or likeness < 0.5:
        text = f"the nearest candidate is unlike the output: their correlation is {likeness:.2f}"
        return [Finding("unlike", text, (("correlation", likeness),))]
    mean, deviation = float(rest.mean()), float(rest.std())
    text = f"what is left has mean {mean:.2g} and standard deviation {deviation:.2g}, with correlation {likeness:.5f} of values"
    return [Finding("noise", text, (("mean", mean), ("deviation", deviation), ("correlation", likeness)))]
