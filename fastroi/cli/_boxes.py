"""Boxes of a file: numbers, images, and where in the file they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from ._errors import shown


@dataclass(frozen=True)
class Boxes:
    """K boxes and what a file says about them.

    Attributes
    ----------
    rois : numpy.ndarray
        (K, 4) or (K, 5) in image pixels, or one column more with the position of the image first.
    batch_indices : numpy.ndarray or None
        (K,) int64, where `rois` has no such column; -1 for an image that was not asked for.
    names : list of str or None
        What the file calls the image of each box.
    source : str
        What a box is called there: "line", "annotation", "result" or "row".
    numbers : sequence of int or None
        The number of each; None if they are all and in order, from 0.
    extras : dict
        From the names of further values to that of each box.
    notes : list of str
        What was assumed, to be told.
    """

    rois: numpy.ndarray
    batch_indices: numpy.ndarray | None = None
    names: list[str] | None = None
    source: str = "row"
    numbers: Sequence[int] | None = None
    extras: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rois)

    def number(self, row) -> int:
        """Where the file has a box."""
        return row if self.numbers is None else int(self.numbers[row])

    def place(self, row) -> str:
        """The same, for messages."""
        return f"{self.source} {self.number(row)}"

    def where(self, kept):
        """The boxes that a mask keeps."""
        if kept.all():
            return self
        rows = numpy.flatnonzero(kept)
        return replace(
            self,
            rois=self.rois[rows],
            batch_indices=None if self.batch_indices is None else self.batch_indices[rows],
            names=None if self.names is None else [self.names[row] for row in rows],
            numbers=[self.number(row) for row in rows.tolist()],
            extras={name: [values[row] for row in rows] for name, values in self.extras.items()},
        )


def of_listed_images(boxes, path, images):
    """Which boxes are of images that a list has, and what to tell of the others.

    Parameters
    ----------
    boxes : Boxes
        Their `batch_indices` are -1 for other images.
    path, images : str
        Where the boxes and the list come from.

    Returns
    -------
    listed : numpy.ndarray
        (K,) bool.
    notes : list of str
        How many boxes the others are.

    Raises
    ------
    ValueError
        None is: the list names its images in another way.
    """
    listed = boxes.batch_indices >= 0
    if listed.all():
        return listed, []
    if not listed.any():
        example = f", e.g. {boxes.place(0)} is of {boxes.names[0]!r}" if boxes.names else ""
        raise ValueError(f"{shown(path)}: no box is of an image that {shown(images)} lists{example}")
    others = f"{(~listed).sum()} of {len(listed)} boxes are of images that {shown(images)} does not list"
    return listed, [f"{shown(path)}: {others}, left out"]


def split_index(rois, batch_indices, coordinates=4):
    """Boxes of as many numbers, and the positions of their images from either of the two places these may stand in.

    Returns
    -------
    rois : numpy.ndarray
        (K, coordinates).
    batch_indices : numpy.ndarray or None
        (K,) int64; None if they stand in neither place.

    Raises
    ------
    ValueError
        A batch index is not a whole number; the message names its row.
    """
    if rois.shape[1] == coordinates:
        return rois, batch_indices
    return rois[:, 1:], _whole_numbers(rois[:, 0])


def _whole_numbers(column):
    whole = (column == numpy.floor(column)) & (numpy.abs(column) < 2.0**63)
    if not whole.all():
        row = int(numpy.argmin(whole))
        raise ValueError(f"rois[{row}]: batch index {column[row]} is not a whole number")
    return column.astype(numpy.int64)
