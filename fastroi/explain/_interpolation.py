"""What an interpolating rule does to one box: sample points, and the weight of every cell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import fastroi
from fastroi import _core
from fastroi._checks.numbers import aligned_name

from ._balance import Balance, balance, hulls_of, weights_of
from ._limits import check_axis
from ._listing import COLUMN, ROW, Listing, unread_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Rules of `fastroi.explain` that weigh cells instead of choosing them.
INTERPOLATION_RULES = ("roi_align", "roi_warp", "prroi_pool")

_ALIGNED = _core.OPERATORS["roi_align"].fields["aligned"].choices
_CODES = {name: len(_ALIGNED) + i for i, name in enumerate(("roi_warp", "prroi_pool", "crop_and_resize"))}
_CENTRE = 0.5  # the core counts from the centre of cell 0, the picture from its edge


@dataclass(frozen=True, slots=True)
class PointAxis:
    """One axis of a box, from image pixels to weighted cells.

    Positions are in cells as on the picture: cell i reaches from i to i + 1, its centre is i + 0.5. Other frameworks
    count sample points from the centre of cell 0: `coordinates` are their numbers.

    Attributes
    ----------
    name : str
        ``"x"`` or ``"y"``.
    image : tuple of float
        First and last coordinate of the box, in image pixels.
    scale : float
        Cells of the map per image pixel.
    exact : tuple of float
        ``image`` times ``scale``: where the box lies.
    quantised : tuple of float
        Where the rule takes it to lie: the interval it divides into bins. Only ``"roi_warp"``
        rounds it, but ``"roi_warp"``, ``"prroi_pool"`` and those ``aligned`` of ``"roi_align"`` that do
        not subtract half a cell move it by that, since they take whole numbers for centres. Under
        ``aligned="clamp_align_corners"`` the last bin begins where the box ends.
    extent : int
        Cells of the map along this axis.
    grid : int
        Sample points in every bin; 0 under ``"prroi_pool"``, which integrates.
    points : tuple of tuple of (float, float)
        For each bin its sample points: position, and share in the bin, which is 0 for a point off
        the map, unless ``aligned`` moves such points to the outer cells (``"clamp_..."``). Points far
        off the map are left out.
    taps : tuple of tuple of (int, float)
        For each bin its cells and their weights, as the operator multiplies them.
    """

    name: str
    image: tuple[float, float]
    scale: float
    exact: tuple[float, float]
    quantised: tuple[float, float]
    extent: int
    grid: int
    points: tuple[tuple[tuple[float, float], ...], ...]
    taps: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def bins(self) -> tuple[tuple[float, float], ...]:
        """The intervals of the bins, in cells."""
        start, end = self.quantised
        count = len(self.taps)
        edges = [start + (end - start) * p / count for p in range(count)] + [end]
        return tuple(zip(edges, edges[1:]))

    @property
    def coordinates(self) -> tuple[tuple[float, ...], ...]:
        """For each bin its sample points as other frameworks number them: from the centre of cell 0, 0.5 less than `points`."""
        return tuple(tuple(position - _CENTRE for position, _ in of_bin) for of_bin in self.points)

    @property
    def pooled(self) -> tuple[tuple[int, int], ...]:
        """For each bin the half-open range from its first to its last cell."""
        return hulls_of(self.taps)

    @property
    def weights(self) -> tuple[tuple[int, float], ...]:
        """Each cell's share in the mean over all bins; less than 1 in all where points are off the map."""
        return weights_of(self.taps, len(self.taps))


@dataclass(frozen=True, slots=True)
class Interpolation:
    """What an interpolating rule does to one box; made by `fastroi.explain`.

    Attributes
    ----------
    box : tuple of float
        ``(x1, y1, x2, y2)`` in image pixels.
    output_size : tuple of int
        ``(PH, PW)``.
    spatial_scale : tuple of float
        ``(scale_h, scale_w)``, cells per pixel.
    rule : str
        ``"roi_align"``, ``"roi_warp"`` or ``"prroi_pool"``.
    map_size : tuple of int
        ``(H, W)`` of the feature map in cells.
    sampling_ratio : tuple of int, or None
        Points asked for per bin and axis, ``(vertical, horizontal)``, 0 for as many as a bin has
        cells; None unless the rule is ``"roi_align"``.
    aligned : bool, str or None
        As in `fastroi.roi_align`; None unless that is the rule.
    x, y : PointAxis
        Coordinates, points, cells and weights along each axis.
    """

    box: tuple[float, float, float, float]
    output_size: tuple[int, int]
    spatial_scale: tuple[float, float]
    rule: str
    map_size: tuple[int, int]
    sampling_ratio: tuple[int, int] | None
    aligned: bool | str | None
    x: PointAxis
    y: PointAxis

    def cell_weights(self) -> dict[tuple[int, int], float]:
        """Return the share of each (row, column) in the mean over all bins."""
        columns = self.x.weights
        return {(row, column): wy * wx for row, wy in self.y.weights for column, wx in columns}

    def balance(self) -> Balance:
        """Compare these weights with where the box lies; see `Balance`."""
        return balance(self.x, self.y)

    def to_dict(self) -> dict:
        """Return everything as plain dicts, lists, numbers and strings, ready for `json.dumps`.

        ``"positions"`` says what the numbers count from; ``"coordinates"`` of ``"x"`` and ``"y"`` count as other frameworks do.
        """
        from ._text import CENTRES, EDGES
        from ._values import plain

        more = {"balance": asdict(self.balance()), "positions": f"{EDGES}; {CENTRES}"}
        for name, axis in (("x", self.x), ("y", self.y)):
            more[name] = {**asdict(axis), "coordinates": axis.coordinates, "weights": axis.weights}
        return plain({**asdict(self), **more})

    def plot(self, ax: Axes | None = None, *, view: Literal["map"] | None = None, legend: bool = True) -> Axes:
        """Draw the map's grid, the box, the bins, the sample points, and the cells by their weight.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw. A new figure by default.
        view : {None, "map"}
            The surroundings of the box, or the whole map.
        legend : bool
            Put the key below the picture.

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
        from ._text import interpolation_table

        return interpolation_table(self)


def interpolation(box, output_size, spatial_scale, rule, map_size, sampling_ratio, aligned) -> Interpolation:
    """Explain one box under one of `INTERPOLATION_RULES`; the arguments are checked already."""
    if map_size is None:
        raise ValueError(f"map_size: rule {rule!r} needs it, for points at the border are moved to it")
    is_align = rule == "roi_align"
    code = _ALIGNED.index(aligned_name(aligned)) if is_align else _CODES[rule]
    x1, y1, x2, y2 = box
    y = _Side("y", (y1, y2), spatial_scale[0], sampling_ratio[0], output_size[0], map_size[0])
    x = _Side("x", (x1, x2), spatial_scale[1], sampling_ratio[1], output_size[1], map_size[1])
    y.check_size()
    x.check_size()
    listing = Listing()
    options = {"sampling_ratio": sampling_ratio, "aligned": aligned} if is_align else {}
    getattr(fastroi, rule)(unread_map(listing, (1, 1, *map_size)), [box], output_size, spatial_scale, **options)
    return Interpolation(
        box=box,
        output_size=output_size,
        spatial_scale=spatial_scale,
        rule=rule,
        map_size=map_size,
        sampling_ratio=sampling_ratio if is_align else None,
        aligned=aligned if is_align else None,
        x=x.axis(code, listing.by_bin(COLUMN, x.bins)),
        y=y.axis(code, listing.by_bin(ROW, y.bins)),
    )


def checked_aligned(aligned) -> bool | str:
    """`aligned` if `fastroi.roi_align` takes it."""
    if isinstance(aligned, bool) or (isinstance(aligned, str) and aligned in _ALIGNED):
        return aligned
    raise ValueError(f"aligned: {aligned!r} is not one of True, False, {', '.join(map(repr, _ALIGNED))}")


class _Side(NamedTuple):
    name: str
    image: tuple[float, float]
    scale: float
    sampling: int
    bins: int
    extent: int

    @property
    def exact(self):
        return self.image[0] * self.scale, self.image[1] * self.scale

    def check_size(self) -> None:
        check_axis(self.name, *self.exact, self.bins * max(self.sampling, 1), self.extent)

    def axis(self, code, taps) -> PointAxis:
        call = (code, *self.image, self.scale, self.sampling, self.bins, self.extent)
        (start, end), grid, points = _core.axis_points(*call)
        return PointAxis(
            name=self.name,
            image=self.image,
            scale=self.scale,
            exact=self.exact,
            quantised=(start + _CENTRE, end + _CENTRE),
            extent=self.extent,
            grid=grid,
            points=_by_bin(((p, (v + _CENTRE, share)) for p, v, share in points), self.bins),
            taps=taps,
        )


def _by_bin(items, bins) -> tuple:
    found = [[] for _ in range(bins)]
    for p, item in items:
        found[p].append(item)
    return tuple(map(tuple, found))
