"""Feature pyramids: which level a box belongs to, and RoIAlign over all levels in one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import numpy as np

from ._checks.boxes import box_table, check_fits_int64
from ._checks.call import Call, Features, Levels, checked_choice
from ._checks.names import calling, shown
from ._checks.numbers import aligned_name, integer, items_of, real_number, sampling, scales_of_levels
from ._core import Params
from ._devices import HOST, device_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ._types import (
        Aligned,
        Arithmetic,
        Array,
        Device,
        Layout,
        LevelRule,
        Result,
        RoiAlignReduce,
        Rois,
        Sampling,
        Scale,
        Size,
    )

    _Rule = Callable[[Array, float, float], Array]  # boxes, canonical level, canonical size

__all__ = ["FPN_LEVEL_RULES", "fpn_levels", "multiscale_roi_align"]

_RULED_BY_DEFAULT = {"level_rule": "torchvision", "canonical_level": 4, "canonical_size": 224.0}
_MOST_LEVELS = 2**31  # numbers of levels up to here are exact in the arithmetic of every rule


def _areas(boxes: Array, extra: int = 0) -> Array:
    one = boxes.dtype.type(extra)
    return (boxes[:, 2] - boxes[:, 0] + one) * (boxes[:, 3] - boxes[:, 1] + one)


def _log_ratio(boxes: Array, canonical_size: float, inside: float = 0.0, extra: int = 0) -> Array:
    real = boxes.dtype.type
    return np.log2(np.sqrt(_areas(boxes, extra)) / real(canonical_size) + real(inside))


def _torchvision(boxes: Array, level: float, size: float) -> Array:
    real = boxes.dtype.type
    return np.floor(real(level) + _log_ratio(boxes, size) + real(1e-6))


def _epsilon_inside(epsilon: float, extra: int = 0) -> _Rule:
    return lambda boxes, level, size: np.floor(level + _log_ratio(boxes, size, epsilon, extra))


def _tf_models(boxes: Array, level: float, size: float) -> Array:
    ratio = np.log(np.sqrt(_areas(boxes)) / boxes.dtype.type(size))
    whole = np.floor_divide(ratio, boxes.dtype.type(math.log(2)))
    return np.where(np.isinf(ratio), ratio, whole) + level


def _rounded(boxes: Array, level: float, size: float) -> Array:
    return np.round(level + _log_ratio(boxes, size))


def _strict_area(boxes: Array, level: float, size: float) -> Array:
    """TensorRT: one level up for every power of two that the side strictly exceeds."""
    exponent = np.ceil(_log_ratio(boxes, size))
    return level - 1 + exponent


_LEVEL_RULES: dict[LevelRule, _Rule] = {
    "torchvision": _torchvision,
    "epsilon_1e-6": _epsilon_inside(1e-6),
    "maskrcnn_benchmark": _epsilon_inside(1e-6, extra=1),
    "detectron2": _epsilon_inside(1e-8),
    "msra": _epsilon_inside(0.0),
    "tf_models": _tf_models,
    "matterport": _rounded,
    "tensorrt": _strict_area,
}

#: Names of the rules that assign a box to a pyramid level.
FPN_LEVEL_RULES = tuple(_LEVEL_RULES)


def fpn_levels(
    boxes: ArrayLike,
    min_level: SupportsIndex,
    max_level: SupportsIndex,
    *,
    rule: LevelRule = "torchvision",
    canonical_level: SupportsFloat = 4,
    canonical_size: SupportsFloat = 224.0,
) -> NDArray[np.int64]:
    """Pyramid level of each box: about canonical_level + log2(sqrt(area) / canonical_size).

    Parameters
    ----------
    boxes : array_like
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels, ``[]`` for none. float32 boxes are computed in float32, all others in
        float64.
    min_level, max_level : int
        Levels outside are moved to the nearer end; a box without positive area gets min_level. Between -2**31 and 2**31.
    rule : str
        ``"torchvision"`` floor(k0 + log2(s / size) + 1e-6); ``"epsilon_1e-6"`` floor(k0 + log2(s / size + 1e-6)) (older
        torchvision, mmdetection, OpenVINO); ``"maskrcnn_benchmark"`` the same with 1 added to width and height (Paddle's
        pixel_offset); ``"detectron2"`` with 1e-8; ``"msra"`` without; ``"tf_models"`` floordiv(ln(s / size), ln 2) + k0;
        ``"matterport"`` round(k0 + log2(s / size)), where size is 224 / sqrt(image area) for its normalised boxes;
        ``"tensorrt"`` strict: an exact canonical_size is one level below the others'.
    canonical_level : float
        k0, finite.
    canonical_size : float
        size, positive and finite.

    Returns
    -------
    ndarray of int64
        (K,), in [min_level, max_level].

    Raises
    ------
    ValueError
        If the boxes are not (K, 4) and finite, the rule is unknown, min_level exceeds max_level, or a number is out of the
        range said above in the type that the boxes are computed in.
    TypeError
        A dtype that is no real number, a level that is no integer.

    Notes
    -----
    Source: T.-Y. Lin et al., Feature Pyramid Networks, 2017, eq. 1; the projects' code.

    Examples
    --------
    >>> import fastroi
    >>> fastroi.fpn_levels([[0, 0, 112, 112], [0, 0, 223, 224], [0, 0, 800, 800]], 2, 5)
    array([3, 3, 5])
    """
    checked_choice(rule, _LEVEL_RULES, "rule")
    min_level, max_level = _level_number(min_level, "min_level"), _level_number(max_level, "max_level")
    if min_level > max_level:
        raise ValueError(f"min_level: {min_level} exceeds max_level {max_level}")
    device = device_of(boxes)
    table = box_table(boxes, "boxes", device)
    if table.dtype.kind not in "fiu":
        raise TypeError(f"boxes: dtype {table.dtype} is not a real number type")
    if table.dtype != np.float32:
        table = table.astype(np.float64)
    finite = np.isfinite(table).all(axis=1)
    if device is HOST and not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"boxes[{row}]: {table[row].tolist()} is not finite")
    level = _number_in(table.dtype, canonical_level, "canonical_level")
    size = _number_in(table.dtype, canonical_size, "canonical_size")
    if not table.dtype.type(size) > 0:
        raise ValueError(f"canonical_size: {shown(canonical_size)} is not positive in {table.dtype}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exact = _LEVEL_RULES[rule](table, level, size).astype(np.float64)
        positive = _areas(table) > 0
    return np.clip(np.where(positive, exact, min_level), min_level, max_level).astype(np.int64)


def _level_number(value: SupportsIndex, name: str) -> int:
    number = integer(value, name)
    if abs(number) > _MOST_LEVELS:
        raise ValueError(f"{name}: {number} is not between -2**31 and 2**31")
    return number


def _number_in(dtype: np.dtype[Any], value: SupportsFloat, name: str) -> float:
    """`value`, which has to be finite and stay so in the type that levels are computed in."""
    number = real_number(value, name)
    with np.errstate(over="ignore"):
        if not np.isfinite(dtype.type(number)):
            raise ValueError(f"{name}: {shown(value)} is not finite in {dtype}")
    return number


@calling(features="feature_pyramid", rule="level_rule")
def multiscale_roi_align(
    feature_pyramid: Sequence[ArrayLike],
    rois: Rois,
    output_size: Size,
    scales: Sequence[Scale] | NDArray[Any],
    sampling_ratio: Sampling = -1,
    aligned: Aligned = True,
    *,
    levels: ArrayLike | None = None,
    level_rule: LevelRule = "torchvision",
    canonical_level: SupportsFloat = 4,
    canonical_size: SupportsFloat = 224.0,
    reduce: RoiAlignReduce = "mean",
    batch_indices: ArrayLike | None = None,
    layout: Layout = "NCHW",
    arithmetic: Arithmetic = "float64",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    num_threads: SupportsIndex | None = None,
) -> Result:
    """RoIAlign on a feature pyramid: each box is pooled from the level its size belongs to, all in one call.

    Parameters
    ----------
    feature_pyramid : sequence of array_like
        One map per level: (N, C, Hi, Wi), or channels last with ``layout="NHWC"``; N, C and dtype agree. Finest first,
        without a gap, unless ``levels`` says which box belongs where.
    rois, batch_indices, layout, dtype, out, num_threads
        As in :func:`roi_pool`.
    output_size : int or (int, int)
        PH, PW.
    scales : sequence of float or of (float, float)
        Map cells per image pixel of each level (1/4, 1/8, ...; a stride of 4 is 1/4); a pair is (vertical, horizontal). Without
        ``levels`` each must be about half of the one before on both axes, that is, round(log2(scales[0] / scales[i])) = i. With
        ``levels`` any positive numbers, in any order.
    sampling_ratio, aligned, reduce, arithmetic
        As in :func:`roi_align`.
    levels : array_like of int, optional
        (K,) index into the pyramid of each box; default by ``level_rule``, which, like the next two, stays at its default
        where ``levels`` is given.
    level_rule, canonical_level, canonical_size
        As ``rule`` of :func:`fpn_levels`; the first map has the level number round(-log2(its vertical scale)), map i the one i
        above.

    Returns
    -------
    ndarray
        (K, C, PH, PW), or (K, PH, PW, C) for NHWC, in the order of the boxes.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As :func:`roi_pool`; the message names the level.

    Notes
    -----
    Source: T.-Y. Lin et al., Feature Pyramid Networks, 2017; ``torchvision/ops/poolers.py``.

    Examples
    --------
    >>> import numpy as np, fastroi
    >>> pyramid = [np.full((1, 1, 64, 64), 2.0), np.full((1, 1, 32, 32), 3.0)]
    >>> boxes = [[0, 0, 40, 40], [0, 0, 200, 200]]
    >>> fastroi.multiscale_roi_align(pyramid, boxes, 1, [1 / 4, 1 / 8], aligned=False)[:, 0, 0, 0]
    array([2., 3.])
    """
    maps = _pyramid(feature_pyramid, layout)
    level_scales = np.array(scales_of_levels(scales, len(maps)))
    params = Params(
        "multiscale_roi_align",
        aligned=aligned_name(aligned),
        reduce=reduce,
        arithmetic=arithmetic,
        levels=len(maps),
        sampling=sampling(sampling_ratio),
    )
    call = Call(maps, rois, output_size, batch_indices, layout, out, dtype)
    if levels is None:
        _check_halves(level_scales)
        level_of_roi = _levels_of(
            call.boxes.array, len(maps), level_scales[0, 0], level_rule, canonical_level, canonical_size
        )
    else:
        _check_unruled(level_rule, canonical_level, canonical_size)
        level_of_roi = _checked_levels(levels, len(call.boxes), call.device)
    vertical, horizontal = np.ascontiguousarray(level_scales.T)
    HOST.attach(params, "scales", vertical)
    HOST.attach(params, "horizontal_scales", horizontal)
    call.attach(params, "level_of_roi", level_of_roi)
    return call.run(params, num_threads)


def _pyramid(feature_pyramid: Sequence[ArrayLike], layout: Layout) -> Levels:
    is_one_number = getattr(feature_pyramid, "ndim", 1) == 0
    if not isinstance(feature_pyramid, Iterable) or isinstance(feature_pyramid, (dict, str)) or is_one_number:
        raise TypeError(f"feature_pyramid: a {type(feature_pyramid).__name__}; a list of maps required, finest first")
    levels = items_of(feature_pyramid, "feature_pyramid")
    maps = Levels(Features(level, layout, f"feature_pyramid[{i}]") for i, level in enumerate(levels))
    if not maps:
        raise ValueError("feature_pyramid: no level")
    for i, level in enumerate(maps):
        if level.device is not maps[0].device:
            raise TypeError(f"feature_pyramid[{i}]: on the GPU or not, but level 0 otherwise")
        if level.array.dtype != maps[0].array.dtype:
            raise TypeError(
                f"feature_pyramid[{i}]: dtype {level.array.dtype}; {maps[0].array.dtype} as in level 0 required"
            )
        if level.array.shape[:2] != maps[0].array.shape[:2]:
            raise ValueError(
                f"feature_pyramid[{i}]: {level.images} images of {level.channels} channels; "
                f"{maps[0].images} of {maps[0].channels} as in level 0 required{level.hint()}"
            )
    return maps


def _check_halves(level_scales: Array) -> None:
    """Refuse scales that levels by number do not fit to."""
    steps = np.round(np.log2(level_scales[0]) - np.log2(level_scales)).astype(int)
    for level, axes in enumerate(steps):
        if (axes != level).any():
            before, scale = (_shown_scale(level_scales[i]) for i in (level - 1, level))
            strides = "; 1 / stride is the scale" if level_scales[level, 0] > 1 else ""
            raise ValueError(
                f"scales[{level}]: {scale} is not about half of scales[{level - 1}], {before}{strides}. Boxes find their levels "
                "in a pyramid of halves, finest first; pass levels for any other"
            )


def _shown_scale(axes: Array) -> str:
    vertical, horizontal = axes.tolist()
    return f"{vertical:g}" if vertical == horizontal else f"({vertical:g}, {horizontal:g})"


def _levels_of(
    boxes: Array,
    count: int,
    first_scale: float,
    rule: LevelRule,
    canonical_level: SupportsFloat,
    canonical_size: SupportsFloat,
) -> Array:
    first_level = round(-math.log2(first_scale))
    last_level = first_level + count - 1
    corners = boxes[:, -4:]
    finite = np.where(np.isfinite(corners), corners, 0)  # the core refuses such a box, by row
    numbers = fpn_levels(
        finite, first_level, last_level, rule=rule, canonical_level=canonical_level, canonical_size=canonical_size
    )
    return numbers - first_level


def _check_unruled(level_rule: LevelRule, canonical_level: SupportsFloat, canonical_size: SupportsFloat) -> None:
    """Refuse what would decide the levels if they were not given: it would count for nothing."""
    given = {
        "level_rule": checked_choice(level_rule, _LEVEL_RULES, "level_rule"),
        "canonical_level": real_number(canonical_level, "canonical_level"),
        "canonical_size": real_number(canonical_size, "canonical_size"),
    }
    for name, value in given.items():
        if value != _RULED_BY_DEFAULT[name]:
            raise ValueError(f"{name}: {shown(value)} beside levels, which say already where each box belongs")


def _checked_levels(levels: ArrayLike, count: int, device: Device) -> Array:
    array = device.array(levels, "levels")
    if array.shape != (count,):
        raise ValueError(f"levels: shape {array.shape}; ({count},) required")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"levels: dtype {array.dtype} is not an integer type")
    check_fits_int64(array, "levels", "level")
    return array.astype(np.int64, order="C")
