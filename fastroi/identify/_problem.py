"""What is asked: maps, rows, and an output, in every order of axes that their shapes allow."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastroi._checks.numbers import output_extents, scales

from ._boxes import TURNED, UPRIGHT, Correction, Format, Scale

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class View:
    """One order of the axes of maps and output; both are N, C, H, W and K, C, PH, PW here.

    Attributes
    ----------
    layout : str
        Of the features.
    reversed_channels : bool
        The features' channels are taken last first.
    axes : str
        What the axes of the output are.
    """

    maps: tuple[Array, ...]
    observed: Array
    layout: str
    reversed_channels: bool
    axes: str

    @property
    def output_size(self) -> tuple[int, int]:
        return self.observed.shape[2], self.observed.shape[3]

    @property
    def map_size(self) -> tuple[int, int]:
        return self.maps[0].shape[2], self.maps[0].shape[3]

    @property
    def is_plain(self) -> bool:
        return not self.reversed_channels and self.axes in ("K C PH PW", "K PH PW C", "K PH PW", "K C*PH*PW")


@dataclass(frozen=True)
class Geometry:
    """How boxes reach the map."""

    format: Format
    correction: Correction
    scale: Scale


@dataclass(frozen=True, eq=False)
class Problem:
    """The arguments of `fastroi.identify`, judged.

    Attributes
    ----------
    rows : (K, 4) or (K, 5) array
        Boxes in their own dtype, without the image.
    index : (K,) int64 array
        Image of each.
    kind : str
        ``"upright"``, ``"turned"``, ``"levels"`` or ``"masks"``.
    scales : tuple of Scale, or None
        None where they are to be found.
    arrays : dict
        Operands with a row for each RoI, by the names of parameters.
    """

    views: tuple[View, ...]
    rows: Array
    index: Array
    kind: str
    scales: tuple[Scale, ...] | None
    arrays: dict[str, Array]
    observed_dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def formats(self) -> tuple[Format, ...]:
        return TURNED if self.kind == "turned" else UPRIGHT

    @cached_property
    def largest(self) -> float:
        """The largest finite magnitude in a map: what rounding errors are measured by."""
        return max(_largest(level) for level in self.views[0].maps)

    def reordered(self, rois: Array | None = None, channels: Array | None = None) -> Problem:
        """The same with the RoIs or channels of the output taken in another order."""
        views = []
        for view in self.views:
            observed = view.observed if rois is None else view.observed[rois]
            views.append(replace(view, observed=observed if channels is None else observed[:, channels]))
        return replace(self, views=tuple(views))

    def scaled(self, scale: Scale) -> Problem:
        """The same with a scale that was found."""
        return replace(self, scales=(scale,))


def _largest(array: Array) -> float:
    magnitude = np.abs(array[np.isfinite(array)])
    return float(magnitude.max(initial=0.0))


def problem_of(
    features: Any,
    rois: Any,
    observed: ArrayLike,
    output_size: Any,
    spatial_scale: Any,
    batch_indices: ArrayLike | None,
    layout: str | None,
    arrays: dict[str, ArrayLike | None],
) -> Problem:
    """All arguments of `fastroi.identify`, or the exception that names the wrong one."""
    if layout not in (None, "NCHW", "NHWC"):
        raise ValueError(f"layout: {layout!r} is not 'NCHW', 'NHWC' or None")
    maps, result = _narrowed(_maps(features), _numbers(observed, "observed"))
    masks = result.ndim == 3
    if masks and (len(maps) > 1 or maps[0].ndim != 3):
        raise ValueError(f"observed: shape {result.shape}; 4 axes required, or 3 where features are (N, h, w) masks")
    images = len(maps[0]) if maps[0].ndim == 4 or masks else 1
    rows, index, turned = _rows(rois, batch_indices, images, masks)
    if result.ndim == 0 or len(result) != len(rows):
        hint = "; RoIs come first, transpose it" if len(rows) in result.shape[1:] else ""
        raise ValueError(f"observed: shape {result.shape} for {len(rows)} rows of rois{hint}")
    if len(rows) == 0:
        raise ValueError("rois: there are none, and nothing can be told from an empty output")
    if result.size and not _any_finite(result):
        raise ValueError("observed: no value is finite, and nothing can be told from it")
    size = None if output_size is None else output_extents(output_size)
    kind = "masks" if masks else "levels" if len(maps) > 1 else "turned" if turned else "upright"
    if masks:
        views = [_mask_view(maps[0], result, size)]
    else:
        views = _views([level if level.ndim == 4 else level[None] for level in maps], result, size, layout)
    if not views:
        shapes = " and ".join(str(level.shape) for level in maps)
        raise ValueError(
            f"observed: shape {result.shape} is no order of (K, C, PH, PW) with K = {len(rows)}, "
            f"C from features of shape {shapes}" + ("" if size is None else f" and output_size {size}")
        )
    return Problem(
        views=tuple(views),
        rows=rows,
        index=index,
        kind=kind,
        scales=_scales(spatial_scale, kind),
        arrays={name: _operand(value, name, len(rows)) for name, value in arrays.items() if value is not None},
        observed_dtype=result.dtype,
    )


def _numbers(value: ArrayLike, name: str, kinds: str = "biuf") -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if array.dtype.name == "bfloat16":  # an extension type that NumPy's sums and comparisons do not know
        return array.astype(np.float32)
    if array.dtype.kind not in kinds:
        if value is None:
            raise TypeError(f"{name}: None is not an array of numbers")
        raise TypeError(f"{name}: dtype {array.dtype} is not a real number type")
    return array


def _any_finite(values: Array) -> bool:
    return any(bool(np.isfinite(rows).any()) for rows in values)


def _narrowed(maps: list[Array], observed: Array) -> tuple[list[Array], Array]:
    """Float32 numbers that came as float64, as out of lists and text, are float32: they were computed so."""
    if observed.dtype != np.float64 or not _is_float32(observed):
        return maps, observed
    if all(level.dtype == np.float32 or _is_float32(level) for level in maps):
        maps = [level.astype(np.float32, copy=False) for level in maps]
    return maps, observed.astype(np.float32)


def _is_float32(values: Array) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values.astype(np.float32), values, equal_nan=True))


def _maps(features: Any) -> list[Array]:
    if isinstance(features, (list, tuple)) and not features:
        raise ValueError("features: there are none")
    levels = _levels(features) if isinstance(features, (list, tuple)) else [features]
    found = []
    for number, level in enumerate(levels):
        name = f"features[{number}]" if len(levels) > 1 else "features"
        array = _numbers(level, name)
        if array.ndim not in (3, 4):
            raise ValueError(f"{name}: {array.ndim} dimensions; 4 (or 3 for one image, or masks) required")
        if 0 in array.shape:
            raise ValueError(f"{name}: shape {array.shape} holds no cell")
        wide = array.dtype.kind == "f" and array.itemsize == 8 or array.dtype.kind in "iu" and array.itemsize > 2
        found.append(array.astype(np.float64 if wide else np.float32, copy=False))
    return found


def _levels(features: Any) -> Any:
    """The maps of a pyramid, or one map as nested lists."""
    try:
        return features if np.ndim(features[0]) >= 3 else [features]
    except ValueError as error:
        raise ValueError(f"features: {error}") from None


def _rows(rois: Any, batch_indices: ArrayLike | None, images: int, masks: bool) -> tuple[Array, Array, bool]:
    """Boxes, the image of each, and whether they are turned."""
    if isinstance(rois, (list, tuple)) and len(rois) and all(np.ndim(table) == 2 for table in rois):
        if batch_indices is not None:
            raise ValueError("batch_indices: given, but rois is already a list with one array per image")
        if len(rois) != images:
            raise ValueError(f"rois: a list of {len(rois)} arrays for {images} images")
        batch_indices = np.repeat(np.arange(images), [len(table) for table in rois])
        rois = np.concatenate([np.asarray(table) for table in rois])
    table = _numbers(rois, "rois", "iuf")
    if table.ndim != 2 or table.shape[1] not in (4, 5, 6):
        raise ValueError(f"rois: shape {table.shape}; (K, 4), (K, 5) or (K, 6) required")
    if not (table.dtype.kind == "f" and table.itemsize >= 4):
        table = table.astype(np.float64)
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"rois[{row}]: {table[row].tolist()} is not finite")
    width = table.shape[1]
    has_index = width == 6 or (width == 5 and batch_indices is None and _has_index(table, images))
    if has_index and batch_indices is not None:
        raise ValueError("batch_indices: given, but rois already has a batch column")
    if has_index:
        index, table = table[:, 0], table[:, 1:]
    elif batch_indices is not None:
        index = np.asarray(batch_indices)
    elif masks and images == len(table):
        index = np.arange(images)
    elif images == 1:
        index = np.zeros(len(table))
    else:
        raise ValueError(f"rois: shape {table.shape}; with {images} images a batch index is required")
    return table, _checked_index(index, len(table), images), table.shape[1] == 5


def _has_index(table: Array, images: int) -> bool:
    """Whether five columns are an image and a box: one out of range is told by the corners behind it."""
    first = table[:, 0]
    if not ((first == np.floor(first)) & (first >= 0)).all():
        return False
    return bool((first < images).all() or (table[:, 3:] >= table[:, 1:3]).all())


def _checked_index(index: Array, count: int, images: int) -> Array:
    if index.shape != (count,):
        raise ValueError(f"batch_indices: shape {index.shape}; ({count},) required")
    wrong = ~((index == np.floor(index)) & (index >= 0) & (index < images))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"rois[{row}]: batch index {index[row]} is no integer in [0, {images})")
    return index.astype(np.int64)


def _operand(value: ArrayLike, name: str, count: int) -> Array:
    array = _numbers(value, name)
    if array.ndim != 4 or len(array) != count:
        raise ValueError(f"{name}: shape {array.shape}; 4 axes with {count} rows required")
    return array


def _scales(spatial_scale: Any, kind: str) -> tuple[Scale, ...] | None:
    if kind == "masks":
        if spatial_scale is not None:
            raise ValueError(f"spatial_scale: {spatial_scale!r}, but masks have none")
        return (Scale(1.0, 1.0),)
    if spatial_scale is None:
        return None
    pair = scales(spatial_scale)
    if not all(math.isfinite(scale) and scale > 0 for scale in pair):
        raise ValueError(f"spatial_scale: {spatial_scale!r} is not finite and positive")
    return (Scale(*pair),)


def _mask_view(masks: Array, observed: Array, size: tuple[int, int] | None) -> View:
    if size is not None and size != observed.shape[1:]:
        raise ValueError(f"output_size: {size}, but observed has shape {observed.shape}")
    return View((masks[:, None],), observed[:, None], "NCHW", False, "K PH PW")


def _views(maps: list[Array], observed: Array, size: tuple[int, int] | None, layout: str | None) -> list[View]:
    views = []
    for name in ("NCHW", "NHWC") if layout is None else (layout,):
        ordered = tuple(level.transpose(0, 3, 1, 2) if name == "NHWC" else level for level in maps)
        channels = ordered[0].shape[1]
        for axes, result in _orders(observed, channels, size):
            if not _channels_fit(channels, result.shape):
                continue
            for reverse in (False, True) if channels > 1 else (False,):
                turned = tuple(level[:, ::-1] if reverse else level for level in ordered)
                views.append(View(turned, result, name, reverse, axes))
    return views


def _orders(observed: Array, channels: int, size: tuple[int, int] | None) -> list[tuple[str, Array]]:
    """The orders of axes that a result of this shape can have."""
    if observed.ndim == 2:
        observed = _unfolded(observed, channels, size)
        names = {"K C*PH*PW": (0, 1, 2, 3)} if observed.ndim == 4 else {}
    elif observed.ndim == 4:
        names = {
            "K C PH PW": (0, 1, 2, 3),
            "K PH PW C": (0, 3, 1, 2),
            "K C PW PH": (0, 1, 3, 2),
            "K PW PH C": (0, 3, 2, 1),
        }
    else:
        raise ValueError(f"observed: {observed.ndim} dimensions; 4 required, or 2 of flattened bins")
    found = [(name, observed.transpose(order)) for name, order in names.items()]
    return [(name, result) for name, result in found if size is None or result.shape[2:] == size]


def _unfolded(observed: Array, channels: int, size: tuple[int, int] | None) -> Array:
    side = math.isqrt(observed.shape[1] // channels)
    size = size or (side, side)
    bins = size[0] * size[1]
    return observed.reshape(len(observed), -1, *size) if bins and observed.shape[1] % bins == 0 else observed


def _channels_fit(channels: int, shape: tuple[int, ...]) -> bool:
    """Each output channel has a channel, or a square or a grid of bins of channels, of its own."""
    groups, rest = divmod(channels, max(shape[1], 1))
    if rest or not shape[1]:
        return False
    return groups == 1 or groups == shape[2] * shape[3] or math.isqrt(groups) ** 2 == groups
