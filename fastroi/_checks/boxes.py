"""Tables of boxes, and the image of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .names import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import Array, Device, Rois

_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)


class Boxes:
    """K boxes of four or five coordinates with an image index each, in their own precision."""

    __slots__ = ("array", "batch_indices", "sources")

    def __init__(
        self, rois: Rois, batch_indices: ArrayLike | None, images: int, device: Device, coordinates: int = 4
    ) -> None:
        # What the caller owns, for the check against `out`: a copy made here shares no memory, the original may.
        self.sources: list[Any] = []
        if isinstance(rois, (list, tuple)):
            if not rois:
                rois = _no_boxes(coordinates)
            elif _is_list_of_tables(rois):
                self.sources += rois
                rois, batch_indices = _join_tables(rois, batch_indices, images, coordinates, device)
        source = _array_of(rois, device)
        self.sources.append(source)
        if source.ndim == 3 and source.shape[2] == coordinates:
            source, batch_indices = _rows_of_images(source, batch_indices, images)
        if source.ndim != 2 or source.shape[1] not in (coordinates, coordinates + 1):
            raise ValueError(
                f"rois: shape {source.shape}; (K, {coordinates}), (K, {coordinates + 1}) with the image first, "
                f"or (N, R, {coordinates}) required"
            )
        self.batch_indices = None
        if batch_indices is not None:
            indices = device.array(batch_indices, "batch_indices")
            self.sources.append(indices)
            self.batch_indices = _index_vector(indices, source, coordinates)
        elif source.dtype.kind == "f" and source.itemsize < 4 and source.shape[1] > coordinates and images > 2048:
            raise TypeError(f"rois: {source.dtype} cannot tell {images} batch indices apart; pass batch_indices")
        self.array = _box_numbers(source)

    def __len__(self) -> int:
        return self.array.shape[0]


def box_table(boxes: ArrayLike, name: str, device: Device) -> Array:
    """A (K, 4) table of boxes whose images are said elsewhere; an empty list is none."""
    if isinstance(boxes, (list, tuple)) and not boxes:
        boxes = _no_boxes(4)
    table = device.array(boxes, name)
    if table.ndim != 2 or table.shape[1] != 4:
        raise ValueError(f"{name}: shape {table.shape}; (K, 4) required")
    return table


def _no_boxes(coordinates: int) -> Array:
    return np.empty((0, coordinates), _FLOAT32)


def _is_empty_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and not value


def _dimensions(value: Any, most: int = 3) -> int:
    """Of an array of any library or of nested lists, of which only the first items are looked at."""
    if isinstance(value, (list, tuple)):
        return 1 + (_dimensions(value[0], most - 1) if value and most > 1 else 0)
    return getattr(value, "ndim", 0)


def _is_list_of_tables(rois: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list has a table of boxes for each image, rather than one box in each item."""
    first = next((item for item in rois if not _is_empty_list(item)), None)
    return first is None or _dimensions(first) > 1


def _array_of(rois: Rois, device: Device) -> Array:
    try:
        return device.array(rois, "rois")
    except TypeError:
        if isinstance(rois, (list, tuple)):
            _check_rows(rois)
        raise


def _check_rows(rois: list[Any] | tuple[Any, ...]) -> None:
    """Refuse the first item of a list that is no box as the others are."""
    usual = next(item for item in rois if not _is_empty_list(item))
    if _dimensions(usual) != 1:
        return
    for i, item in enumerate(rois):
        if _dimensions(item) != 1 or len(item) != len(usual):
            raise ValueError(f"rois[{i}]: {shown(item)} among boxes of {len(usual)} numbers")


def _rows_of_images(source: Array, batch_indices: ArrayLike | None, images: int) -> tuple[Array, Array]:
    """(N, R, ...) boxes as rows, and the image of each."""
    if len(source) != images:
        raise ValueError(f"rois: shape {source.shape}, boxes of {len(source)} images where there are {images}")
    if batch_indices is not None:
        raise ValueError(f"batch_indices: given, but rois of shape {source.shape} has the boxes of each image already")
    _, count, coordinates = source.shape
    return source.reshape(images * count, coordinates), np.repeat(np.arange(images), count)


def _join_tables(
    tables: list[Any] | tuple[Any, ...], batch_indices: ArrayLike | None, images: int, coordinates: int, device: Device
) -> tuple[Array, Array]:
    if batch_indices is not None:
        raise ValueError("batch_indices: given, but rois is already a list with one array per image")
    if len(tables) != images:
        raise ValueError(f"rois: a list of {len(tables)} arrays for {images} images")
    found = [_table_of_image(table, f"rois[{i}]", coordinates, device) for i, table in enumerate(tables)]
    # An image without boxes has no say in the type of the others.
    filled = [table for table in found if len(table)] or found[:1]
    return np.concatenate(filled), np.repeat(np.arange(images), [len(table) for table in found])


def _table_of_image(table: Any, name: str, coordinates: int, device: Device) -> Array:
    array = device.array(_no_boxes(coordinates) if _is_empty_list(table) else table, name)
    if array.ndim != 2 or array.shape[1] != coordinates:
        raise ValueError(f"{name}: shape {array.shape}; (Ki, {coordinates}) required, the boxes of one image")
    _check_box_dtype(array.dtype, name)
    return array


def _check_box_dtype(dtype: np.dtype[Any], name: str) -> None:
    if dtype.kind not in "fiu" or not dtype.isnative or dtype.itemsize > 8:
        raise TypeError(f"{name}: dtype {dtype} is not a native real number of at most 64 bits")


def _box_numbers(source: Array) -> Array:
    if source.dtype is _FLOAT32 or source.dtype is _FLOAT64:
        return source
    _check_box_dtype(source.dtype, "rois")
    return source.astype(_FLOAT64 if source.dtype != _FLOAT32 else _FLOAT32)


def _index_vector(array: Array, rois: Array, coordinates: int) -> Array:
    if rois.shape[1] != coordinates:
        raise ValueError("batch_indices: given, but rois already has a batch column")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"batch_indices: dtype {array.dtype} is not an integer type")
    if array.shape != (len(rois),):
        raise ValueError(f"batch_indices: shape {array.shape}; ({len(rois)},) required")
    check_fits_int64(array, "batch_indices", "batch index")
    return array if array.dtype is _INT64 else array.astype(_INT64)


def check_fits_int64(array: Array, name: str, what: str) -> None:
    """Refuse what a conversion would turn into a negative number."""
    is_wide = array.dtype.kind == "u" and array.itemsize == 8
    if is_wide and type(array) is np.ndarray and array.size and array.max() > 2**63 - 1:
        row = int(array.argmax())
        raise ValueError(f"{name}[{row}]: {what} {array[row]} is out of range")
