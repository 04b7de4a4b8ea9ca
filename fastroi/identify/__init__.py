"""Which operator, rule and convention made an output: `identify` searches them all.

The classes of what it returns are loaded when the first of them is needed. :mod:`fastroi.identify.onnx_nodes` reads the RoI
nodes of an ONNX file.
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from .._types import Layout, Rois, Scale, Size
    from ._probes import Probe
    from ._report import Candidate, Identification
    from ._residual import Finding

__all__ = ["Candidate", "Finding", "Identification", "Probe", "identify"]

_MODULES = {"Candidate": "._report", "Finding": "._residual", "Identification": "._report", "Probe": "._probes"}


def __getattr__(name: str) -> object:
    if name in _MODULES:  # on first use: who only pools does not pay for it
        return getattr(_importlib.import_module(_MODULES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def identify(
    features: ArrayLike | Sequence[ArrayLike],
    rois: Rois,
    observed: ArrayLike,
    output_size: Size | None = None,
    spatial_scale: Scale | None = None,
    *,
    batch_indices: ArrayLike | None = None,
    layout: Layout | None = None,
    offset: ArrayLike | None = None,
    trans: ArrayLike | None = None,
    operators: Sequence[str] | None = None,
    tolerance: float | None = None,
    top: int = 8,
) -> Identification:
    """Find out which operator, rule, convention, box format, layout and scale made an output.

    Every operator of this package is tried under all of its choices, and the functions of `fastroi.compat`: on a few RoIs and
    channels first, and what is near on all of them. Boxes are read as corners in either order, as sizes, as centres, as parts
    of the map, off by half a pixel or a whole one, rounded; maps and output in every order of axes that their shapes allow,
    channels from either end.

    Parameters
    ----------
    features : array_like, or sequence of array_like
        (N, C, H, W), (N, H, W, C) or three axes of one image; the maps of a pyramid, the finest first, each of half the scale;
        or (N, h, w) masks if `observed` has three axes.
    rois : array_like or list of arrays
        (K, 4) numbers of a box, (K, 5) with the image first, or a list with an array for each image, as they were given to what
        made the output; (K, 5) ``cx, cy, w, h, angle`` or (K, 6) of turned boxes.
    observed : array_like
        The output, K along its first axis; (K, n) is (K, C, PH, PW) flattened.
    output_size : int or (int, int), optional
        PH, PW; by default what the shape of `observed` says.
    spatial_scale : float or (float, float), optional
        Cells per image pixel, of a pyramid its first map's. By default strides that are powers of two are tried, scales that
        the extents of the boxes suggest, boxes as parts of the map, and at last a scale fitted to the values.
    batch_indices : array_like of int, optional
        (K,) image of each RoI.
    layout : {"NCHW", "NHWC"}, optional
        Of the features; by default both are tried.
    offset, trans : array_like, optional
        The offsets that deformable operators were given, as `fastroi.deform_roi_pool` and `fastroi.deform_ps_roi_pool` take
        them.
    operators : sequence of str, optional
        Functions of `fastroi` to try; by default all of them, and the profiles.
    tolerance : float, optional
        The largest error of a value that agrees. By default sixteen roundings of the largest value of the features, in the
        type that the output was stored in, and none where all values are cells of the map.
    top : int
        Candidates to return at most.

    Returns
    -------
    Identification
        ``print`` shows it as a table; ``verdict``, ``best``, ``candidates``, ``findings``, ``explanations``, `to_dict()`.

    Raises
    ------
    ValueError
        A shape that no operator gives from these features and rois, a box that is not finite, an image out of range, an
        unknown operator, a number that is not positive: the message names argument, row and value.
    TypeError
        A dtype that is not a real number's.

    Notes
    -----
    Candidates that give the same on all of these boxes share the first rank; their ``probe`` is a row that would tell them
    apart. Offsets of deformable operators, levels given for each box and groups of channels that are no square are not
    searched for.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> rng = np.random.default_rng(0)
    >>> features = rng.standard_normal((1, 8, 25, 30), dtype=np.float32)
    >>> rois = np.sort(rng.uniform(0, 480, (20, 2, 2)), axis=1).reshape(20, 4)
    >>> observed = fastroi.roi_pool(features, rois, 3, 1 / 16, rule="chainer")
    >>> found = fastroi.identify(features, rois, observed)
    >>> found.verdict, found.best.call, found.best.spatial_scale
    ('identified', "roi_pool(rule='chainer')", (0.0625, 0.0625))
    """
    from ._identify import identified

    arrays = {"offset": offset, "trans": trans}
    return identified(
        features, rois, observed, output_size, spatial_scale, batch_indices, layout, arrays, operators, tolerance, top
    )
