"""What a quantisation rule of RoI pooling does to one box: coordinates, bins and areas."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from fastroi import _core

from ._balance import Balance, balance, range_weights
from ._regions import KINDS, Rectangle, difference, divide, length, total_area, union
from ._values import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a box, from image pixels to the bins on the map.

    Attributes
    ----------
    name : str
        ``"x"`` or ``"y"``.
    image : tuple of float
        First and last coordinate of the box, in image pixels.
    scale : float
        Cells of the map per image pixel.
    exact : tuple of float
        ``image`` times ``scale``, in cells, not rounded.
    quantised : tuple of float
        The interval ``[start, end)`` the rule divides into bins, in cells. Whole numbers, except
        under ``"mmcv"``, which does not round.
    bins : tuple of (int, int)
        The half-open cell ranges ``[start, end)`` of the bins, whatever the size of the map.
    extent : int or None
        Cells of the map along this axis, None if not given.
    clipped : tuple of (int, int), or None
        ``bins`` clipped to ``[0, extent]``, as the operator reads them; ``end <= start`` is an
        empty bin. None without an extent.
    """

    name: str
    image: tuple[float, float]
    scale: float
    exact: tuple[float, float]
    quantised: tuple[float, float]
    bins: tuple[tuple[int, int], ...]
    extent: int | None
    clipped: tuple[tuple[int, int], ...] | None

    @property
    def pooled(self) -> tuple[tuple[int, int], ...]:
        """The ranges that are read: ``clipped`` where the map's size is known, else ``bins``."""
        return self.bins if self.clipped is None else self.clipped

    @property
    def reads(self) -> int:
        """Cells read over all bins; a cell in two bins counts twice."""
        return sum(max(end - start, 0) for start, end in self.pooled)

    @property
    def covered(self) -> tuple[tuple[int, int], ...]:
        """The cells in at least one bin, as disjoint ascending ranges."""
        return tuple(union(self.pooled))

    @property
    def touched(self) -> tuple[int, int]:
        """The range of cells the quantised interval touches, clipped to the map if it is known."""
        start, end = math.floor(self.quantised[0]), math.ceil(self.quantised[1])
        if self.extent is not None:
            start, end = max(start, 0), min(end, self.extent)
        return start, max(start, end)

    @property
    def dropped(self) -> tuple[tuple[int, int], ...]:
        """The cells of `touched` that are in no bin, as ascending ranges."""
        return tuple(difference(self.touched, self.covered))

    @property
    def weights(self) -> tuple[tuple[int, float], ...]:
        """Each cell's share in the mean over all bins, every cell of a bin counting alike."""
        return range_weights(self.pooled)


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas in cells; a part of a cell counts as that part.

    ``box`` is ``used + lost_first + lost_second + outside``. Every figure is computed as an exact
    fraction of the float64 coordinates and rounded once.

    Attributes
    ----------
    box : float
        The true box on the map. 0 if it is reversed.
    used : float
        Part of the true box that some bin reads.
    lost_first : float
        Part cut off by the first rounding, of the box to whole cells.
    lost_second : float
        Part of both the true and the quantised box that no bin reads: the second rounding.
    outside : float
        Part that lies off the map; 0 when the map's size was not given.
    gained_pooled : float
        What the bins read although it is outside the true box.
    gained_dropped : float
        What the quantised box added to the true one and no bin reads.
    """

    box: float
    used: float
    lost_first: float
    lost_second: float
    outside: float
    gained_pooled: float
    gained_dropped: float

    @property
    def lost(self) -> float:
        """Area of the true box that no bin reads though it is on the map."""
        return self.lost_first + self.lost_second

    @property
    def gained(self) -> float:
        """Area outside the true box that the quantised box or a bin takes in."""
        return self.gained_pooled + self.gained_dropped


@dataclass(frozen=True, slots=True)
class Cells:
    """Whole cells.

    Attributes
    ----------
    quantised : int
        Cells the quantised box touches.
    pooled : int
        Distinct cells in at least one bin.
    dropped : int
        Cells of the quantised box in no bin.
    reads : int
        Cells over all bins; where bins overlap this exceeds ``pooled``.
    empty_bins : int
        Bins without a cell: their output is 0.
    """

    quantised: int
    pooled: int
    dropped: int
    reads: int
    empty_bins: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one quantisation rule does to one box; made by `fastroi.explain`.

    Attributes
    ----------
    box : tuple of float
        ``(x1, y1, x2, y2)`` in image pixels.
    output_size : tuple of int
        ``(PH, PW)``.
    spatial_scale : tuple of float
        ``(scale_h, scale_w)``, cells per pixel.
    rule : str
        The quantisation rule.
    map_size : tuple of int, or None
        ``(H, W)`` of the feature map in cells.
    x, y : Axis
        Coordinates and bins along each axis.
    areas : Areas
        Areas in cells.
    cells : Cells
        Counts of whole cells.
    """

    box: tuple[float, float, float, float]
    output_size: tuple[int, int]
    spatial_scale: tuple[float, float]
    rule: str
    map_size: tuple[int, int] | None
    x: Axis
    y: Axis
    areas: Areas
    cells: Cells

    def regions(self) -> dict[str, tuple[Rectangle, ...]]:
        """Split the plane into what happens to it.

        Returns
        -------
        dict
            From each of ``"used"``, ``"lost_first"``, ``"lost_second"``, ``"outside"``,
            ``"gained_pooled"``, ``"gained_dropped"`` to disjoint rectangles
            ``(x1, y1, x2, y2)`` in cells. Their areas are the figures of `areas`.
        """
        return divide(self.x, self.y)

    def balance(self) -> Balance:
        """Compare what each cell weighs in the mean over all bins with where the box lies; see `Balance`."""
        return balance(self.x, self.y)

    def to_dict(self) -> dict:
        """Return everything as plain dicts, lists, numbers and strings, ready for `json.dumps`.

        ``"positions"`` says what the numbers count from.
        """
        from ._text import EDGES

        return plain({**asdict(self), "positions": EDGES})

    def plot(self, ax: Axes | None = None, *, view: Literal["map"] | None = None, legend: bool = True) -> Axes:
        """Draw the map's grid, the true box, the quantised box and the bins.

        Dark blue is lost in quantising the box, light blue is lost in quantising the bins, green
        is gained (hatched: gained and then dropped with the cells no bin reads).

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw. A new figure by default.
        view : {None, "map"}
            The surroundings of the box, or the whole map (then its size must be known).
        legend : bool
            Put the key to the colours below the picture.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            Without matplotlib; ``pip install matplotlib`` brings it.
        """
        from ._plot import plot_one

        return plot_one(self, ax, view=view, legend=legend)

    def __str__(self) -> str:
        from ._text import table

        return table(self)


def explanation(box, output_size, spatial_scale, rule, map_size) -> Explanation:
    """Explain one box under one of `ROI_POOL_RULES`; the other arguments are checked already."""
    x1, y1, x2, y2 = box
    bins_h, bins_w = output_size
    scale_h, scale_w = spatial_scale
    height, width = (None, None) if map_size is None else map_size
    x = _axis("x", rule, (x1, x2), scale_w, bins_w, width)
    y = _axis("y", rule, (y1, y2), scale_h, bins_h, height)
    return Explanation(
        box=box,
        output_size=output_size,
        spatial_scale=spatial_scale,
        rule=rule,
        map_size=map_size,
        x=x,
        y=y,
        areas=_areas(x, y),
        cells=_count(x, y),
    )


def _axis(name, rule, image, scale, bins, extent) -> Axis:
    exact = (image[0] * scale, image[1] * scale)
    quantised, ranges = _core.axis_ranges(rule, image[0], image[1], scale, bins, -1)
    clipped = None
    if extent is not None:
        clipped = _ranges(_core.axis_ranges(rule, image[0], image[1], scale, bins, extent)[1])
    return Axis(name, image, scale, exact, tuple(map(float, quantised)), _ranges(ranges), extent, clipped)


def _ranges(ranges) -> tuple[tuple[int, int], ...]:
    return tuple((int(start), int(end)) for start, end in ranges)


def _areas(x: Axis, y: Axis) -> Areas:
    rectangles = divide(x, y)
    by_kind = {kind: total_area(rectangles[kind]) for kind in KINDS}
    box = sum(by_kind[kind] for kind in ("used", "lost_first", "lost_second", "outside"))
    return Areas(box=float(box), **{kind: float(area) for kind, area in by_kind.items()})


def _count(x: Axis, y: Axis) -> Cells:
    quantised = length([x.touched]) * length([y.touched])
    kept = [length([axis.touched]) - length(axis.dropped) for axis in (x, y)]
    full = [sum(end > start for start, end in axis.pooled) for axis in (x, y)]
    return Cells(
        quantised=quantised,
        pooled=length(x.covered) * length(y.covered),
        dropped=quantised - kept[0] * kept[1],
        reads=x.reads * y.reads,
        empty_bins=len(x.bins) * len(y.bins) - full[0] * full[1],
    )
