"""How a benchmark case is put to fastroi; shared by the asv suite, the tests and the peer runs."""

from __future__ import annotations

import numpy as np

from .cases import Case


def _positional(case: Case, features):
    """What the operator of a case takes before its keywords; `features` are the levels of a pyramid where it has one."""
    rois = case.op_boxes()
    if case.op == "crop_and_resize":
        return features, *rois, case.output_size
    if case.of_masks:
        return features, rois, case.output_size
    if case.op == "multiscale_roi_align":
        return features, rois, case.output_size, [case.scale / 2**level for level in range(case.levels)]
    if case.op.startswith("deform_"):
        return features, rois, case.offsets(), case.output_size, case.scale
    return features, rois, case.output_size, case.scale


def fastroi_call(
    case: Case,
    *,
    layout: str | None = None,
    dtype="float32",
    threads: int | None = None,
    preallocated: bool = True,
    features: np.ndarray | list[np.ndarray] | None = None,
    out: np.ndarray | None = None,
):
    """Return a function without arguments that runs the case through fastroi.

    Parameters
    ----------
    case : Case
        What to run.
    layout : {"NCHW", "NHWC"}, optional
        Layout of map and output; the case's own by default.
    dtype : str
        float32 or float64.
    threads : int, optional
        Passed on as `num_threads`.
    preallocated : bool
        Write into one resident array instead of a fresh one at each call.
    features : ndarray or list of ndarray, optional
        The map, where the caller has it already; a list of the levels of a pyramid.
    out : ndarray, optional
        The result, of any element.

    Raises
    ------
    NotImplementedError
        The installed fastroi has no such operator, or masks were asked for in another layout than NCHW.
    """
    import fastroi

    operator = getattr(fastroi, case.op, None)
    if operator is None:
        raise NotImplementedError(f"fastroi has no {case.op}")
    layout = layout or case.layout
    if case.of_masks and layout != "NCHW":
        raise NotImplementedError("masks have no layout")
    if features is None:
        features = case.pyramid(layout, dtype) if case.levels > 1 else case.features(layout, dtype)
    keywords = dict(case.params, num_threads=threads)
    if not case.of_masks:
        keywords["layout"] = layout
    if out is not None:
        keywords.update(out=out, dtype=out.dtype)
    elif preallocated:
        empty = getattr(fastroi, "empty_aligned", np.empty)  # asv measures earlier commits too
        out = empty(case.output_shape(layout), case.output_dtype(dtype))
        out.fill(0)
        keywords["out"] = out
    arguments = _positional(case, features)
    return lambda: operator(*arguments, **keywords)
