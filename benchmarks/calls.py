"""How a benchmark case is put to fastroi; shared by the asv suite, the tests and the peer runs."""

from __future__ import annotations

import numpy as np

from .cases import Case


def fastroi_call(
    case: Case,
    *,
    layout: str | None = None,
    dtype="float32",
    threads: int | None = None,
    preallocated: bool = True,
    features: np.ndarray | None = None,
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
    features : ndarray, optional
        The map, where the caller has it already.

    Raises
    ------
    NotImplementedError
        The installed fastroi has no such operator.
    """
    import fastroi

    operator = getattr(fastroi, case.op, None)
    if operator is None:
        raise NotImplementedError(f"fastroi has no {case.op}")
    layout = layout or case.layout
    if features is None:
        features = case.features(layout, dtype)
    keywords = dict(case.params, layout=layout, num_threads=threads)
    if preallocated:
        empty = getattr(fastroi, "empty_aligned", np.empty)  # asv measures earlier commits too
        out = empty(case.output_shape(layout), dtype)
        out.fill(0)
        keywords["out"] = out
    if case.op == "crop_and_resize":
        boxes, indices = case.normalised_boxes()
        return lambda: operator(features, boxes, indices, case.output_size, **keywords)
    rois = case.op_boxes()
    return lambda: operator(features, rois, case.output_size, case.scale, **keywords)
