"""Box formats of the frameworks, turned into the ones fastroi's operators take."""

import ctypes

import numpy as np

from .._arrays import plain_array
from .._checks.numbers import integer, positive_integer, real_number

FLOAT32 = np.dtype(np.float32)
#: Elements of maps, by name: what most packages take on a CPU, and what those take that have half floats there.
FLOATS = ("float32", "float64")
FLOATS_AND_HALF = (*FLOATS, "float16")


def array(value, name, dimensions=None, dtype=None):
    """`value` as an ndarray of the given number of dimensions and dtype, or an error that names it."""
    result = plain_array(value, name)
    if dimensions is not None and result.ndim != dimensions:
        raise ValueError(f"{name}: shape {result.shape}; {dimensions} dimensions required")
    if dtype is not None and result.dtype != dtype:
        raise TypeError(f"{name}: dtype {result.dtype}; {np.dtype(dtype)} required")
    return result


def same_levels(maps, name):
    """Refuse levels of a pyramid, ``name(n)`` the n-th, without cells or of other images and channels than the first."""
    for number, level in enumerate(maps):
        if 0 in level.shape[2:]:
            raise ValueError(f"{name(number)}: a map of {level.shape[2]} x {level.shape[3]} cells has nothing to pool")
        if level.shape[:2] != maps[0].shape[:2]:
            raise ValueError(
                f"{name(number)}: {level.shape[0]} images of {level.shape[1]} channels; "
                f"{maps[0].shape[0]} of {maps[0].shape[1]} as in {name(0)} required"
            )
        if level.dtype != maps[0].dtype:
            raise TypeError(f"{name(number)}: dtype {level.dtype}; {maps[0].dtype} as in {name(0)} required")


def check_listed(value, name, what):
    """Refuse what holds nothing one by one, or holds it under names."""
    if isinstance(value, (dict, str)) or not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0:
        raise TypeError(f"{name}: a {type(value).__name__}; a list of {what} required")


def columns(rois, name, count):
    """`rois` as a 2-D array of `count` columns."""
    rois = array(rois, name, 2)
    if rois.shape[1] != count:
        raise ValueError(f"{name}: shape {rois.shape}; (K, {count}) required")
    has_bfloat16 = rois.dtype.kind == "V" and rois.dtype.name == "bfloat16"  # no real number to NumPy
    return rois.astype(FLOAT32) if has_bfloat16 else rois


def same_dtype(rois, features, name, features_name, elements=FLOATS):
    """Refuse boxes whose dtype is not the map's, where the framework computes in one type only; a map of another kind first."""
    check_elements(features, features_name, elements)
    if rois.dtype != features.dtype:
        raise TypeError(f"{name}: dtype {rois.dtype}, but {features_name} is {features.dtype}")
    return rois


def check_elements(features, name, elements):
    """Refuse a map of a type that the framework has no operator for on a CPU; all have float32. The native one judges byte order."""
    if features.dtype != FLOAT32 and features.dtype.name not in elements:
        raise TypeError(f"{name}: dtype {features.dtype}; {', '.join(elements[:-1])} or {elements[-1]} required")


def indexed(boxes, index):
    """(K, 4) boxes and their (K,) image indices as (K, 5) rows, in the dtype of the boxes."""
    return np.concatenate([np.asarray(index, boxes.dtype).reshape(-1, 1), boxes], axis=1)


def truncated_index(rois, name="rois"):
    """The batch column of (K, 5) rows as a C cast to int leaves it, and the boxes beside it."""
    check_real(rois, name)
    known = np.abs(rois[:, 0]) < np.float64(2**31)
    if not known.all():
        row = int(np.argmin(known))
        raise ValueError(f"{name}[{row}, 0]: {rois[row, 0]} is not an image index")
    return rois[:, 1:], rois[:, 0].astype(np.int64)


def check_real(values, name):
    if values.dtype.kind not in "fiu":
        raise TypeError(f"{name}: dtype {values.dtype} is not a real number type")


def check_finite(rois, name):
    """Refuse a row that is not finite, by its number."""
    check_real(rois, name)
    finite = np.isfinite(rois)
    if not finite.all():
        row = int(np.argmin(finite.all(axis=1)))
        raise ValueError(f"{name}[{row}]: {rois[row].tolist()} is not finite")


def narrowed(values):
    """Values in float32, infinite where they exceed it."""
    if getattr(values, "dtype", None) == FLOAT32:
        return values
    with np.errstate(over="ignore"):
        return np.asarray(values, FLOAT32)


def in_float32(boxes, name):
    """Boxes in float32; refuses a row that is not finite there."""
    check_finite(boxes, name)
    narrow = narrowed(boxes)
    if narrow is boxes:
        return boxes
    held = np.isfinite(narrow)
    if not held.all():
        row = int(np.argmin(held.all(axis=1)))
        raise ValueError(f"{name}[{row}]: {boxes[row].tolist()} exceeds float32")
    return narrow


def scaled_float32(boxes, scale):
    """float32 boxes on the map, from one float32 product per coordinate."""
    with np.errstate(over="ignore"):
        return boxes * np.float32(scale)


def c_float(value, name="spatial_scale"):
    """A number as a C++ parameter of type ``float`` receives it."""
    return ctypes.c_float(real_number(value, name)).value


def positive_scale(value, name, dtype):
    """A scale as a parameter of type `dtype` receives it: positive and finite there."""
    number = real_number(value, name)
    held = c_float(number, name) if dtype == np.float32 else number
    if not 0 < held < np.inf:
        where = " in float32" if 0 < number < np.inf else ""
        raise ValueError(f"{name}: {number:g}; it must be positive and finite{where}")
    return held


def check_not_negative(number, name):
    if integer(number, name) < 0:
        raise ValueError(f"{name}: {number} is negative")


def rounded_half_away(values):
    """Each value rounded as C's ``round`` does."""
    with np.errstate(invalid="ignore"):
        whole = np.trunc(values)
        return whole + np.sign(values) * (np.abs(values - whole) >= 0.5)


def with_zero_rows(pool, boxes, index, known):
    """``pool(boxes, index)`` with zeros in the rows that are not known, whatever their boxes."""
    if known.all():
        return pool(boxes, index)
    pooled = pool(np.where(known[:, None], boxes, 0), np.where(known, index, 0))
    pooled[~known] = 0
    return pooled


def check_channels(features, name, **counts):
    """Refuse a map whose channels are not classes x group x group, two arguments by their own names."""
    classes, group = (positive_integer(value, count) for count, value in counts.items())
    if features.shape[1] != classes * group * group:
        raise ValueError(f"{name}: {features.shape[1]} channels; {classes} x {group} x {group} required")


def areas(boxes):
    """Width times height of (K, 4) boxes, in their own dtype and with its sign."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
