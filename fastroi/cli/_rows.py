"""A table of the rows of a result: which image, box and annotation each belongs to."""

from __future__ import annotations

import csv
import sys

from ._boxes import split_index
from ._files import STREAM, replacing

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
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values()))


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
        columns[f"file_{name}" if name in columns else name] = ["" if value is None else value for value in values]
    return columns
