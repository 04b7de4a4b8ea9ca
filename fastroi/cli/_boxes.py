"""Boxes from .npy, .csv and COCO .json files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy

from ._errors import UsageError

FORMATS = (".npy", ".csv", ".json")
_XYXY = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"))
_XYWH = (("x", "y", "w", "h"), ("x", "y", "width", "height"))
_TURNED = (("cx", "cy", "w", "h", "angle"), ("cx", "cy", "width", "height", "angle"))
_BATCH = ("batch", "batch_index", "batch_idx", "image", "image_index")


def read_boxes(path, images, xywh=False, coordinates=4):
    """Read boxes.

    Parameters
    ----------
    path : str or Path
        A file with one of the endings of `FORMATS`.
    images : int
        Images that the features hold.
    xywh : bool
        The file's boxes are x, y, width, height; .json files say so themselves.
    coordinates : int
        Numbers of a box: 4, or 5 for cx, cy, w, h, angle.

    Returns
    -------
    rois : numpy.ndarray
        (K, coordinates), or one column more with the batch index first, in image pixels; a .npy file is memory-mapped and
        keeps its dtype.
    batch_indices : numpy.ndarray or None
        (K,) int64 for a COCO file.

    Raises
    ------
    UsageError
        The ending is unknown or does not go with `xywh`.
    ValueError
        The file does not hold boxes; the message names file and place.
    """
    if xywh and coordinates != 4:
        raise UsageError("argument --xywh: a rotated box is cx cy w h angle")
    ending = Path(path).suffix.lower()
    if ending == ".npy":
        return _from_npy(path, xywh, coordinates), None
    if ending == ".csv":
        return _from_csv(path, xywh, coordinates), None
    if ending == ".json":
        if xywh:
            raise UsageError("argument --xywh: a COCO file is xywh anyway")
        if coordinates != 4:
            raise UsageError("argument BOXES: rotated boxes are read from .npy and .csv")
        return _from_coco(path, images)
    raise UsageError(f"argument BOXES: {str(path)!r} ends in none of {' '.join(FORMATS)}")


def load_array(path):
    """Memory-map a .npy file, as a plain array.

    Raises
    ------
    ValueError
        It is no .npy file, or it holds Python objects.
    """
    try:
        array = numpy.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: no .npy array can be read from it: {error}") from None
    if not isinstance(array, numpy.ndarray):
        raise ValueError(f"{path}: it is an archive, not one .npy array")
    return numpy.asarray(array)


def _from_npy(path, xywh, coordinates):
    rois = load_array(path)
    if rois.ndim != 2 or rois.shape[1] not in (coordinates, coordinates + 1):
        expected = f"(K, {coordinates}) or (K, {coordinates + 1})"
        raise ValueError(f"{path}: expected {expected} boxes, found shape {rois.shape}")
    return _to_corners(rois, path) if xywh else rois


def _to_corners(rois, path):
    if rois.dtype.kind not in "iuf":
        raise ValueError(f"{path}: boxes of dtype {rois.dtype} are not numbers")
    corners = numpy.array(rois, dtype=numpy.float64)
    corners[:, -2:] += corners[:, -4:-2]
    return corners


def _from_csv(path, xywh, coordinates):
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [(number, row) for number, row in _lines(file, path) if any(map(str.strip, row))]
    if not rows:
        return numpy.empty((0, coordinates))
    columns = None
    if not all(map(_is_number, rows[0][1])):
        header = [name.strip().lower() for name in rows.pop(0)[1]]
        columns, header_xywh = _columns(header, path, coordinates)
        if xywh and not header_xywh:
            raise ValueError(f"{path}: --xywh was given, but the header says x1, y1, x2, y2")
        xywh = header_xywh
    elif len(rows[0][1]) not in (coordinates, coordinates + 1):
        expected = f"{coordinates} or {coordinates + 1} columns"
        raise ValueError(f"{path}: line {rows[0][0]}: expected {expected} without a header")
    width = len(rows[0][1]) if rows else 0
    parsed = [_numbers(row, columns, width, f"{path}: line {number}") for number, row in rows]
    rois = numpy.array(parsed, dtype=numpy.float64)
    rois = rois.reshape(len(parsed), len(columns or range(width)))
    return _to_corners(rois, path) if xywh else rois


def _lines(file, path):
    reader = csv.reader(file)
    try:
        for row in reader:
            yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: after line {reader.line_num}: {error}") from None


def _is_number(text) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(header, path, coordinates):
    upright = (*((n, False) for n in _XYXY), *((n, True) for n in _XYWH))
    for names, xywh in upright if coordinates == 4 else ((n, False) for n in _TURNED):
        if all(name in header for name in names):
            batch = [header.index(name) for name in _BATCH if name in header][:1]
            return batch + [header.index(name) for name in names], xywh
    wanted = "neither x1,y1,x2,y2 nor x,y,w,h" if coordinates == 4 else "no cx,cy,w,h,angle"
    raise ValueError(f"{path}: the header {','.join(header)!r} has {wanted}")


def _numbers(row, columns, width, where):
    if len(row) != width:
        raise ValueError(f"{where}: {len(row)} columns, but the first row has {width}")
    texts = row if columns is None else [row[column] for column in columns]
    for text in texts:
        if not _is_number(text):
            raise ValueError(f"{where}: {text!r} is not a number")
    return [float(text) for text in texts]


def _from_coco(path, images):
    try:
        content = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    order = _image_order(content, path)
    annotations = content["annotations"]
    rois = numpy.empty((len(annotations), 4))
    batch_indices = numpy.empty(len(annotations), dtype=numpy.int64)
    for row, annotation in enumerate(annotations):
        where = f"{path}: annotations[{row}]"
        x, y, width, height = _bbox(annotation, where)
        rois[row] = x, y, x + width, y + height
        batch_indices[row] = _batch_index(annotation, order, images, where)
    return rois, batch_indices


def _image_order(content, path) -> dict:
    for name in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise ValueError(f"{path}: a COCO file is an object with the lists images, annotations")
    order = {}
    for index, image in enumerate(content["images"]):
        identity = image.get("id") if isinstance(image, dict) else None
        if not isinstance(identity, (int, str)):
            raise ValueError(f"{path}: images[{index}] has no id")
        if identity in order:
            raise ValueError(f"{path}: images[{index}] repeats the id {identity!r}")
        order[identity] = index
    return order


def _bbox(annotation, where):
    bbox = annotation.get("bbox") if isinstance(annotation, dict) else None
    good = isinstance(bbox, list) and len(bbox) == 4
    if not good or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in bbox):
        raise ValueError(f"{where}: bbox {bbox!r} is not [x, y, width, height]")
    try:
        return [float(value) for value in bbox]
    except OverflowError:
        raise ValueError(f"{where}: bbox holds a number beyond float64") from None


def _batch_index(annotation, order, images, where) -> int:
    identity = annotation.get("image_id")
    try:
        index = order[identity]
    except (KeyError, TypeError):
        raise ValueError(f"{where}: image_id {identity!r} is not among the images") from None
    if index >= images:
        held = f"the features hold {images} images"
        raise ValueError(f"{where}: image_id {identity!r} is images[{index}], but {held}")
    return index
