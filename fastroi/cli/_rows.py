"""A table of the rows of a result: which image, box and annotation each belongs to."""

from __future__ import annotations

import re
import sys

from ._boxes import split_index
from ._files import STREAM, replacing

_TO_BE_QUOTED = re.compile(r'[,;\t\r\n"]|^[\s#]|\s$')
_BOX = {4: ("x1", "y1", "x2", "y2"), 5: ("cx", "cy", "w", "h", "angle")}


def write_rows(path, boxes, coordinates):
    """Write one line for each row of the result, as comma-separated values with a header.

    Parameters
    ----------
    path : str
        The file, or - for standard output.
    boxes : Boxes
        Those pooled, in order.
    coordinates : int
        Numbers of a box.
    """
    if path == STREAM:
        _write(sys.stdout, boxes, coordinates)
        return
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        _write(file, boxes, coordinates)


def _write(file, boxes, coordinates):
    columns = _columns(boxes, coordinates)
    for row in (columns, *zip(*columns.values())):
        file.write(",".join(map(_cell, row)) + "\n")


def _cell(value) -> str:
    """The text of a value, between quotes where a reader of any separator would take it for something else."""
    text = str(value).encode("utf-8", "backslashreplace").decode()  # JSON has halves of characters
    return '"' + text.replace('"', '""') + '"' if _TO_BE_QUOTED.search(text) else text


def _columns(boxes, coordinates):
    rois, indices = split_index(boxes.rois, boxes.batch_indices, coordinates)
    count = len(rois)
    columns = {
        "row": range(count),
        boxes.source if boxes.source != "row" else "source": map(boxes.number, range(count)),
    }
    columns["batch"] = [0] * count if indices is None else indices.tolist()
    if boxes.names is not None:
        columns["image"] = boxes.names
    columns.update(zip(_BOX[coordinates], rois.T.tolist()))
    for name, values in boxes.extras.items():
        while name in columns:
            name = f"own_{name}"  # not file_: that would be a name of an image to whoever reads the table
        columns[name] = ["" if value is None else value for value in values]
    return columns
