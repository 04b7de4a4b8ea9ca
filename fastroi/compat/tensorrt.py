"""TensorRT's RoI plugins on NumPy arrays.

The plugin fields are keyword arguments of the same names.  Checked against the plugins' source only
(they run on a GPU): see docs/compat.md.  Coordinates are computed in float32, one rounding an
operation, where the GPU's compiler may fuse a product and a sum.
"""

import numpy as np

from .. import ops
from .._checks.numbers import integer, positive_integer
from . import _boxes, _calls

__all__ = ["crop_and_resize", "multilevel_crop_and_resize", "pyramid_roi_align", "roi_align"]

#: By ``roi_coords_transform``: the convention of `fastroi.roi_align`.
_CONVENTIONS = {-1: "clamp_align_corners", 0: "clamp_asymmetric", 1: "clamp_output_half_pixel", 2: "clamp_half_pixel"}
#: The image that the legacy mode's thresholds belong to, whatever ``image_size`` says.
_LEGACY_IMAGE = (1024, 1024)


@_calls.operator(features="X")
def roi_align(
    X,
    rois,
    batch_indices,
    *,
    coordinate_transformation_mode=1,
    mode=1,
    output_height=1,
    output_width=1,
    sampling_ratio=0,
    spatial_scale=1.0,
):
    """Plugin ``ROIAlign_TRT``: ONNX's RoiAlign with numbers for the modes.

    Parameters
    ----------
    X : ndarray, float32
        (N, C, H, W).
    rois : ndarray
        (K, 4) ``[x1, y1, x2, y2]`` in image pixels.
    batch_indices : ndarray of int
        (K,) image of each RoI.
    coordinate_transformation_mode : {0, 1}
        1 subtracts half a cell from the scaled corners; 0 widens boxes to one cell.
    mode : {0, 1}
        1: mean; 0: maximum over the four weighted corners of the samples.
    output_height, output_width : int
        PH and PW.
    sampling_ratio : int
        Samples per bin and axis; 0 takes ceil(extent / P).
    spatial_scale : float
        Map cells per image pixel, rounded to float32.

    Returns
    -------
    ndarray
        (K, C, PH, PW); 0 for a bin without samples (the plugin: NaN).

    Raises
    ------
    ValueError
        A mode that is not 0 or 1, a box that is not finite, an index out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import tensorrt
    >>> X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> box = np.array([[0, 0, 2, 2]], np.float32)
    >>> tensorrt.roi_align(X, box, np.array([0]), sampling_ratio=2)
    array([[[[2.5]]]], dtype=float32)
    """
    for name, value in (("mode", mode), ("coordinate_transformation_mode", coordinate_transformation_mode)):
        if value not in (0, 1):
            raise ValueError(f"{name}: {value!r} is not 0 or 1")
    features = _boxes.array(X, "X", 4)
    boxes = _boxes.columns(rois, "rois", 4)
    return _calls.align(
        features,
        boxes,
        batch_indices,
        _calls.extents(output_height=output_height, output_width=output_width),
        spatial_scale,
        sampling_ratio,
        bool(coordinate_transformation_mode),
        "mean" if mode else _calls.MAX_OF_CORNERS,
    )


@_calls.operator(features="feature_maps")
def crop_and_resize(feature_maps, rois, *, crop_height, crop_width):
    """Plugin ``CropAndResize``: TensorFlow's bilinear operator, 0 outside the map.

    Parameters
    ----------
    feature_maps : ndarray, float32
        (N, C, H, W).
    rois : ndarray
        (N, B, 4, 1) ``[y1, x1, y2, x2]`` of every image: 0 is the centre of the first cell, 1 that
        of the last.
    crop_height, crop_width : int
        PH and PW.

    Returns
    -------
    ndarray, float32
        (N, B, C, PH, PW).

    Raises
    ------
    ValueError
        Boxes of another shape, or that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import tensorrt
    >>> maps = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> rois = np.array([0, 0, 1, 1], np.float32).reshape(1, 1, 4, 1)
    >>> tensorrt.crop_and_resize(maps, rois, crop_height=2, crop_width=2)[0, 0, 0]
    array([[ 0.,  3.],
           [12., 15.]], dtype=float32)
    """
    features = _boxes.array(feature_maps, "feature_maps", 4, np.float32)
    rois = _boxes.array(rois, "rois", 4)
    if rois.shape[2:] != (4, 1) or len(rois) != len(features):
        raise ValueError(f"rois: shape {rois.shape}; ({len(features)}, B, 4, 1) required")
    boxes = _flat_boxes(rois[..., 0], len(features))
    size = _calls.extents(crop_height=crop_height, crop_width=crop_width)
    shape = (*rois.shape[:2], features.shape[1], *size)
    _calls.expect(shape, np.float32)
    image = np.repeat(np.arange(len(rois)), rois.shape[1])
    return _calls.crop(features, boxes, image, size, "bilinear", 0.0, exact_end=False, run=_calls.aside).reshape(shape)


@_calls.operator(output_size="pooled_size")
def pyramid_roi_align(
    rois,
    p2,
    p3,
    p4,
    p5,
    *,
    pooled_size=7,
    image_size=_LEGACY_IMAGE,
    fpn_scale=224,
    roi_coords_absolute=True,
    roi_coords_swap=False,
    roi_coords_plusone=False,
    roi_coords_transform=2,
    sampling_ratio=0,
    legacy=False,
):
    """Plugin ``PyramidROIAlign_TRT``: RoIAlign from the pyramid level of each box, clamped.

    Corners are sorted and moved into the image, sample points into [0, L - 1]: a box off the image
    takes the outer cells, where every other RoIAlign gives 0.

    Parameters
    ----------
    rois : ndarray
        (N, R, 4) ``[x1, y1, x2, y2]`` of every image.
    p2, p3, p4, p5 : ndarray, float32
        (N, C, Hi, Wi), finest first.
    pooled_size : int
        PH and PW.
    image_size : (int, int)
        H and W of the image in pixels.
    fpn_scale : int
        A box of more than this square belongs to P5, of more than half of its side to P4, and so on.
    roi_coords_absolute : bool
        Boxes are in pixels; otherwise in [0, 1].
    roi_coords_swap : bool
        Boxes are ``[y1, x1, y2, x2]``.
    roi_coords_plusone : bool
        One pixel more in the width and height that decide the level.
    roi_coords_transform : {-1, 0, 1, 2}
        With v a corner in [0, 1], L the cells of the map, b = extent / P and g samples a bin, sample i
        of bin p lies at start + p * b + (i + o) * b / g; 2: start = v * L - 0.5, o = 0.5; 1: start =
        v * L, o = 0.5; 0: start = v * L, o = 0; -1: start = v * (L - 1), o = 0, b = extent / (P - 1).
    sampling_ratio : int
        Samples per bin and axis; 0 takes ceil(extent / P), at least 1.
    legacy : bool
        The plugin of older releases: transform -1, one sample, boxes ``[y1, x1, y2, x2]`` in [0, 1],
        levels as matterport's Mask R-CNN has them on an image of 1024 x 1024.

    Returns
    -------
    ndarray, float32
        (N, R, C, P, P).

    Raises
    ------
    ValueError
        Boxes or maps of another shape, a box that is not finite, a field outside its domain.

    Notes
    -----
    Levels by area in float32: one up for each of t, 4 t, 16 t that it exceeds, t = (fpn_scale / 2)**2
    as a share of the image. So a square of exactly 112, 224 or 448 pixels lies one level below that
    of `fastroi.fpn_levels`. Source: ``pyramidROIAlignPlugin.cpp`` and ``maskRCNNKernels.cu``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import tensorrt
    >>> maps = [np.full((1, 1, 64 >> k, 64 >> k), k + 2, np.float32) for k in range(4)]
    >>> rois = np.array([[[0, 0, 112, 112], [0, 0, 113, 112], [900, 900, 1200, 1200]]], np.float32)
    >>> tensorrt.pyramid_roi_align(rois, *maps, pooled_size=1, image_size=(256, 256),
    ...                            sampling_ratio=1).ravel()
    array([2., 3., 2.], dtype=float32)
    """
    if legacy:
        roi_coords_absolute, roi_coords_swap, roi_coords_plusone = False, True, False
        roi_coords_transform, sampling_ratio = -1, 1
    roi_coords_transform = integer(roi_coords_transform, "roi_coords_transform")
    if roi_coords_transform not in _CONVENTIONS:
        raise ValueError(f"roi_coords_transform: {roi_coords_transform!r} is not one of -1, 0, 1, 2")
    _boxes.check_not_negative(sampling_ratio, "sampling_ratio")
    maps = _pyramid((p2, p3, p4, p5), ("p2", "p3", "p4", "p5"))
    image_size = _sides(image_size, "height, width")
    size = np.array(image_size, np.float32)
    table = _flat_boxes(rois, len(maps[0]))
    shape = _result_shape(rois, maps, pooled_size)
    _calls.expect(shape, np.float32)
    rows, columns = (0, 1) if roi_coords_swap else (1, 0)
    low, high = np.minimum(table[:, :2], table[:, 2:]), np.maximum(table[:, :2], table[:, 2:])
    corners = np.stack([low[:, rows], low[:, columns], high[:, rows], high[:, columns]], axis=1)
    limits = np.tile(size, 2) if roi_coords_absolute else np.ones(4, np.float32)
    corners = np.clip(corners, 0, limits) / limits
    extra = 1 / size if roi_coords_plusone else np.zeros(2, np.float32)
    areas = (corners[:, 2] - corners[:, 0] + extra[0]) * (corners[:, 3] - corners[:, 1] + extra[1])
    levels = _exceeded(areas, _legacy_threshold() if legacy else _threshold(fpn_scale, image_size), 3)

    def scale(extent):
        # one cell is all there is: no point can leave it, and a scale has to be positive
        return max(extent - 1, 1) if roi_coords_transform == -1 else extent

    scales = [(scale(level.shape[2]), scale(level.shape[3])) for level in maps]
    pooled = _from_levels(
        maps, corners, levels, scales, pooled_size, sampling_ratio, _CONVENTIONS[roi_coords_transform]
    )
    return pooled.reshape(shape)


@_calls.operator(output_size="pooled_size")
def multilevel_crop_and_resize(rois, p2, p3, p4, p5, p6, *, pooled_size, image_size=(3, 832, 1344)):
    """Plugin ``MultilevelCropAndResize_TRT``: one clamped sample a bin, from five levels.

    Parameters
    ----------
    rois : ndarray
        (N, R, 4) ``[y1, x1, y2, x2]`` of every image, in pixels.
    p2, p3, p4, p5, p6 : ndarray, float32
        (N, C, Hi, Wi), of strides 4, 8, 16, 32, 64.
    pooled_size : int
        PH and PW.
    image_size : (int, int, int)
        Channels, H and W of the image.

    Returns
    -------
    ndarray, float32
        (N, R, C, P, P); 0 for a box without area or not inside the image (the plugin leaves what was
        in the memory).

    Raises
    ------
    ValueError
        Boxes or maps of another shape, a box that is not finite.

    Notes
    -----
    Bin p samples v1 / stride + (p + 0.5) * (v2 - v1) / stride / P, moved into [0, L - 1]. A box is one
    level up for each of 112, 224, 448 and 896 pixels whose square its area exceeds. Source:
    ``multilevelCropAndResizePlugin.cpp`` and ``maskRCNNKernels.cu``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastroi.compat import tensorrt
    >>> maps = [np.full((1, 1, 64 >> k, 64 >> k), k + 2, np.float32) for k in range(5)]
    >>> rois = np.array([[[0, 0, 112, 112], [0, 0, 113, 112], [9, 9, 5, 5]]], np.float32)
    >>> tensorrt.multilevel_crop_and_resize(rois, *maps, pooled_size=1).ravel()
    array([2., 3., 0.], dtype=float32)
    """
    maps = _pyramid((p2, p3, p4, p5, p6), ("p2", "p3", "p4", "p5", "p6"))
    _, height, width = _sides(image_size, "channels, height, width")
    corners = _flat_boxes(rois, len(maps[0]))
    shape = _result_shape(rois, maps, pooled_size)
    _calls.expect(shape, np.float32)
    limits = np.array([height, width] * 2, np.float32)
    known = ((corners >= 0) & (corners <= limits)).all(axis=1) & (corners[:, :2] < corners[:, 2:]).all(axis=1)
    levels = _exceeded(_boxes.areas(corners), np.float32(224 * 224 / 4), 4)
    scales = [(0.5 ** (level + 2),) * 2 for level in range(5)]
    pooled = _from_levels(maps, corners, np.where(known, levels, -1), scales, pooled_size, 1, "clamp_output_half_pixel")
    return pooled.reshape(shape)


def _pyramid(maps, names):
    """The maps as float32 arrays of the same images and channels."""
    maps = [_boxes.array(level, name, 4, np.float32) for level, name in zip(maps, names, strict=True)]
    _boxes.same_levels(maps, names.__getitem__)
    return maps


def _sides(image_size, names):
    """`image_size` as the integers that it consists of."""
    if _boxes.array(image_size, "image_size").ndim != 1 or len(image_size) != names.count(",") + 1:
        raise ValueError(f"image_size: {image_size!r}; ({names}) required")
    return [positive_integer(side, "image_size") for side in image_size]


def _flat_boxes(rois, images):
    """(N * R, 4) float32 of (N, R, 4) boxes."""
    rois = _boxes.array(rois, "rois", 3)
    if rois.shape[0] != images or rois.shape[2] != 4:
        raise ValueError(f"rois: shape {rois.shape}; ({images}, R, 4) required")
    _boxes.check_real(rois, "rois")
    narrow = _boxes.narrowed(rois)
    finite = np.isfinite(narrow).all(axis=2)
    if not finite.all():
        image, row = (int(n) for n in np.argwhere(~finite)[0])
        raise ValueError(f"rois[{image}, {row}]: {rois[image, row].tolist()} is not finite in float32")
    return narrow.reshape(-1, 4)


def _result_shape(rois, maps, pooled_size):
    """(N, R, C, P, P)."""
    return (*np.shape(rois)[:2], maps[0].shape[1], *_calls.extents(pooled_size=pooled_size) * 2)


def _threshold(fpn_scale, image_size):
    """Area from which a box lies above the finest level, as a share of the image."""
    scale = np.float32(positive_integer(fpn_scale, "fpn_scale"))
    root = np.sqrt(scale * scale / np.float32(image_size[0] * image_size[1]))
    return root * root / np.float32(4)


def _legacy_threshold():
    height, width = _LEGACY_IMAGE
    return np.float32(224 * 224 * 2) / np.float32(height * width) / np.float32(16)


def _exceeded(areas, threshold, count):
    """How many of threshold, 4 threshold, 16 threshold, ... an area strictly exceeds."""
    return sum((areas > threshold * np.float32(4**n)).astype(np.int64) for n in range(count))


def _from_levels(maps, corners, levels, scales, size, ratio, convention):
    """RoIAlign of y1, x1, y2, x2 boxes, image by image, each from its level; zeros where that is negative."""
    images, channels = maps[0].shape[:2]
    image = np.repeat(np.arange(images), len(corners) // max(images, 1))
    pooled = np.zeros((len(corners), channels, size, size), np.float32)
    for number, (level, scale) in enumerate(zip(maps, scales, strict=True)):
        rows = np.flatnonzero(levels == number)
        pooled[rows] = _calls.aside(
            ops.roi_align,
            level,
            corners[rows][:, [1, 0, 3, 2]],
            size,
            scale,
            ratio,
            convention,
            batch_indices=image[rows],
            arithmetic="float32",
        )
    return pooled
