"""What is left between an output and its nearest candidate: stored numbers, factors, orders, moved boxes, noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._boxes import NONE, Scale, scales_of_extents
from ._candidates import Setting
from ._evaluate import Evaluator, Hypothesis, Sample, correlation, errors
from ._problem import Array, Geometry, Problem
from ._scale_fit import ScaleFit, plain_scales, stretched_axes
from ._search import SCREENED_CHANNELS, Outcome, plausible, representatives, search

_FIT_ROIS, _FIT_STEPS, _DELTA = 24, 10, 0.02
_SCALE_ROIS = 64
_SCALE_ROUNDS, _MOST_STRETCHED, _MOST_CLIMBED, _MOST_PLAIN = 3, 2, 4, 3
_LED, _LIKE = 0.9, 0.3  # explained, where a scale for both axes is right; correlated, where one for each is worth a try
_UNLIKE = 0.1  # a correlation that values that have nothing to do with each other can have
_MATCHED_ROIS, _MATCHED_VALUES, _ROIS_OF_CHANNELS, _MOST_MATCHED, _AT_ONCE = 20, 96, 6, 4096, 32
_Pair = Callable[[Hypothesis], tuple[Array, Array] | None]


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
    h = _likely_permuted(outcome)
    if h is None:
        return None
    whole = Sample(np.arange(problem.count), outcome.middle.channels)
    predicted = evaluator.predict(h, whole)
    if predicted is None:
        return None
    order = _bijection(*_similarities(predicted, evaluator.observed(h.view, whole)))
    problem = replace(problem, views=(h.view,)).scaled(h.geometry.scale)
    near = search(problem.reordered(rois=np.argsort(order)), None, operators)
    outcome.searched += near.searched
    if near.best is not None:  # its values tell RoIs apart that those of another operator do not
        predicted = evaluator.predict(replace(near.best.hypothesis, view=h.view), whole)
        if predicted is not None:
            order = _bijection(*_nearness(predicted, evaluator.observed(h.view, whole)))
    text = f"the RoIs of the output are in another order: {_order_text(order, 'row', 'RoI')}"
    return Finding("rois_permuted", text, (("order", tuple(order.tolist())),)), problem.reordered(
        rois=np.argsort(order)
    )


def _likely_permuted(outcome: Outcome) -> Hypothesis | None:
    """Under which a few RoIs are each like some other row of the output, much more than like their own."""
    problem, evaluator = outcome.problem, outcome.evaluator
    bins = np.prod(problem.views[0].output_size)
    channels = min(int(np.ceil(_MATCHED_VALUES / bins)), outcome.middle.channels or 1)
    whole = Sample(np.arange(problem.count), channels)
    few = Sample(np.unique(np.linspace(0, problem.count - 1, 2 * _MATCHED_ROIS).astype(int)), channels)

    def pair(h: Hypothesis) -> tuple[Array, Array] | None:
        predicted, observed = evaluator.predict(h, few), evaluator.observed(h.view, whole)
        return None if predicted is None or predicted.shape[1:] != observed.shape[1:] else (predicted, observed)

    return _most_alike(_attempts(outcome), pair, few.rows)


def _permuted_channels(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    problem, evaluator = outcome.problem, outcome.evaluator
    count = problem.views[0].maps[0].shape[1]
    if not 1 < count <= _MOST_MATCHED:
        return None
    sample = Sample(evaluator.informative(problem.views[0], _ROIS_OF_CHANNELS), None)
    few = np.unique(np.linspace(0, count - 1, 2 * _MATCHED_ROIS).astype(int))

    def pair(h: Hypothesis, rows: Any = few) -> tuple[Array, Array] | None:
        predicted, observed = evaluator.predict(h, sample), evaluator.observed(h.view, sample)
        if predicted is None or predicted.shape != observed.shape or predicted.shape[1] != count:
            return None
        return predicted.swapaxes(0, 1)[rows], observed.swapaxes(0, 1)

    h = _most_alike(_attempts(outcome), pair, few)
    both = None if h is None else pair(h, slice(None))
    if both is None:
        return None
    order = _bijection(*_similarities(*both))
    text = f"the channels of the output are in another order: {_order_text(order, 'channel', 'channel')}"
    return Finding("channels_permuted", text, (("order", tuple(order.tolist())),)), problem.reordered(
        channels=np.argsort(order)
    )


def _most_alike(attempts: list[Hypothesis], pair: _Pair, own: Array) -> Hypothesis | None:
    """Under which the predictions for the rows `own` are each most like a row of their own, but not the one at their place."""
    best: tuple[float, Hypothesis | None] = (0.5, None)
    for view in dict.fromkeys(h.view for h in attempts):
        pairs = [(h, both) for h in attempts if h.view is view and (both := pair(h)) is not None]
        if not pairs:
            continue
        observed = _standardised(pairs[0][1][1])
        for start in range(0, len(pairs), _AT_ONCE):  # few large products: a small one costs waking the threads up
            part = pairs[start : start + _AT_ONCE]
            tried = np.concatenate([_standardised(predicted) for _, (predicted, _) in part])
            similar = (tried @ observed.T).reshape(len(part), len(own), -1)
            told = tried.any(axis=1).reshape(len(part), -1)  # not those whose bins are all alike, as off the map
            for (h, _), likeness, rows in zip(part, similar, told, strict=True):
                strength = _strength_elsewhere(likeness[rows], own[rows]) if 2 * rows.sum() >= len(own) else None
                if strength is not None and strength > best[0]:
                    best = strength, h
    return best[1]


def _strength_elsewhere(similar: Array, own: Array) -> float | None:
    """The mean of the greatest likenesses, if they are of as many places and greater than those at the own places."""
    strength = float(similar.max(axis=1).mean())
    at_home = float(similar[np.arange(len(own)), own].mean())
    places = len(np.unique(similar.argmax(axis=1)))
    return strength if strength > at_home + 0.2 and places >= 0.9 * len(own) else None


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


def _similarities(predicted: Array, observed: Array) -> tuple[Array, Array]:
    similar = _standardised(observed) @ _standardised(predicted).T
    return similar, similar.max(axis=1)


def _nearness(predicted: Array, observed: Array) -> tuple[Array, Array]:
    """As `_similarities`, of values that should be equal: of RoIs whose bins are all alike too."""
    a, b = (np.nan_to_num(part.reshape(len(part), -1).astype(np.float64)) for part in (predicted, observed))
    squares = (b**2).sum(axis=1)[:, None] + (a**2).sum(axis=1)[None] - 2 * b @ a.T
    near = 1 / (1e-9 + np.maximum(squares, 0))
    return near, near.max(axis=1)


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


def _plain_scale(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    """A scale that no stride is, but that somebody wrote in two digits, or as a part of one."""
    problem = outcome.problem
    if problem.scales is not None or problem.kind not in ("upright", "levels"):
        return None
    ends = problem.formats[0].corners(problem.rows)[:, 2:4]
    likest: list[tuple[float, int, Scale]] = []
    for scale in plain_scales(ends, problem.views[0].map_size):
        likeness, _ = max(_scanned(outcome, [scale]).values(), key=_first, default=(0.0, None))
        likest.append((likeness, -len(likest), scale))
    best: tuple[int, Scale] | None = None
    for likeness, _, scale in sorted(likest, reverse=True)[:_MOST_PLAIN]:
        near = search(problem.scaled(scale), None, operators) if likeness > _LIKE else None
        outcome.searched += near.searched if near else 0
        if near and near.best is not None and (best is None or near.best.score.agreeing > best[0]):
            best = near.best.score.agreeing, scale
            if best[0] == near.best.score.count:
                break
    if best is None or best[0] == 0:
        return None
    scale = best[1]
    text = f"the scale is {scale.horizontal:.7g} cells a pixel, by trying plain numbers"
    return Finding("scale_fitted", text, (("spatial_scale", scale.pair),)), problem.scaled(scale)


def _fitted_scale(outcome: Outcome, operators: Any) -> tuple[Finding, Problem] | None:
    """A scale that no stride is, found by a scan and then by fitting boxes to values."""
    problem = outcome.problem
    if problem.scales is not None or problem.kind not in ("upright", "levels"):
        return None
    extents = problem.formats[0].corners(problem.rows)[:, 2:4]
    scanned = _scanned(outcome, scales_of_extents(extents, problem.views[0].map_size))
    scale = _scale_from(outcome, scanned, operators)
    if scale is None:
        return None
    text = f"the scale was fitted: {scale.horizontal:.7g} (x), {scale.vertical:.7g} (y) cells a pixel"
    return Finding("scale_fitted", text, (("spatial_scale", scale.pair),)), problem.scaled(scale)


def _scale_from(outcome: Outcome, scanned: dict[Any, tuple[float, Hypothesis]], operators: Any) -> Scale | None:
    """From one scale for both axes; from a scale for each where that leads nowhere."""
    likeness, start = max(scanned.values(), key=_first, default=(0.0, None))
    followed = _followed(outcome, start, operators) if start is not None and likeness > _UNLIKE else None
    if outcome.problem.kind == "levels" or (followed is not None and followed[0] > _LED):
        return None if followed is None else followed[1]
    for _, h in [*scanned.values()][:_MOST_STRETCHED]:
        unequal = stretched_axes(outcome.evaluator, h, SCREENED_CHANNELS, max(likeness, _LIKE))
        other = None if unequal is None else _followed(outcome, unequal, operators)
        if other is not None and (followed is None or other[0] > followed[0]):
            return other[1]
    return None if followed is None else followed[1]


def _followed(outcome: Outcome, h: Hypothesis, operators: Any) -> tuple[float, Scale] | None:
    """From a rough scale to the exact one: by any operator first, then by those that are nearest there."""
    found = _nearest_scale(outcome, h)
    for _ in range(_SCALE_ROUNDS):
        if found is None or found[0] == 1:
            break
        near = search(outcome.problem.scaled(found[1]), None, operators)
        outcome.searched += near.searched
        closer = _closest(near)
        if closer is None or closer[0] <= found[0]:
            break
        found = closer
    return found


def _closest(outcome: Outcome) -> tuple[float, Scale] | None:
    """The scale that explains most under one of the nearest candidates."""
    plain = [replace(f.hypothesis, geometry=replace(f.hypothesis.geometry, correction=NONE)) for f in outcome.found]
    best: tuple[float, Scale] | None = None
    for h in [*dict.fromkeys(plain)][:_MOST_CLIMBED]:
        item = _nearest_scale(outcome, h)
        if item is not None and (best is None or item[0] > best[0]):
            best = item
        if best is not None and best[0] == 1:
            break
    return best


def _first(item: tuple[float, Any]) -> float:
    return item[0]


def _nearest_scale(outcome: Outcome, h: Hypothesis) -> tuple[float, Scale] | None:
    """How well a scale explains, and which: by slopes where values follow boxes smoothly, then by trying, as a maximum needs."""
    evaluator = outcome.evaluator
    if not h.setting.is_native:
        return None
    fit = _fit(outcome, h)
    pair = h.geometry.scale.pair
    fitted = pair if fit is None else _stretched(h.geometry.scale, fit).pair
    rows = evaluator.informative(h.view, _SCALE_ROIS)
    trial = ScaleFit(evaluator, h, rows, outcome.middle.channels)
    best = trial.plainest(trial.climbed(max((pair, fitted), key=trial.rating)))
    equal, near = trial.rating(best)
    return max(equal, near), Scale(*best, "fitted")


def _stretched(scale: Scale, fit: _Fit) -> Scale:
    return Scale(scale.vertical * fit.stretch[1], scale.horizontal * fit.stretch[0], "fitted")


def _by_default_convention(h: Hypothesis) -> Hypothesis:
    """Half a cell from the first of the settings: a scale that is wrong must not make up for it."""
    options = tuple((name, value) for name, value in h.setting.options if name != "aligned")
    return replace(h, setting=replace(h.setting, options=options))


def _scanned(outcome: Outcome, scales: Iterable[Scale]) -> dict[Any, tuple[float, Hypothesis]]:
    """For each format RoIAlign, or what else there is, under the scale whose values go best with the observed ones."""
    problem, evaluator = outcome.problem, outcome.evaluator
    sample = Sample(evaluator.informative(problem.views[0], 16), outcome.middle.channels)
    best: dict[Any, tuple[float, Any]] = dict.fromkeys(problem.formats, (-1.0, None))
    for scale in scales:
        attempts = _attempts(replace(outcome, problem=problem.scaled(scale)))
        aligned = [h for h in attempts if "align" in h.setting.name]
        for h in [*aligned, *map(_by_default_convention, aligned)] or attempts:
            if h.view.is_plain:
                predicted, observed = evaluator.predict(h, sample), evaluator.observed(h.view, sample)
                if predicted is not None and predicted.shape == observed.shape:
                    likeness = correlation(predicted, observed)
                    if likeness > best[h.geometry.format][0]:
                        best[h.geometry.format] = likeness, h
    return {form: item for form, item in best.items() if item[1] is not None}


#: In the order in which they are tried, and whether most RoIs agree already where they help.
_SUGGESTIONS = (
    (_permuted_rois, False),
    (_permuted_channels, False),
    (_rescaled, False),
    (_plain_scale, False),
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
    less = f"the error of {h.setting.text()} " + (
        f"{fit.before / fit.after:.3g} times smaller" if fit.after > 1e-6 * fit.before else "vanish"
    )
    text = f"the boxes look {' and '.join(parts)}: that makes {less}"
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
