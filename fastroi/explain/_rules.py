"""One box under a rule by its name: which of the two kinds of explanation it has, and what it may be asked."""

from __future__ import annotations

from fastroi import ROI_POOL_RULES
from fastroi._checks.call import checked_choice

from ._interpolation import INTERPOLATION_RULES, checked_aligned, interpolation
from ._quantisation import explanation
from ._values import bins, corners, integers, scales, size

# Beyond this float64 no longer holds every whole number, so "which cell" has no answer.
_LARGEST_COORDINATE = 2.0**52
_NO_OPTIONS = ((0, 0), True)


def explain_rule(box, output_size, spatial_scale, map_size, *, rule="floor", sampling_ratio=-1, aligned=True):
    """The explanation of one box, all arguments judged."""
    rule = checked_choice(rule, (*ROI_POOL_RULES, *INTERPOLATION_RULES), "rule")
    x1, y1, x2, y2 = box = corners(box)
    output_size = bins(output_size)
    scale_h, scale_w = spatial_scale = scales(spatial_scale)
    map_size = None if map_size is None else size(map_size, "map_size")
    options = tuple(max(ratio, 0) for ratio in integers(sampling_ratio, "sampling_ratio")), checked_aligned(aligned)
    _check_reach("x", (x1, x2), scale_w)
    _check_reach("y", (y1, y2), scale_h)
    if rule != "roi_align" and options != _NO_OPTIONS:
        raise ValueError(f"rule: {rule!r} has neither sampling_ratio nor aligned")
    if rule in INTERPOLATION_RULES:
        return interpolation(box, output_size, spatial_scale, rule, map_size, *options)
    return explanation(box, output_size, spatial_scale, rule, map_size)


def _check_reach(name, image, scale) -> None:
    for pixel in image:
        if not abs(pixel * scale) <= _LARGEST_COORDINATE:
            raise ValueError(f"box: {name} = {pixel!r} lies at {pixel * scale!r} cells; up to 2**52 can be explained")
