"""The calls of fastroi's operators that several profiles share.

Frameworks compute coordinates in the type of the map: float32 geometry for float32 maps.
"""

import numpy as np

from .. import deformable, masks, ops, pyramid, rotated

MAX_OF_CORNERS = "max_corners"
MAX_FROM_ZERO = "max_from_zero"


def _arithmetic(features):
    return "float64" if features.dtype == np.float64 else "float32"


def align(features, boxes, index, size, scale, ratio, aligned, reduce="mean"):
    """RoIAlign of (K, 4) boxes with (K,) images, or of (K, 5) rows where `index` is None."""
    return ops.roi_align(
        features,
        boxes,
        size,
        scale,
        ratio,
        bool(aligned),
        reduce=reduce,
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def ps_pool(features, boxes, index, size, scale, rule, group=None):
    """Position-sensitive pooling, channels in the order class, bin row, bin column."""
    return ops.ps_roi_pool(
        features, boxes, size, scale, rule=rule, group_size=group, batch_indices=index, arithmetic=_arithmetic(features)
    )


def ps_align(features, boxes, index, size, scale, ratio, aligned):
    """Position-sensitive RoIAlign, channels in the order class, bin row, bin column."""
    return ops.ps_roi_align(
        features,
        boxes,
        size,
        scale,
        ratio,
        aligned=bool(aligned),
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def crop(features, boxes, index, size, method, fill, *, exact_end, layout="NCHW"):
    """crop_and_resize of y1, x1, y2, x2 boxes; `exact_end` puts the last sample on the box's end."""
    cropped = ops.crop_and_resize(features, boxes, index, size, method, fill, layout=layout)
    if exact_end:
        _put_last_on_end(cropped, features, boxes, index, size, method, fill)
    return cropped


def _put_last_on_end(cropped, features, boxes, index, size, method, fill):
    """Sample the last row and column again: a box without extent is sampled exactly where it lies."""
    height, width = size
    bottom, right = boxes[:, [2, 1, 2, 3]], boxes[:, [0, 3, 2, 3]]
    corner = boxes[:, [2, 3, 2, 3]]

    def sample(where, extents):
        return ops.crop_and_resize(features, where, index, extents, method, fill, layout="NCHW")

    if height > 1:
        cropped[:, :, -1:, :] = sample(bottom, (1, width))
    if width > 1:
        cropped[:, :, :, -1:] = sample(right, (height, 1))
    if height > 1 and width > 1:
        cropped[:, :, -1:, -1:] = sample(corner, (1, 1))


def multiscale(maps, rows, size, scales, ratio, aligned, levels):
    """RoIAlign of (K, 5) rows, each on the level `levels` says; zeros where that is negative."""
    assigned = levels >= 0
    pooled = pyramid.multiscale_roi_align(
        maps, rows, size, scales, ratio, aligned, levels=np.where(assigned, levels, 0), arithmetic=_arithmetic(maps[0])
    )
    pooled[~assigned] = 0
    return pooled


def levels(boxes, first, count, rule, canonical_size, canonical_level):
    """Level of each box, counted from the first of `count` that begin at number `first`."""
    return (
        pyramid.fpn_levels(
            boxes, first, first + count - 1, rule=rule, canonical_size=canonical_size, canonical_level=canonical_level
        )
        - first
    )


def turned(features, boxes, index, size, scale, ratio, *, aligned, clockwise, degrees):
    """RoIAlign of (K, 5) boxes centre x, centre y, width, height, angle."""
    return rotated.roi_align_rotated(
        features,
        boxes,
        size,
        scale,
        ratio,
        angle_unit="degrees" if degrees else "radians",
        clockwise=bool(clockwise),
        aligned=bool(aligned),
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def turned_with_orientations(features, boxes, index, size, scale, ratio, orientations, clockwise):
    """The same, with orientation channels that turn with the angle (radians)."""
    return rotated.riroi_align_rotated(
        features,
        boxes,
        size,
        scale,
        ratio,
        orientations=orientations,
        clockwise=bool(clockwise),
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def deform(features, boxes, index, offset, size, scale, ratio, gamma):
    """RoIAlign whose bins move by gamma times extent times offset."""
    return deformable.deform_roi_pool(
        features, boxes, offset, size, scale, ratio, gamma, batch_indices=index, arithmetic=_arithmetic(features)
    )


def deform_ps(features, boxes, index, offsets, size, group, part, samples, trans_std, scale):
    """Deformable position-sensitive pooling, channels in the order class, bin row, bin column."""
    return deformable.deform_ps_roi_pool(
        features,
        boxes,
        offsets,
        size,
        scale,
        group_size=group,
        part_size=part,
        sample_per_part=samples,
        trans_std=trans_std,
        batch_indices=index,
        arithmetic=_arithmetic(features),
    )


def paste(values, boxes, image_shape, rule):
    """Soft masks laid on the image, interpolated in float32 as the frameworks do."""
    return masks.paste_masks(values, boxes, image_shape, None, rule=rule, arithmetic="float32")


def project(image_masks, boxes, indices, size, aligned):
    """Soft targets: RoIAlign of the chosen masks at scale 1, in float32."""
    return masks.crop_masks(image_masks, boxes, size, None, aligned=aligned, mask_indices=indices, arithmetic="float32")
