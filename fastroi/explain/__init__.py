"""What an operator does to one box: coordinates, bins, areas, cells and weights, as numbers and as a picture.

`explain` is the function; the classes of what it returns are loaded when the first of them is needed.
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal, SupportsFloat, SupportsIndex

    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from ._balance import Balance
    from ._interpolation import INTERPOLATION_RULES, Interpolation, PointAxis
    from ._plan import Plan, PlanAxis
    from ._quantisation import Areas, Axis, Cells, Explanation

    _Size = SupportsIndex | Sequence[SupportsIndex]

__all__ = [
    "INTERPOLATION_RULES",
    "Areas",
    "Axis",
    "Balance",
    "Cells",
    "Explanation",
    "Interpolation",
    "Plan",
    "PlanAxis",
    "PointAxis",
    "explain",
    "plot_rules",
]

_MODULES = {
    "INTERPOLATION_RULES": "._interpolation",
    "Areas": "._quantisation",
    "Axis": "._quantisation",
    "Balance": "._balance",
    "Cells": "._quantisation",
    "Explanation": "._quantisation",
    "Interpolation": "._interpolation",
    "Plan": "._plan",
    "PlanAxis": "._plan",
    "PointAxis": "._interpolation",
}


def __getattr__(name):
    if name in _MODULES:  # on first use: who only pools does not pay for dataclasses
        return getattr(_importlib.import_module(_MODULES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})


@overload
def explain(
    box: Iterable[SupportsFloat] | NDArray[Any],
    output_size: _Size,
    spatial_scale: SupportsFloat | Sequence[SupportsFloat] = 1.0,
    *,
    operator: None = None,
    rule: str = "floor",
    map_size: _Size | None = None,
    sampling_ratio: _Size = -1,
    aligned: bool | str = True,
) -> Explanation | Interpolation: ...
@overload
def explain(
    box: Iterable[SupportsFloat] | NDArray[Any],
    output_size: _Size,
    spatial_scale: SupportsFloat | Sequence[SupportsFloat] = 1.0,
    *,
    operator: str,
    map_size: _Size | Sequence[_Size],
    channels: SupportsIndex | None = None,
    **options: Any,
) -> Plan: ...
def explain(
    box: Iterable[SupportsFloat] | NDArray[Any],
    output_size: _Size,
    spatial_scale: SupportsFloat | Sequence[SupportsFloat] = 1.0,
    *,
    operator: str | None = None,
    map_size: _Size | Sequence[_Size] | None = None,
    channels: SupportsIndex | None = None,
    **options: Any,
) -> Explanation | Interpolation | Plan:
    """Show what RoI pooling's two roundings do to one box, what mends them, or the plan of any operator.

    Intervals, bins, sample points and weights come from the code the kernels use; the areas are
    exact products of intervals. Under a rule of RoI pooling, with T the true box, Q the quantised box, B the union of the bins
    and M the map (the whole plane if unknown), in cells::

        used           = |T & B|              lost_first     = |T & M - Q - B|
        lost_second    = |T & Q & M - B|      outside        = |T - M|
        gained_pooled  = |B - T|              gained_dropped = |Q & M - T - B|

    The interpolating rules choose no cells but weigh them; there `Interpolation.balance` compares
    the weights with the box.

    With ``operator`` the function of that name is called on a map without memory, and answers with its `Plan`: the cells and
    weights of every bin.

    Parameters
    ----------
    box : sequence of float
        ``x1, y1, x2, y2`` in image pixels. With ``operator`` a row of that function's boxes: ``cx, cy, w, h, angle`` of a rotated
        one, ``y1, x1, y2, x2`` of ``"crop_and_resize"``.
    output_size : int or (int, int)
        Bins, ``PH`` and ``PW``; of ``"paste_masks"`` the size of the image.
    spatial_scale : float or (float, float)
        Cells per image pixel, ``1 / stride``; a pair is ``(scale_h, scale_w)``. Of ``"multiscale_roi_align"`` one number for each
        level. Masks and ``"crop_and_resize"`` have none.
    operator : str, optional
        The name of a function: ``"roi_pool"``, ``"roi_align"``, ``"multiscale_roi_align"``, ``"ps_roi_pool"``,
        ``"ps_roi_align"``, ``"roi_warp"``, ``"prroi_pool"``, ``"area_pool"``, ``"crop_and_resize"``, ``"roi_align_rotated"``,
        ``"riroi_align_rotated"``, ``"deform_roi_pool"``, ``"deform_ps_roi_pool"``, ``"paste_masks"``, ``"crop_masks"``.
    rule : str
        Without ``operator``, one of `fastroi.ROI_POOL_RULES`; by default the floor rule, with which introductions to RoI
        pooling show the two roundings. Or ``"roi_align"``, ``"roi_warp"``, ``"prroi_pool"``.
    map_size : int or (int, int), optional
        ``(H, W)`` of the feature map or mask in cells. With it the bins are clipped as the operator clips
        them and what lies off the map is told apart. Only the rules of RoI pooling do without. Of
        ``"multiscale_roi_align"`` a size for each level.
    sampling_ratio, aligned
        As in `fastroi.roi_align`; without ``operator`` for ``rule="roi_align"`` only.
    channels : int, optional
        Channels of the map, with ``operator``; by default the fewest that it takes.
    **options
        With ``operator``, every keyword of that function, with its defaults.

    Returns
    -------
    Explanation, Interpolation or Plan
        An immutable object with a table as its `str`, ``to_dict()`` and, of upright boxes, ``x``, ``y``, ``balance()`` and
        ``plot()``; an `Explanation` also has ``areas`` and ``cells``, a `Plan` ``cells_of()``.

    Raises
    ------
    ValueError
        The box is not as many finite numbers as it takes or reaches beyond 2**52 cells, a size or scale is not
        positive, there are more than 65536 bins along an axis (interpolating rules: 4096 cells), a plan would be too long, the
        rule or operator is unknown, or the rule does not have the option.
    TypeError
        A size is not an integer, or the operator does not have the option.

    Examples
    --------
    >>> import fastroi
    >>> e = fastroi.explain((296, 192, 496, 337), 3, 1 / 32)
    >>> e.x.exact, e.x.quantised, e.x.bins
    ((9.25, 15.5), (9.0, 15.0), ((9, 11), (11, 13), (13, 15)))
    >>> e.areas.box, e.areas.used, e.areas.lost_first, e.areas.lost_second
    (28.3203125, 17.25, 5.3203125, 5.75)
    >>> e.y.dropped
    ((9, 10),)

    RoIAlign divides the box as it is, and sees all of it:

    >>> a = fastroi.explain((296, 192, 496, 337), 3, 1 / 32, rule="roi_align", map_size=16)
    >>> a.x.quantised, a.x.grid, a.y.grid
    ((9.25, 15.5), 3, 2)
    >>> round(e.balance().unseen, 2), a.balance().unseen
    (11.07, 0.0)

    Of a position-sensitive operator each bin has a channel of its own:

    >>> p = fastroi.explain((0, 0, 4, 4), 2, operator="ps_roi_pool", map_size=6, channels=8)
    >>> p.channel_of(1, 0), p.channel_of(1, 0, channel=1), p.cells_of(1, 0)[0]
    (2, 6, (2, 0, 1.0))
    """
    if operator is not None:
        from ._plan import plan

        return plan(operator, box, output_size, spatial_scale, map_size, channels, options)
    from ._rules import explain_rule

    if channels is not None:
        raise TypeError("channels: it goes with operator=")
    for name in options.keys() - {"rule", "sampling_ratio", "aligned"}:
        raise TypeError(f"explain() got an unexpected keyword argument {name!r}")
    return explain_rule(box, output_size, spatial_scale, map_size, **options)


def plot_rules(
    explanations: Iterable[Explanation | Interpolation | Plan],
    *,
    image: ArrayLike | None = None,
    view: Literal["map"] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw several explanations side by side in one figure with one key.

    Parameters
    ----------
    explanations : iterable of Explanation, Interpolation and Plan
        For example one box under several rules. All panels have the same size. Plans are of upright boxes.
    image : array_like, optional
        The image the box was drawn on, (height, width) or (height, width, 3 or 4). It becomes the
        first panel, in pixels, with the map's cells and the first explanation's box on it.
    view : {None, "map"}
        The surroundings of the boxes, or the whole map and what of the boxes lies beyond it.
    title : str, optional
        A heading over all panels.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib; ``pip install matplotlib`` brings it.
    ValueError
        No explanation is given.

    Examples
    --------
    >>> import fastroi
    >>> from fastroi.explain import plot_rules
    >>> rules = "floor", "fast_rcnn"
    >>> parts = [fastroi.explain((296, 192, 496, 337), 3, 1 / 32, rule=r) for r in rules]
    >>> plot_rules(parts).savefig("rules.png")  # doctest: +SKIP
    """
    from ._plot import plot_many

    return plot_many(tuple(explanations), image=image, view=view, title=title)
