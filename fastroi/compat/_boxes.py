"""Box formats of the frameworks, turned into the ones fastroi's operators take."""

import numpy as np

FLOAT32 = np.dtype(np.float32)


def array(value, name, dimensions=None, dtype=None):
    """`value` as an ndarray of the given number of dimensions and dtype, or an error that names it."""
    result = value if type(value) is np.ndarray else np.asarray(value)
    if dimensions is not None and result.ndim != dimensions:
        raise ValueError(f"{name}: shape {result.shape}; {dimensions} dimensions required")
    if dtype is not None and result.dtype != dtype:
        raise TypeError(f"{name}: dtype {result.dtype}; {np.dtype(dtype)} required")
    return result


def columns(rois, name, count):
    """`rois` as a 2-D array of `count` columns."""
    rois = array(rois, name, 2)
    if rois.shape[1] != count:
        raise ValueError(f"{name}: shape {rois.shape}; (K, {count}) required")
    return rois


def same_dtype(rois, features, name, features_name):
    """Refuse boxes whose dtype is not the map's, where the framework computes in one type only."""
    if rois.dtype != features.dtype:
        raise TypeError(f"{name}: dtype {rois.dtype}, but {features_name} is {features.dtype}")
    return rois


def indexed(boxes, index):
    """(K, 4) boxes and their (K,) image indices as (K, 5) rows, in the dtype of the boxes."""
    return np.concatenate([np.asarray(index, boxes.dtype).reshape(-1, 1), boxes], axis=1)


def truncated_index(rois):
    """The batch column of (K, 5) rows as a C cast to int leaves it, and the boxes beside it."""
    return rois[:, 1:], np.trunc(rois[:, 0]).astype(np.int64) if len(rois) else np.empty(0, np.int64)


def scaled_float32(boxes, scale):
    """Boxes on the map, from one float32 product per coordinate."""
    with np.errstate(over="ignore"):
        return np.asarray(boxes, FLOAT32) * np.float32(scale)


def c_float(value):
    """A number as a C++ parameter of type ``float`` receives it."""
    return float(np.float32(value))


def rounded_half_away(values):
    """Each value rounded as C's ``round`` does."""
    whole = np.trunc(values)
    return whole + np.sign(values) * (np.abs(values - whole) >= 0.5)


def with_zero_rows(pool, boxes, index, known):
    """``pool(boxes, index)`` of the known rows, zeros for the others."""
    pooled = pool(boxes[known], index[known])
    if known.all():
        return pooled
    result = np.zeros((len(boxes), *pooled.shape[1:]), pooled.dtype)
    result[known] = pooled
    return result


def check_channels(features, name, classes, group):
    """Refuse a map whose channels are not classes x group x group."""
    if features.shape[1] != classes * group * group:
        raise ValueError(f"{name}: {features.shape[1]} channels; {classes} x {group} x {group} required")


def areas(boxes):
    """Width times height of (K, 4) boxes, in their own dtype and with its sign."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
