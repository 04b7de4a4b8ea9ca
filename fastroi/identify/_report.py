"""What `fastroi.identify` returns: ranked candidates, what tells them apart, what is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import zip_longest
from typing import Any

import numpy as np

import fastroi
from fastroi import _core
from fastroi.explain._text import scale_text
from fastroi.explain._values import frozen, plain

from ._candidates import Setting
from ._evaluate import Hypothesis
from ._probes import Probe, Probing
from ._residual import Finding
from ._search import Found, Outcome

_SIDE_BY_SIDE = 200
_MOST_SAME = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way in which the output may have been made.

    Attributes
    ----------
    call : str
        The function, and the options that are not its defaults.
    operator : str
        Name of the function in `fastroi`, or ``"compat.PACKAGE.FUNCTION"``.
    options : tuple of (str, value)
        ``boxes_divided_by`` of crop_and_resize is how boxes on the map became parts of it: by L - 1 cells, or by L.
    box_format : str
        What the columns of rois were read as.
    box_correction : str
        What was done to the boxes first; empty for nothing.
    spatial_scale : tuple of float
        ``(scale_h, scale_w)``, cells per unit of the boxes.
    scale_origin : str
        ``"given"``, ``"stride"``, ``"fitted"`` or how it was inferred.
    layout : str
        Of the features.
    reversed_channels : bool
        Whether the features' channels were taken last first, as RGB for BGR.
    axes : str
        Of the output, K for RoIs.
    largest_error, median_error : float
        Over all RoIs and channels (the median of at most a million values, evenly taken).
    largest_relative, median_relative : float
        The same, relative to the largest magnitude in the features.
    agreeing, rois : int
        RoIs whose every value agrees, of how many.
    first_disagreeing : int or None
        The first other one.
    agrees : bool
        Whether all agree.
    same : tuple of str
        Other calls that give the same within rounding, on these boxes and on boxes of every other kind that was tried.
    probe : Probe or None
        If this and the first candidate agree with the output: a row that, added to rois, would tell them apart.
    """

    call: str
    operator: str
    options: tuple[tuple[str, Any], ...]
    box_format: str
    box_correction: str
    spatial_scale: tuple[float, float]
    scale_origin: str
    layout: str
    reversed_channels: bool
    axes: str
    largest_error: float
    median_error: float
    largest_relative: float
    median_relative: float
    agreeing: int
    rois: int
    first_disagreeing: int | None
    agrees: bool
    same: tuple[str, ...]
    probe: Probe | None

    @property
    def reading(self) -> str:
        """How maps, boxes and output were read, as words."""
        vertical, horizontal = map(scale_text, self.spatial_scale)
        scale = horizontal if vertical == horizontal else f"{horizontal} (x), {vertical} (y)"
        parts = [f"boxes {self.box_format}"]
        parts += [self.box_correction] if self.box_correction else []
        parts += [f"scale {scale}" + ("" if self.scale_origin in ("given", "stride") else f" ({self.scale_origin})")]
        parts += [] if self.layout == "NCHW" else [f"features {self.layout}"]
        parts += ["channels reversed"] if self.reversed_channels else []
        parts += [] if self.axes in ("K C PH PW", "K PH PW") else [f"output {self.axes}"]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Identification:
    """What made an output; see `fastroi.identify`.

    Attributes
    ----------
    verdict : str
        ``"identified"``: one computation agrees on all RoIs. ``"ambiguous"``: several do, which these boxes cannot tell apart.
        ``"none"``: none of them does.
    agreeing : int
        Computations that agree on all RoIs; more of them than `candidates` lists if there are more than ``top``.
    candidates : tuple of Candidate
        Best first.
    findings : tuple of Finding
        What the values say beyond the candidates.
    tolerance : float
        The largest error that counts as agreement; none is allowed where all values are cells of the map.
    evaluated : int
        Hypotheses that were run, on few RoIs or on all.
    output_size : tuple of int
        PH, PW.
    explained_roi : int or None
        The first RoI on which the best two candidates that can be explained differ.
    explanations : tuple of Plan
        What these two do to it.
    """

    verdict: str
    agreeing: int
    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]
    tolerance: float
    evaluated: int
    output_size: tuple[int, int]
    explained_roi: int | None
    explanations: tuple[Any, ...]

    @property
    def best(self) -> Candidate | None:
        """The first candidate."""
        return self.candidates[0] if self.candidates else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts, lists, numbers and strings, ready for `json.dumps`; infinite errors as None."""
        listed = {f.name: getattr(self, f.name) for f in fields(self)}
        listed["candidates"] = [_candidate_dict(c) for c in self.candidates]
        listed["findings"] = [{"kind": f.kind, "text": f.text, **dict(f.values)} for f in self.findings]
        listed["explanations"] = [e.to_dict() for e in self.explanations]
        return plain(listed)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _candidate_dict(c: Candidate) -> dict[str, Any]:
    listed = {f.name: getattr(c, f.name) for f in fields(c)}
    listed["options"] = dict(c.options)
    listed["probe"] = None if c.probe is None else {f.name: getattr(c.probe, f.name) for f in fields(c.probe)}
    errors = ("largest_error", "median_error", "largest_relative", "median_relative")
    return {**listed, **{name: listed[name] if math.isfinite(listed[name]) else None for name in errors}}


def report(outcome: Outcome, findings: list[Finding], top: int) -> Identification:
    """The result of a search."""
    shown = outcome.found[:top]
    probes = _probes_of(outcome, shown)
    candidates = tuple(_candidate(outcome, found, probe) for found, probe in zip(shown, probes, strict=True))
    agreeing = sum(found.score.agrees for found in outcome.found)
    roi, plans = (None, ()) if _is_unlike(findings, agreeing) else _explained(outcome)
    return Identification(
        verdict="none" if not agreeing else "identified" if agreeing == 1 else "ambiguous",
        agreeing=agreeing,
        candidates=candidates,
        findings=tuple(findings),
        tolerance=outcome.evaluator.tolerance,
        evaluated=outcome.searched,
        output_size=outcome.problem.views[0].output_size if not shown else shown[0].hypothesis.view.output_size,
        explained_roi=roi,
        explanations=plans,
    )


def _is_unlike(findings: Sequence[Finding], agreeing: int) -> bool:
    """Whether the nearest candidates are near by chance only: no table of them and no plan says anything."""
    return not agreeing and any(finding.kind in ("unlike", "constant") for finding in findings)


def _probes_of(outcome: Outcome, shown: list[Found]) -> list[Probe | None]:
    """For each candidate that agrees as the first does, what would tell the two apart."""
    if not shown or not shown[0].score.agrees:
        return [None] * len(shown)
    lead = shown[0].hypothesis
    probing = Probing(outcome.evaluator, outcome.middle, lead)
    return [
        probing.telling(lead, found.hypothesis) if found.score.agrees and found is not shown[0] else None
        for found in shown
    ]


def _candidate(outcome: Outcome, found: Found, probe: Probe | None) -> Candidate:
    h, score = found.hypothesis, found.score
    largest = outcome.problem.largest or 1.0
    return Candidate(
        call=h.setting.text(),
        operator=h.setting.name,
        options=frozen_options(h),
        box_format=h.geometry.format.name,
        box_correction=h.geometry.correction.name,
        spatial_scale=h.geometry.scale.pair,
        scale_origin=h.geometry.scale.origin,
        layout=h.view.layout,
        reversed_channels=h.view.reversed_channels,
        axes=h.view.axes,
        largest_error=score.largest,
        median_error=score.median,
        largest_relative=score.largest / largest,
        median_relative=score.median / largest,
        agreeing=score.agreeing,
        rois=score.count,
        first_disagreeing=score.first,
        agrees=score.agrees,
        same=_same(found),
        probe=probe,
    )


def frozen_options(h: Hypothesis) -> tuple[tuple[str, Any], ...]:
    return tuple((name, frozen(value)) for name, value in h.setting.options)


def _same(found: Found) -> tuple[str, ...]:
    own = found.hypothesis
    texts = []
    for other in sorted(found.same, key=lambda h: h.setting.is_native):  # the profiles first
        text = other.setting.text()
        if other.geometry.correction is not own.geometry.correction:
            text += f" with {other.geometry.correction.name or 'the boxes as they are'}"
        if other.geometry.format is not own.geometry.format:
            text += f" with boxes {other.geometry.format.name}"
        texts.append(text)
    return tuple(dict.fromkeys(text for text in texts if text != own.setting.text()))


# --- explanations -----------------------------------------------------------------------------------------------------------


def _explained(outcome: Outcome) -> tuple[int | None, tuple[Any, ...]]:
    """The plans of the best two candidates for the first RoI that one of them, the first if it can be, misses."""
    native = [
        h for found in outcome.found for h in (found.hypothesis, *found.same)[:1] if isinstance(h.setting, Setting)
    ][:2]
    scores = {id(found.hypothesis): found.score for found in outcome.found}
    missed = [scores[id(h)].first for h in native if scores[id(h)].first is not None]
    if not native or not missed:
        return None, ()
    roi = int(missed[0])  # type: ignore[arg-type]
    return roi, tuple(plan for h in native if (plan := _plan(outcome, h, roi)) is not None)


def _plan(outcome: Outcome, h: Hypothesis, roi: int) -> Any:
    """None for a plan that is too long to list."""
    problem, setting, view = outcome.problem, h.setting, h.view
    row = problem.rows[roi : roi + 1]
    box = h.geometry.correction.change(h.geometry.format.corners(row))[0].astype(np.float64)
    options = dict(setting.options)
    options |= {name: array[roi : roi + 1] for name, array in problem.arrays.items() if name in _fields(setting.name)}
    if "offset" in _fields(setting.name):
        options.setdefault("offset", None)
    if "trans" in _fields(setting.name):
        options.setdefault("trans", None)
    flags = _core.OPERATORS[setting.name].flags
    scale: Any = h.geometry.scale.pair
    sizes: Any = view.map_size
    if flags & _core.TAKES_NORMALISED_BOXES:
        divisor = options.pop("boxes_divided_by", "L - 1")
        extents = [max(extent - 1 if divisor == "L - 1" else extent, 1) for extent in view.map_size]
        box, scale = box[[1, 0, 3, 2]] * np.tile(np.divide(scale, extents), 2), 1.0
    elif flags & _core.TAKES_LEVELS:
        scale = [scale[0] / 2**level for level in range(len(view.maps))]
        sizes = [level.shape[2:] for level in view.maps]
    elif flags & _core.TAKES_MASKS:
        scale = 1.0
    channels = None if flags & _core.TAKES_MASKS else view.maps[0].shape[1]
    try:
        return fastroi.explain(
            box, view.output_size, scale, operator=setting.name, map_size=sizes, channels=channels, **options
        )
    except ValueError:
        return None


def _fields(name: str) -> Any:
    return _core.OPERATORS[name].fields


# --- text ---------------------------------------------------------------------------------------------------------------------


def _lines(result: Identification) -> list[str]:
    lines = [_heading(result)]
    lines += [f"  {finding.text}" for finding in result.findings]
    if _is_unlike(result.findings, result.agreeing):
        return lines
    if result.candidates:
        lines += ["", *_table(result)]
    lines += _alike(result)
    if result.explanations:
        lines += ["", f"RoI {result.explained_roi}, the first on which they differ:", "", *_beside(result.explanations)]
    return lines


def _heading(result: Identification) -> str:
    best = result.best
    searched = f"{result.evaluated} hypotheses run, agreement within {result.tolerance:.2g}"
    if best is None:
        return f"none of them: no operator gives an output of this shape ({searched})"
    if _is_unlike(result.findings, result.agreeing):
        return f"none of them: nothing that was tried is like this output ({searched})"
    if result.verdict == "none":
        count = f"{best.agreeing} of {best.rois} RoIs agree with the nearest"
        return f"none of them: {count}, {best.call} ({searched})\n  {best.reading}"
    if result.verdict == "identified":
        return f"{best.call}\n  {best.reading}\n  ({searched})"
    return f"{best.call}, or one of {result.agreeing - 1} more that cannot be told apart by these boxes\n  {best.reading}\n  ({searched})"


def _table(result: Identification) -> list[str]:
    """Errors and agreement of each, and how it was read where that differs from the first."""
    rows: list[tuple[str, ...]] = [
        ("", "largest error", "relative", "median error", "relative", "RoIs agree", "first not", "candidate")
    ]
    assert result.best is not None
    for number, c in enumerate(result.candidates, 1):
        numbers = (c.largest_error, c.largest_relative, c.median_error, c.median_relative)
        rank = "1=" if c.agrees and result.verdict == "ambiguous" else str(number)
        how = "" if c.reading == result.best.reading else f"; {c.reading}"
        agree = f"{c.agreeing}/{c.rois}"
        first = "" if c.first_disagreeing is None else str(c.first_disagreeing)
        rows.append((rank, *(f"{n:.2g}" for n in numbers), agree, first, c.call + how))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return ["  ".join([*(f"{cell:>{width}}" for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in rows]


def _alike(result: Identification) -> list[str]:
    lines: list[str] = []
    best = result.best
    if best is not None and best.same:
        shown = [*best.same[:_MOST_SAME]]
        more = [f"and {len(best.same) - _MOST_SAME} more"] if len(best.same) > _MOST_SAME else []
        lines += ["", "the same within rounding:", *(f"  {text}" for text in shown + more)]
    for c in result.candidates[1:]:
        if c.agrees and c.probe is not None:
            row = " ".join(f"{v:g}" for v in c.probe.row)
            lines += ["", f"to tell it from {c.call}" + (f", {c.box_correction}" if c.box_correction else "") + ":"]
            lines += [f"  add the row {row} ({c.probe.kind}), on which they differ by {c.probe.difference:.2g}"]
    return lines


def _beside(plans: tuple[Any, ...]) -> list[str]:
    """Two plans in two columns, or one below the other where that is too wide."""
    texts = [str(plan).splitlines() for plan in plans]
    width = max(map(len, texts[0]))
    if len(texts) < 2 or width + 3 + max(map(len, texts[1])) > _SIDE_BY_SIDE:
        return [line for text in texts for line in (*text, "")][:-1]
    return [f"{left:<{width}} | {right}".rstrip() for left, right in zip_longest(*texts, fillvalue="")]
