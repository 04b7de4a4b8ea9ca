"""The plan of one box: what an operator would do, listed by the core in place of being done."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastroi import _core
from fastroi._arrays import unsigned
from fastroi._devices import Host

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


class Listing(Host):
    """A device that has no memory, and lists what an operator would do.

    Attributes
    ----------
    reduce : str
        What becomes of the cells of a bin; one of `REDUCES`.
    entries : list of Entry
    """

    @staticmethod
    def blank(shape, dtype):
        return np.broadcast_to(np.zeros((), dtype), shape)

    def empty(self, shape, dtype, size):
        return self.blank(shape, dtype)

    def run(self, params, maps, code, boxes, batch_indices, out, out_code, num_threads):
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


class UnreadMap(np.ndarray):
    """A map of any size without memory, for operators that are to be listed by `fastroi_device`."""

    fastroi_device: Listing


def unread_map(listing, shape, dtype=np.float64):
    """A map on which an operator is listed by `listing`."""
    view = np.broadcast_to(np.zeros((), dtype), shape).view(UnreadMap)
    view.fastroi_device = listing
    return view
