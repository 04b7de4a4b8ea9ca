"""What an operator would do to one box, listed by the core in place of being done."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastroi import _core
from fastroi._arrays import unsigned
from fastroi._devices import Host
from fastroi._threads import resolve_num_threads

ROW, COLUMN, CELL, CHANNEL, ORIENTATION = range(5)  # fastroi_plan_axis
REDUCES = ("max", "mean", "sum", "max_points", "mixed")  # fastroi_plan_reduce


class Entry(NamedTuple):
    """Cells [first, end) of a bin, each with this weight: see fastroi_plan_entry."""

    axis: int
    point: int
    output_channel: int
    bin: int
    first: int
    end: int
    weight: float


class Unread(Host):
    """A device that has no memory: what runs an operator there learns its parameters."""

    @staticmethod
    def blank(shape, dtype):
        return np.broadcast_to(np.zeros((), dtype), shape)

    def empty(self, shape, dtype, size):
        return self.blank(shape, dtype)


class Parameters(Unread):
    """Keeps what a call passes besides memory.

    Attributes
    ----------
    params : Params
    output_channels : int
    """

    def run(self, params, maps, code, boxes, batch_indices, out, out_code, num_threads):
        resolve_num_threads(num_threads)
        self.params, self.output_channels = params, out.shape[1]


class Listing(Parameters):
    """Lists what an operator would do.

    Attributes
    ----------
    reduce : str
        What becomes of the cells of a bin; one of `REDUCES`.
    entries : list of Entry
    """

    def run(self, params, maps, code, boxes, batch_indices, out, out_code, num_threads):
        super().run(params, maps, code, boxes, batch_indices, out, out_code, num_threads)
        maps = [unsigned(array) for array in maps]
        reduce, entries = _core.list_plan(params, maps, code, unsigned(boxes), batch_indices, unsigned(out), out_code)
        self.reduce, self.entries = REDUCES[reduce], [Entry(*entry) for entry in entries]

    def by_bin(self, axis, bins) -> tuple[tuple[tuple[int, float], ...], ...]:
        """For each bin of an axis its cells and their weights."""
        found: list[list[tuple[int, float]]] = [[] for _ in range(bins)]
        for entry in self.entries:
            if entry.axis == axis:
                found[entry.bin] += [(cell, entry.weight) for cell in range(entry.first, entry.end)]
        return tuple(map(tuple, found))

    def points_by_bin(self, axis, bins) -> tuple[tuple[tuple[tuple[int, float], ...], ...], ...]:
        """For each bin of an axis its points, each of them its cells and their weights; none if it is off the map."""
        found: list[dict[int, tuple]] = [{} for _ in range(bins)]
        for entry in self.entries:
            if entry.axis == axis:
                cells = ((entry.first, entry.weight),) if entry.first < entry.end else ()
                found[entry.bin][entry.point] = found[entry.bin].get(entry.point, ()) + cells
        return tuple(tuple(points.values()) for points in found)


class UnreadMap(np.ndarray):
    """A map of any size without memory, for operators that are to be run by `fastroi_device`."""

    fastroi_device: Unread


def unread_map(device, shape, dtype=np.float64):
    """A map on which an operator is run by `device`."""
    view = np.broadcast_to(np.zeros((), dtype), shape).view(UnreadMap)
    view.fastroi_device = device
    return view


def gathers(params) -> bool:
    """Whether bins are no products of rows and columns: boxes are turned, or bins moved one by one."""
    return bool(params.operator.flags & _core.TAKES_TURNED_BOXES or {"offset", "trans"} & params.operator.fields.keys())


def classes_of(params) -> int:
    """Groups of output channels whose bins are moved apart."""
    return params.arrays["trans"][0].shape[1] // 2 if "trans" in params.arrays else 1
