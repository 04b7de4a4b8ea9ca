"""Boxes from arrays, tables and COCO files."""

from __future__ import annotations

from pathlib import Path

import numpy

from . import _arrays, _tables
from ._boxes import Boxes
from ._coco import read_coco
from ._columns import as_corners, check_one_reading, named, unnamed
from ._errors import UsageError, shown
from ._files import is_stream, read_content
from ._images import Images

_KEY = "--boxes-key"
ENDINGS = (*_arrays.ENDINGS, *_tables.ENDINGS, ".json")


def read_boxes(path, images: Images, operator, xywh=False, columns=None, key=None) -> Boxes:
    """Read the boxes of a file, by its ending, or of a pipe, by its beginning.

    Parameters
    ----------
    path : str
        A file with one of `ENDINGS`, or - for standard input.
    images : Images
        Those that the features hold.
    operator : Operator
        What the boxes are for.
    xywh : bool
        The file's boxes are x, y, width, height; COCO files say so themselves.
    columns : list of str, optional
        The names of the columns.
    key : str, optional
        The array's name in a .npz file.

    Returns
    -------
    Boxes
        In image pixels; those of a .npy file are memory-mapped and keep their dtype.

    Raises
    ------
    UsageError
        The ending is unknown or does not go with the options.
    ValueError
        The file does not hold boxes; the message names file and place.
    """
    if xywh and operator.coordinates != 4:
        raise UsageError("argument --xywh: a rotated box is cx cy w h angle")
    kind, content = _kind(path)
    if kind == "json":
        _check_coco_options(path, operator, xywh, columns)
    if kind == "array":
        read = _arrays.load_array(path, key, _KEY) if content is None else _arrays.parse_array(content, path, key, _KEY)
        return _from_array(read, path, operator, xywh, columns)
    if key is not None:
        raise UsageError(f"argument {_KEY}: it goes with .npz")
    content = read_content(path) if content is None else content
    if kind == "json":
        return read_coco(content, path, images)
    return _tables.read_table(content, path, images, operator, xywh, columns)


def _kind(path):
    """Array, json or table, and the content if it had to be read to tell."""
    if is_stream(path):
        content = read_content(path)
        if content.startswith(_arrays.MAGIC):
            return "array", content
        return "json" if content.lstrip()[:1] in (b"{", b"[") else "table", content
    ending = Path(path).suffix.lower()
    if ending in _arrays.ENDINGS:
        return "array", None
    if ending in _tables.ENDINGS:
        return "table", None
    if ending == ".json":
        return "json", None
    raise UsageError(f"argument BOXES: {str(path)!r} ends in none of {' '.join(ENDINGS)}")


def _check_coco_options(path, operator, xywh, columns):
    if xywh:
        raise UsageError("argument --xywh: a COCO file is xywh anyway")
    if columns is not None:
        raise UsageError(f"argument --columns: {shown(path)} is a COCO file, which has none")
    if operator.masks:
        raise UsageError("argument BOXES: boxes of masks are read from .npy and .csv")
    if operator.coordinates != 4:
        raise UsageError("argument BOXES: rotated boxes are read from .npy and .csv")


def _from_array(rois, path, operator, xywh, columns):
    coordinates = operator.coordinates
    if columns is not None:
        return _from_named_columns(rois, path, operator, xywh, columns)
    if rois.ndim != 2 or rois.shape[1] not in (coordinates, coordinates + 1):
        expected = f"(K, {coordinates}) or (K, {coordinates + 1})"
        raise ValueError(
            f"{shown(path)}: expected {expected} boxes, found shape {rois.shape}; see --columns for others"
        )
    _check_numbers(rois, path)
    rois = _arrays.in_native_order(rois, path)
    if rois.shape[1] == coordinates + 1:
        check_one_reading(rois, path, operator, xywh)
    return Boxes(_columns_of(rois, unnamed(coordinates, xywh, rois.shape[1] > coordinates)) if xywh else rois)


def _from_named_columns(rois, path, operator, xywh, columns):
    if xywh:
        raise UsageError("argument --xywh: it does not go with --columns")
    if rois.ndim != 2 or rois.shape[1] != len(columns):
        raise ValueError(f"{shown(path)}: found shape {rois.shape}, but {len(columns)} columns are named")
    _check_numbers(rois, path)
    try:
        found = named(columns, operator.coordinates, operator.masks)
    except ValueError as error:
        raise UsageError(f"argument --columns: {error}") from None
    if found.images:
        raise UsageError("argument --columns: an array has the position of an image, batch, not its name")
    extras = {name: rois[:, at].tolist() for name, at in found.extras.items()}
    return Boxes(_columns_of(rois, found), extras=extras)


def _check_numbers(rois, path):
    if rois.dtype.kind not in "iuf":
        raise ValueError(f"{shown(path)}: boxes of dtype {rois.dtype} are not numbers")


def _columns_of(rois, found):
    """Boxes as corners in float64, after the position of the image if there is one."""
    numbers = as_corners(numpy.array(rois[:, found.numbers], dtype=numpy.float64), found.form)
    return numpy.concatenate([rois[:, found.positions[:1]], numbers], axis=1)
