"""The plan of one box under any operator: the cells and weights of every bin, listed by the core."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from fastroi import _core

from ._balance import Balance, balance, hulls_of, weights_of
from ._calls import Call
from ._limits import check_plan
from ._listing import CELL, CHANNEL, COLUMN, ORIENTATION, ROW, Listing, classes_of, gathers
from ._values import frozen, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Taps = tuple[tuple[int, float], ...]
Cells = tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True)
class PlanAxis:
    """One axis of the plan of an upright box, for its picture and its balance.

    Attributes
    ----------
    name : str
        ``"x"`` or ``"y"``.
    exact : tuple of float
        Where the box lies, in cells as on the picture: cell i reaches from i to i + 1.
    extent : int
        Cells of the map along this axis.
    taps : tuple of tuple of (int, float)
        For each bin its cells and the share of each in it; of a maximum every cell or point counts alike.
    """

    name: str
    exact: tuple[float, float]
    extent: int
    taps: tuple[Taps, ...]

    @property
    def quantised(self) -> tuple[float, float]:
        """The same: a plan does not say where its rule takes the box to lie."""
        return self.exact

    @property
    def pooled(self) -> tuple[tuple[int, int], ...]:
        """For each bin the half-open range from its first to its last cell."""
        return hulls_of(self.taps)

    @property
    def weights(self) -> Taps:
        """Each cell's share in the mean over all bins."""
        return weights_of(self.taps, len(self.taps))


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operator would do to one box; made by `fastroi.explain` with ``operator=``.

    Where the cells of a bin are those of its row times those of its column, ``rows`` and ``columns`` list them, or, of a
    maximum over sample points, ``row_points`` and ``column_points``; elsewhere ``cells``. `cells_of` reads them all.
    An upright box can be drawn, and has a side ``x`` and a side ``y``.

    Attributes
    ----------
    operator : str
        The name of the function.
    box : tuple of float
        As the function takes it.
    output_size : tuple of int
        ``(PH, PW)``.
    spatial_scale : tuple of float, or None
        ``(scale_h, scale_w)``, cells per pixel; None for operators that have none.
    map_size : tuple of int
        ``(H, W)`` of the map, or of the level or mask, in cells.
    level : int or None
        Of a pyramid, the index of the level that the box belongs to.
    channels, output_channels : int
        Of the map and of the result.
    options : tuple of (str, value)
        The keywords that were given.
    reduce : str
        What becomes of the cells of a bin: ``"max"`` their maximum, ``"mean"`` their mean, ``"sum"`` the sum of weight times
        cell, ``"max_points"`` the maximum over points, each such a sum (the option ``reduce`` says of which kind),
        ``"mixed"`` sums, of which ``orientations`` are then mixed. Masks are compared with their threshold afterwards. A bin
        without cells is 0, or the ``extrapolation_value``.
    rows, columns : tuple of tuple of (int, float), or None
        For each row or column of bins its rows or columns of the map, and their weights.
    row_points, column_points : tuple of tuple of tuple of (int, float), or None
        For each row or column of bins its points, each as rows or columns and weights; one off the map has none.
    cells : tuple of tuple of tuple of tuple of (int, int, float), or None
        ``cells[class][ph][pw]``: row, column and weight. Only ``deform_ps_roi_pool`` has more than one class.
    bin_channels : tuple of tuple of (int, int), or None
        ``bin_channels[ph][pw]`` is ``(first, step)``: output channel c reads channel ``first + c * step``. None where it reads
        channel c.
    orientations : tuple of tuple of (int, float), or None
        For each output orientation the orientations that are mixed to it, and their weights.
    """

    operator: str
    box: tuple[float, ...]
    output_size: tuple[int, int]
    spatial_scale: tuple[float, float] | None
    map_size: tuple[int, int]
    level: int | None
    channels: int
    output_channels: int
    options: tuple[tuple[str, Any], ...]
    reduce: str
    rows: tuple[Taps, ...] | None
    columns: tuple[Taps, ...] | None
    row_points: tuple[tuple[Taps, ...], ...] | None
    column_points: tuple[tuple[Taps, ...], ...] | None
    cells: tuple[tuple[tuple[Cells, ...], ...], ...] | None
    bin_channels: tuple[tuple[tuple[int, int], ...], ...] | None
    orientations: tuple[Taps, ...] | None

    def cells_of(self, row: int, column: int, channel: int = 0) -> Cells:
        """Return what a bin reads for an output channel: row, column and weight of each cell, in every point of a maximum."""
        if self.row_points is not None:
            return tuple(cell for point in self.points_of(row, column) for cell in point)
        if self.cells is not None:
            return self.cells[channel * len(self.cells) // self.output_channels][row][column]
        return _product(self.rows[row], self.columns[column])

    def points_of(self, row: int, column: int) -> tuple[Cells, ...]:
        """Return the points of a bin, if the operator takes a maximum over points; one off the map has no cells."""
        if self.row_points is None:
            raise ValueError(f"operator: {self.operator} takes no maximum over points")
        return tuple(_product(y, x) for y in self.row_points[row] for x in self.column_points[column])

    def channel_of(self, row: int, column: int, channel: int = 0) -> int:
        """Return the channel of the map that a bin reads for an output channel."""
        first, step = (0, 1) if self.bin_channels is None else self.bin_channels[row][column]
        return first + channel * step

    @property
    def x(self) -> PlanAxis:
        """The columns of an upright box on the map."""
        return self._side("x")

    @property
    def y(self) -> PlanAxis:
        """The rows of an upright box on the map."""
        return self._side("y")

    def _side(self, name) -> PlanAxis:
        if self.cells is not None or self.operator == "paste_masks":
            raise ValueError(f"operator: the bins of {self.operator} are no rows and columns of a box on the map")
        axis = "yx".index(name)
        taps, points = ((self.rows, self.row_points), (self.columns, self.column_points))[axis]
        if points is not None:
            taps = [[(cell, weight / len(of_bin)) for point in of_bin for cell, weight in point] for of_bin in points]
        elif self.reduce != "sum":
            taps = [[(cell, 1 / len(of_bin)) for cell, _ in of_bin] for of_bin in taps]
        return PlanAxis(name, self._exact(axis), self.map_size[axis], tuple(map(tuple, taps)))

    def _exact(self, axis) -> tuple[float, float]:
        if (
            _core.OPERATORS[self.operator].flags & _core.TAKES_NORMALISED_BOXES
        ):  # 0 and 1 are the centres of the outer cells
            return tuple(self.box[end] * (self.map_size[axis] - 1) + 0.5 for end in (axis, axis + 2))
        scale = 1.0 if self.spatial_scale is None else self.spatial_scale[axis]
        return self.box[1 - axis] * scale, self.box[3 - axis] * scale

    def balance(self) -> Balance:
        """Compare what each cell weighs in the mean over all bins with where an upright box lies; see `Balance`."""
        return balance(self.x, self.y)

    def plot(self, ax: Axes | None = None, *, view: Literal["map"] | None = None, legend: bool = True) -> Axes:
        """Draw the map's grid, an upright box, the cells of the bins, and all cells by their weight.

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
        ValueError
            The bins are no rows and columns of the map: boxes are turned, or bins moved one by one; or the box lies on another
            image than the cells, as that of a pasted mask.
        """
        from ._plot import plot_one

        return plot_one(self, ax, view=view, legend=legend)

    def to_dict(self) -> dict:
        """Return everything as plain dicts, lists, numbers and strings, ready for `json.dumps`."""
        listed = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain({**listed, "options": dict(self.options)})

    def __str__(self) -> str:
        from ._plan_text import plan_table

        return plan_table(self)


def plan(operator, box, output_size, spatial_scale, map_size, channels, options) -> Plan:
    """The plan of one box, all arguments judged, the options by the function itself."""
    call = Call(operator, box, output_size, spatial_scale, map_size, options)
    params = call.parameters()
    level = call.level(params)
    check_plan(params, call.box, call.sizes[level], call.scales[level], call.output_size)
    channels = call.checked_channels(channels, params)
    listing = call.run_on(Listing(), channels)
    return Plan(
        operator=operator,
        box=call.box,
        output_size=call.output_size,
        spatial_scale=call.scales[level],
        map_size=call.sizes[level],
        level=level if call.takes_levels else None,
        channels=channels,
        output_channels=listing.output_channels,
        options=tuple((name, frozen(value)) for name, value in options.items()),
        reduce=listing.reduce,
        **_bins(listing, call.output_size, call.sizes[level][1]),
        bin_channels=_bin_channels(listing, call.output_size),
        orientations=_orientations(listing),
    )


def _bins(listing, output_size, map_columns) -> dict:
    """Those fields of a plan that list cells."""
    found = dict.fromkeys(("rows", "columns", "row_points", "column_points", "cells"))
    axes = (ROW, COLUMN), output_size
    if gathers(listing.params):
        found["cells"] = _cells(listing, output_size, map_columns)
    elif listing.reduce == "max_points":
        found["row_points"], found["column_points"] = map(listing.points_by_bin, *axes)
    else:
        found["rows"], found["columns"] = map(listing.by_bin, *axes)
    return found


def _cells(listing, output_size, map_columns):
    bins, classes = output_size[0] * output_size[1], classes_of(listing.params)
    found: list[list[list]] = [[[] for _ in range(bins)] for _ in range(classes)]
    for entry in listing.entries:
        if entry.axis == CELL:
            of_class = found[entry.output_channel * classes // listing.output_channels]
            of_class[entry.bin].append((*divmod(entry.first, map_columns), entry.weight))
    return tuple(_by_row(map(tuple, of_class), output_size) for of_class in found)


def _bin_channels(listing, output_size):
    """Of the first class: those of the others go on in the same steps."""
    found = {e.bin: (e.first, e.end - e.first) for e in listing.entries if e.axis == CHANNEL and e.output_channel == 0}
    return _by_row((found[bin] for bin in range(len(found))), output_size) if found else None


def _orientations(listing):
    if listing.reduce != "mixed":
        return None
    return listing.by_bin(ORIENTATION, int(listing.params["orientations"]))


def _by_row(bins, output_size):
    bins, (rows, columns) = tuple(bins), output_size
    return tuple(bins[row * columns : (row + 1) * columns] for row in range(rows))


def _product(rows, columns) -> Cells:
    return tuple((row, column, wy * wx) for row, wy in rows for column, wx in columns)
