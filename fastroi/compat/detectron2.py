"""Detectron2's RoI layers on NumPy arrays.

Axis-aligned pooling is torchvision's, with other defaults; boxes are plain arrays.  Checked against
torchvision, detectron2's C++ code of ROIAlignRotated, and for the rest its source: see docs/compat.md.
"""

import math

import numpy as np

from .._checks.numbers import output_extents, real_number
from . import _boxes, _calls, torchvision
from ._layers import Layer

__all__ = [
    "ROIAlign",
    "ROIAlignRotated",
    "ROIPooler",
    "crop_and_resize_masks",
    "paste_masks_in_image",
    "roi_align_rotated",
]


class ROIAlign(torchvision.RoIAlign):
    """torchvision's RoIAlign, aligned by default: ``detectron2.layers.ROIAlign``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio, aligned
        As in `fastroi.compat.torchvision.roi_align`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import detectron2
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> detectron2.ROIAlign(1, 1.0, 2)(features, np.array([[0, 0, 0, 2, 2]], np.float32))
    array([[[[2.5]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale, sampling_ratio, aligned=True):
        super().__init__(output_size, spatial_scale, _whole(sampling_ratio), aligned)

    @_calls.operator()
    def __call__(self, input, rois):
        """Pool; rois take the dtype of the map."""
        input = _boxes.array(input, "input", 4)
        return super().__call__(input, _cast(_boxes.columns(rois, "rois", 5), input.dtype))


def _whole(number):
    """A float without a fraction as an int: configurations write ``sampling_ratio=0.0``."""
    return int(number) if isinstance(number, (float, np.floating)) and float(number).is_integer() else number


def _cast(boxes, dtype):
    """Boxes in another dtype; what it cannot hold becomes infinite and is refused as such."""
    with np.errstate(over="ignore"):
        return boxes.astype(dtype, copy=False)


@_calls.operator(features="input", rois="rois", batch_indices="rois[{}, 0]")
def roi_align_rotated(input, rois, output_size, spatial_scale, sampling_ratio):
    """Mean of bilinear samples of a turned grid: ``detectron2.layers.roi_align_rotated``.

    Half a cell is always subtracted from the scaled centre; positive angles turn counter-clockwise
    on the screen.

    Parameters
    ----------
    input : ndarray, float32 or float64
        (N, C, H, W).
    rois : ndarray
        (K, 6) ``[image, centre x, centre y, width, height, angle]``, image pixels and degrees;
        width and height not negative.
    output_size : int or (int, int)
        PH, PW.
    spatial_scale : float
        Map cells per image pixel, rounded to float32.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).

    Returns
    -------
    ndarray
        (K, C, PH, PW), in the dtype of `input`.

    Raises
    ------
    ValueError
        A negative width or height, a box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import detectron2
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> box = np.array([[0, 2, 2, 2, 2, 90]], np.float32)
    >>> detectron2.roi_align_rotated(features, box, 1, 1.0, 2)
    array([[[[7.5]]]], dtype=float32)
    """
    features = _boxes.array(input, "input", 4)
    boxes, index = _boxes.truncated_index(_boxes.columns(rois, "rois", 6))
    negative = boxes[:, 2:4] < 0
    if negative.any():
        row = int(np.argmax(negative.any(axis=1)))
        raise ValueError(f"rois[{row}]: size {boxes[row, 2:4].tolist()} is negative")
    return _calls.turned(
        features,
        boxes,
        index,
        output_size,
        spatial_scale,
        _whole(sampling_ratio),
        aligned=True,
        clockwise=False,
        degrees=True,
    )


class ROIAlignRotated(Layer):
    """`roi_align_rotated` with fixed settings: ``detectron2.layers.ROIAlignRotated``.

    Parameters
    ----------
    output_size, spatial_scale, sampling_ratio
        As in `roi_align_rotated`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import detectron2
    >>> features = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> layer = detectron2.ROIAlignRotated(1, 1.0, 2)
    >>> layer(features, np.array([[0, 2, 2, 2, 2, 0]], np.float32))
    array([[[[7.5]]]], dtype=float32)
    """

    def __init__(self, output_size, spatial_scale, sampling_ratio):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio)

    @_calls.operator()
    def __call__(self, input, rois):
        """Pool as `roi_align_rotated` does."""
        return roi_align_rotated(input, rois, **self._settings)


class ROIPooler(Layer):
    """Pooling over a feature pyramid: ``detectron2.modeling.poolers.ROIPooler``.

    The level of a box is floor(canonical_level + log2(sqrt(area) / canonical_box_size + eps)), held
    between the first and the last; a box of negative area gives zeros.

    Parameters
    ----------
    output_size : int or (int, int)
        PH, PW.
    scales : list of float
        Map cells per image pixel of each level, finest first: the first and the last a power of 1/2, and
        as many as the powers from one to the other.
    sampling_ratio : int
        Samples per bin and axis; 0 or less takes ceil(extent / P).
    pooler_type : {"ROIAlign", "ROIAlignV2", "ROIPool", "ROIAlignRotated"}
        Legacy alignment, aligned, maxima of quantised bins, or boxes that are turned.
    canonical_box_size : int
        Side, in image pixels, of the square box that belongs to `canonical_level`.
    canonical_level : int
        Level of a box of that size.

    Raises
    ------
    ValueError
        Scales that form no pyramid, an unknown type.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import detectron2
    >>> pooler = detectron2.ROIPooler(1, [1.0], 2, "ROIAlignV2")
    >>> features = [np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)]
    >>> pooler(features, [np.array([[0, 0, 2, 2]], np.float32)])
    array([[[[2.5]]]], dtype=float32)
    """

    def __init__(self, output_size, scales, sampling_ratio, pooler_type, canonical_box_size=224, canonical_level=4):
        if not isinstance(pooler_type, str) or pooler_type not in _POOLED:
            raise ValueError(f"pooler_type: {pooler_type!r} is not one of {', '.join(map(repr, _POOLED))}")
        if not real_number(canonical_box_size, "canonical_box_size") > 0:
            raise ValueError(f"canonical_box_size: {canonical_box_size!r} is not positive")
        super().__init__(
            output_size=output_size,
            scales=_listed_scales(scales),
            sampling_ratio=_whole(sampling_ratio),
            pooler_type=pooler_type,
            canonical_box_size=canonical_box_size,
            canonical_level=canonical_level,
        )
        self._first_level = _first_level(self.scales)

    @_calls.operator(
        feature_pyramid="x",
        rois="box_lists",
        boxes="box_lists",
        batch_indices="box_lists[{}, 0]",
        canonical_size="canonical_box_size",
    )
    def __call__(self, x, box_lists):
        """Pool the boxes of all images.

        Parameters
        ----------
        x : list of ndarray
            Maps (N, C, H_l, W_l), one per scale.
        box_lists : list of array_like
            One (L, 4) table ``[x1, y1, x2, y2]`` in image pixels per image, or (L, 5) ``[centre x,
            centre y, width, height, angle]`` in pixels and degrees; rounded to float32.

        Returns
        -------
        ndarray
            (K, C, PH, PW), in the order of the boxes.

        Raises
        ------
        TypeError
            Maps or tables that are not in a list.
        ValueError
            Maps or lists that do not fit the scales or the images, invalid boxes.
        """
        _boxes.check_listed(x, "x", "maps, one for each scale,")
        _boxes.check_listed(box_lists, "box_lists", "one table of boxes for each image")
        maps = [_boxes.array(level, f"x[{n}]", 4) for n, level in enumerate(x)]
        for n, level in enumerate(maps):
            _boxes.check_elements(level, f"x[{n}]", _boxes.FLOATS if self._is_turned() else _boxes.FLOATS_AND_HALF)
        if len(maps) != len(self.scales):
            raise ValueError(f"x: {len(maps)} maps for {len(self.scales)} scales")
        if len(box_lists) != len(maps[0]):
            raise ValueError(f"box_lists: {len(box_lists)} lists for {len(maps[0])} images")
        rows = self._rows(box_lists)
        levels = self._levels(rows[:, 1:])
        pooled = np.zeros((len(rows), maps[0].shape[1], *self._extents()), maps[0].dtype)
        _calls.expect(pooled.shape, pooled.dtype)
        with _calls.apart():
            for number, (level, scale) in enumerate(zip(maps, self.scales, strict=True)):
                chosen = np.flatnonzero(levels == number)
                # a level without boxes has its map and scale judged all the same
                pooled[chosen] = _POOLED[self.pooler_type](
                    level, _cast(rows[chosen], level.dtype), self.output_size, scale, self.sampling_ratio
                )
        return pooled

    def _extents(self):
        return output_extents(self.output_size)

    def _is_turned(self):
        return self.pooler_type == "ROIAlignRotated"

    def _rows(self, box_lists):
        """Rows with the image before each box, in float32 as ``Boxes`` keeps them."""
        columns = 5 if self._is_turned() else 4
        tables = [_table(boxes, f"box_lists[{n}]", columns) for n, boxes in enumerate(box_lists)]
        empty = np.empty((0, columns + 1), np.float32)
        rows = [_boxes.indexed(table, np.full(len(table), n)) for n, table in enumerate(tables)]
        return np.concatenate([empty, *rows])

    def _levels(self, boxes):
        """Number of the map of each box; -1 for boxes of negative area."""
        count = len(self.scales)
        if count == 1:
            return np.zeros(len(boxes), np.int64)
        if self._is_turned():
            boxes = np.concatenate([np.zeros_like(boxes[:, :2]), boxes[:, 2:4]], axis=1)
        levels = _calls.levels(
            boxes, self._first_level, count, "detectron2", self.canonical_box_size, self.canonical_level
        )
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(_boxes.areas(boxes) >= 0, levels, -1)


def _listed_scales(scales):
    _boxes.check_listed(scales, "scales", "one number for each map")
    return [real_number(scale, f"scales[{n}]") for n, scale in enumerate(scales)]


def _first_level(scales):
    """Level of the first scale; the others must fill the levels up to that of the last."""
    if not scales or not (scales[0] > 0 and scales[-1] > 0):
        raise ValueError(f"scales: {scales} are not positive")
    ends = [-math.log2(scale) for scale in (scales[0], scales[-1])]
    first, last = (int(level) for level in ends)
    if not all(math.isclose(level, int(level)) for level in ends) or first < 0 or len(scales) != last - first + 1:
        raise ValueError(f"scales: {scales} are not powers of 1/2 in descending order")
    return first


def _table(boxes, name, columns):
    """(L, columns) float32; an empty list is none."""
    table = _boxes.array(boxes, name)
    if table.size == 0:
        return np.empty((0, columns), np.float32)
    table = _cast(_boxes.columns(table, name, columns), np.float32)
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"{name}[{row}]: {table[row].tolist()} is not finite in float32")
    return table


def _align(aligned):
    return lambda level, rois, size, scale, ratio: torchvision.roi_align(level, rois, size, scale, ratio, aligned)


def _pool(level, rois, size, scale, ratio):
    return torchvision.roi_pool(level, rois, size, scale)


#: By ``pooler_type``: what pools the rows of one level.
_POOLED = {
    "ROIAlign": _align(False),
    "ROIAlignV2": _align(True),
    "ROIPool": _pool,
    "ROIAlignRotated": roi_align_rotated,
}


@_calls.operator(rois="boxes", image_size="image_shape")
def paste_masks_in_image(masks, boxes, image_shape, threshold=0.5):
    """Masks of boxes, laid on the image: ``detectron2.layers.paste_masks_in_image``.

    Parameters
    ----------
    masks : ndarray, float32 or float64
        (K, M, M) values in [0, 1].
    boxes : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels.
    image_shape : (int, int)
        Height and width of the image.
    threshold : float
        At least this value belongs to the mask; negative returns the values times 255.

    Returns
    -------
    ndarray, bool or uint8
        (K, height, width).

    Raises
    ------
    ValueError
        Masks that are not square, boxes that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import detectron2
    >>> masks = np.ones((1, 2, 2), np.float32)
    >>> detectron2.paste_masks_in_image(masks, np.array([[0, 0, 2, 2]], np.float32), (3, 3))[0]
    array([[ True,  True, False],
           [ True,  True, False],
           [False, False, False]])
    """
    threshold = real_number(threshold, "threshold")
    masks = _boxes.array(masks, "masks", 3)
    if masks.shape[1] != masks.shape[2]:
        raise ValueError(f"masks: shape {masks.shape}; square masks required")
    image_shape = output_extents(image_shape, "image_shape")
    _calls.expect((len(masks), *image_shape), bool if threshold >= 0 else np.uint8)
    values = _calls.paste(masks, boxes, image_shape, "detectron2")
    if threshold >= 0:
        return values >= threshold
    return (values * values.dtype.type(255)).astype(np.uint8)


@_calls.operator(rois="boxes", output_size="mask_size")
def crop_and_resize_masks(masks, boxes, mask_size):
    """Training targets from image masks: ``detectron2.structures.BitMasks.crop_and_resize``.

    RoIAlign of each mask with its own box, scale 1, adaptive, aligned; at least 0.5 belongs to the
    target. Masks of any type are cast to bool first, so every value but 0 is inside.

    Parameters
    ----------
    masks : array_like
        (K, height, width).
    boxes : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels.
    mask_size : int
        M, side of the targets.

    Returns
    -------
    ndarray of bool
        (K, M, M).

    Raises
    ------
    ValueError
        As many boxes as masks are required; boxes must be finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import detectron2
    >>> masks = np.array([[[1, 1, 0, 0]] * 4], bool)
    >>> detectron2.crop_and_resize_masks(masks, np.array([[0, 0, 4, 4]], np.float32), 2)[0]
    array([[ True, False],
           [ True, False]])
    """
    inside = _boxes.array(masks, "masks", 3).astype(bool, copy=False)
    boxes = _boxes.array(boxes, "boxes", 2)
    _calls.expect((len(boxes), mask_size, mask_size), bool)
    return _calls.project(inside, boxes, None, mask_size, aligned=True) >= 0.5
