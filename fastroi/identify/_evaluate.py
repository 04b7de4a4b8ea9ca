"""Hypotheses run on samples of RoIs and channels, and how far they are from what was observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._candidates import Call, Setting
from ._problem import Array, Geometry, Problem, View
from ._profiles import ProfileSetting

#: Units in the last place, of the largest value of a map, that sums in another order may differ by.
_ROUNDINGS = 16
_MEDIAN_VALUES = 1 << 20
#: So few RoIs are done before other threads have woken up.
_ROIS_OF_A_THREAD = 128


@dataclass(frozen=True)
class Hypothesis:
    """An operator with options, on one order of axes, fed with boxes read in one way."""

    view: View
    geometry: Geometry
    setting: Setting | ProfileSetting


@dataclass(frozen=True, eq=False)
class Sample:
    """Some RoIs, and at most so many channels."""

    rows: Array
    channels: int | None


@dataclass(frozen=True)
class Score:
    """Errors of a hypothesis on a sample."""

    largest: float
    median: float
    agreeing: int
    count: int
    first: int | None

    @property
    def agrees(self) -> bool:
        return self.agreeing == self.count


class Evaluator:
    """Runs hypotheses of one problem and counts them."""

    def __init__(self, problem: Problem, tolerance: float | None) -> None:
        self.problem = problem
        self.evaluated = 0
        self.stored_as, self.unit = _stored_as(problem)
        self.tolerance = tolerance if tolerance is not None else self._rounding()
        self._is_exact = tolerance is None and self.stored_as is None and _same_type(problem)
        self._maps: dict[Any, tuple[Array, ...]] = {}
        self._boxes: dict[Any, Array] = {}
        self._exact: dict[Any, bool] = {}
        self._channels: dict[Any, Array | None] = {}
        self._observed: dict[Any, Array] = {}
        self._refused: set[Any] = set()

    def _rounding(self) -> float:
        largest = self.problem.largest or 1.0
        if self.unit is not None and self.stored_as not in ("float16", "bfloat16"):
            return self.unit * 0.51 + 1e-6 * largest
        if self.unit is not None:
            return 2 * self.unit * largest
        kinds = [self.problem.observed_dtype, self.problem.views[0].maps[0].dtype]
        return _ROUNDINGS * largest * max(float(np.finfo(kind).eps) for kind in kinds if kind.kind == "f")

    def predict(self, hypothesis: Hypothesis, sample: Sample, corners: Array | None = None) -> Array | None:
        """What a hypothesis gives, (K, C, PH, PW); None if it refuses such input. `corners` stand in for the sample's boxes."""
        setting, view = hypothesis.setting, hypothesis.view
        key = (setting, view, hypothesis.geometry.scale)
        if key in self._refused:
            return None
        self.evaluated += 1
        geometry = hypothesis.geometry
        call = Call(
            maps=self._sampled_maps(view, sample),
            boxes=self.corners(geometry, sample) if corners is None else corners,
            index=self.problem.index[sample.rows],
            output_size=view.output_size,
            scale=geometry.scale.pair,
            arrays={name: array[sample.rows] for name, array in self.problem.arrays.items()},
            num_threads=1 if len(sample.rows) <= _ROIS_OF_A_THREAD else None,
        )
        try:
            result = setting.run(call)
        except (TypeError, ValueError):  # what a package would refuse is no candidate for what it gave
            self._refused.add(key)
            return None
        channels = self.channels(view, sample)
        return result if self._one_to_one(view) or channels is None else result[:, channels]

    def corners(self, geometry: Geometry, sample: Sample) -> Array:
        """The boxes of a sample as operators take them."""
        key = (geometry.format, geometry.correction, sample)
        if key not in self._boxes:
            boxes = geometry.format.corners(self.problem.rows[sample.rows])
            self._boxes[key] = np.ascontiguousarray(geometry.correction.change(boxes))
        return self._boxes[key]

    def observed(self, view: View, sample: Sample) -> Array:
        """What was observed of a sample."""
        key = (view, sample)
        if key not in self._observed:
            self._observed[key] = self._sampled(view, sample)
        return self._observed[key]

    def _sampled(self, view: View, sample: Sample) -> Array:
        whole = len(sample.rows) == self.problem.count and sample.channels is None
        rows = view.observed if whole else view.observed[sample.rows]
        channels = self.channels(view, sample)
        rows = rows if channels is None else rows[:, channels]
        return rows.astype(np.float32) if rows.dtype.kind != "f" or rows.dtype.itemsize < 4 else rows

    def channels(self, view: View, sample: Sample) -> Array | None:
        """The output channels of a sample, those that say most; None for all."""
        if sample.channels is None or view.observed.shape[1] <= sample.channels:
            return None
        key = (view, sample.channels)
        if key not in self._channels:
            self._channels[key] = self._telling_channels(view, sample.channels)
        return self._channels[key]

    def _telling_channels(self, view: View, count: int) -> Array:
        some = view.observed[self.informative(view, 32)].astype(np.float32)
        spread = np.nan_to_num(np.where(np.isfinite(some), some, 0).std(axis=(0, 2, 3)))
        return np.sort(np.argsort(-spread, kind="stable")[:count])

    def informative(self, view: View, count: int) -> Array:
        """Rows whose bins differ from each other, of boxes of many sizes."""
        observed = view.observed[:, :: max(view.observed.shape[1] // 8, 1)].astype(np.float32)
        with np.errstate(invalid="ignore"):
            spread = observed.reshape(len(observed), -1).std(axis=1)
        spread = np.nan_to_num(spread)
        good = (
            np.flatnonzero(spread >= 0.25 * np.median(spread[spread > 0]))
            if (spread > 0).any()
            else np.arange(len(spread))
        )
        by_size = good[np.argsort(np.abs(self.problem.rows[good, 2:4]).sum(axis=1), kind="stable")]
        return by_size[np.unique(np.linspace(0, len(by_size) - 1, min(count, len(by_size))).astype(int))]

    def _sampled_maps(self, view: View, sample: Sample) -> tuple[Array, ...]:
        channels = self.channels(view, sample) if self._one_to_one(view) else None
        key = (view, None if channels is None else sample.channels)
        if key not in self._maps:
            self._maps[key] = (
                view.maps if channels is None else tuple(np.ascontiguousarray(m[:, channels]) for m in view.maps)
            )
        return self._maps[key]

    def _one_to_one(self, view: View) -> bool:
        """Whether a channel of the output comes of the channel of the map at its place."""
        return view.maps[0].shape[1] == view.observed.shape[1] and self.problem.kind != "turned"

    def score(self, hypothesis: Hypothesis, sample: Sample) -> Score | None:
        """The errors on a sample; None if the hypothesis refuses such input."""
        predicted = self.predict(hypothesis, sample)
        if predicted is None:
            return None
        observed = self.observed(hypothesis.view, sample)
        if predicted.shape != observed.shape:
            return None
        error = errors(predicted, observed)
        by_row = error.reshape(len(error), -1).max(axis=1, initial=0)
        good = by_row <= self.tolerance
        if by_row[good].max(initial=0) > 0:
            good = by_row <= self.limit(hypothesis, sample, predicted)
        flat = error.reshape(-1)
        first = None if good.all() else int(sample.rows[np.argmin(good)])
        return Score(
            float(by_row.max(initial=0)),
            float(np.median(flat[:: max(flat.size // _MEDIAN_VALUES, 1)])),
            int(good.sum()),
            len(good),
            first,
        )

    def limit(self, hypothesis: Hypothesis, sample: Sample, predicted: Array) -> float:
        """The largest error of an agreeing RoI: none where every value is a cell of the map."""
        key = (hypothesis.setting, hypothesis.view)
        if not self._is_exact:
            return self.tolerance
        if key not in self._exact:
            rows = self._sampled_maps(hypothesis.view, sample)[0]
            some = predicted[: max(4096 // max(predicted[0].size, 1), 1)]
            self._exact[key] = bool((np.isin(some, rows) | (some == 0)).all())
        return 0.0 if self._exact[key] else self.tolerance


def errors(predicted: Array, observed: Array) -> Array:
    """Magnitudes of differences; equal infinities and two NaN are none, one NaN is infinite."""
    if predicted.dtype.kind == "b":
        predicted = predicted.astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(np.subtract(predicted, observed))
    odd = np.isnan(error)
    if odd.any():
        same = (predicted == observed) | (np.isnan(predicted) & np.isnan(observed))
        error[odd] = np.where(same[odd], 0, np.inf)
    return error


def correlation(a: Array, b: Array) -> float:
    """Of the values of two arrays where both are finite; 0 if one is constant."""
    a, b = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    good = np.isfinite(a) & np.isfinite(b)
    a, b = a[good] - a[good].mean() if good.any() else a[good], b[good] - b[good].mean() if good.any() else b[good]
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def explained(predicted: Array, observed: Array) -> float:
    """1 for equal values, 0 or less for those that are no better than the mean."""
    error = errors(predicted, observed).astype(np.float64)
    error, spread = error[np.isfinite(error)], float(np.std(observed[np.isfinite(observed)]))
    if not error.size:
        return -np.inf
    return 1 - float(np.sqrt((error**2).mean())) / spread if spread > 0 else -float(error.max())


def _same_type(problem: Problem) -> bool:
    return problem.observed_dtype == problem.views[0].maps[0].dtype or problem.observed_dtype.kind == "b"


def _stored_as(problem: Problem) -> tuple[str | None, float | None]:
    """The element that an output went through though the maps did not, and its unit: the last place at 1, or a step."""
    observed, features = _some(problem.views[0].observed), _some(problem.views[0].maps[0])
    if problem.observed_dtype.kind == "b":
        return None, None
    if problem.observed_dtype.kind in "iu":
        return (None, None) if (features == np.round(features)).all() else (str(problem.observed_dtype), 1.0)
    step = _step(observed)
    if step is not None and _step(features) is None:
        return f"multiples of {step:.6g}", step
    for name, unit, is_stored in (("bfloat16", 2.0**-7, _is_bfloat16), ("float16", 2.0**-10, _is_float16)):
        if is_stored(observed) and not is_stored(features):
            return name, unit
    return None, None


def _some(array: Array) -> Array:
    flat = (
        array.reshape(-1) if array.flags.c_contiguous else array[: max(1 << 18 // max(array[0].size, 1), 1)].reshape(-1)
    )
    flat = flat[:: max(flat.size >> 16, 1)].astype(np.float64)
    return flat[np.isfinite(flat)]


def _is_float16(values: Array) -> bool:
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16).astype(np.float64) == values).all())


def _is_bfloat16(values: Array) -> bool:
    bits = values.astype(np.float32)
    return bool(((bits.view(np.uint32) & 0xFFFF) == 0).all() and (bits == values).all())


def _step(values: Array) -> float | None:
    """The step of values that lie on a grid of a few hundred steps."""
    levels = np.unique(values)
    if not 8 < len(levels) <= 512 or len(values) < 4 * len(levels):
        return None
    step = float(np.diff(levels).min())
    offsets = levels / step
    return (
        step if np.abs(offsets - np.round(offsets)).max() < 0.01 and (levels[-1] - levels[0]) / step < 65536 else None
    )
