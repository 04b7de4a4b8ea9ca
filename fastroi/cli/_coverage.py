"""How many boxes lie off the map."""

from __future__ import annotations

import math

import numpy


def note(rois, operator, scale, extents, angle_unit):
    """Tell in words how many boxes lie off the map, wholly or partly; None if there are none.

    Parameters
    ----------
    rois : numpy.ndarray
        (K, 4) or (K, 5), without the positions of images.
    operator : Operator
        What the boxes are for.
    scale : float or tuple of float
        Cells per pixel, of y and of x.
    extents : tuple of int
        Rows and columns of the map.
    angle_unit : str or None
        Of rotated boxes.
    """
    scale_h, scale_w = scale if isinstance(scale, tuple) else (scale, scale)
    rows, columns = (1, 1) if operator.normalised else extents
    x1, y1, x2, y2 = _sides(numpy.asarray(rois, dtype=numpy.float64), angle_unit)
    with numpy.errstate(over="ignore"):
        y1, y2, x1, x2 = y1 * scale_h, y2 * scale_h, x1 * scale_w, x2 * scale_w
    wholly = (y2 < 0) | (x2 < 0) | (y1 >= rows) | (x1 >= columns)
    partly = ((y1 < 0) | (x1 < 0) | (y2 > rows) | (x2 > columns)) & ~wholly
    if not wholly.any() and not partly.any():
        return None
    where = "the map" if operator.normalised else f"the {_noun(operator)} of {rows} x {columns} {_unit(operator)}"
    return f"of {len(rois)} boxes {wholly.sum()} lie wholly and {partly.sum()} partly off {where}{_hint(operator, scale_h, scale_w)}"


def _sides(rois, angle_unit):
    """The smallest and largest x and y of each box."""
    if rois.shape[1] == 4:
        first, second = rois[:, :2], rois[:, 2:]
        return *numpy.minimum(first, second).T, *numpy.maximum(first, second).T
    cx, cy, width, height, angle = rois.T
    angle = numpy.radians(angle) if angle_unit == "degrees" else angle
    with numpy.errstate(over="ignore"):
        cos, sin = abs(numpy.cos(angle)), abs(numpy.sin(angle))
        reach_x = (abs(width) * cos + abs(height) * sin) / 2
        reach_y = (abs(width) * sin + abs(height) * cos) / 2
    return cx - reach_x, cy - reach_y, cx + reach_x, cy + reach_y


def _noun(operator) -> str:
    return "image" if operator.masks else "map"


def _unit(operator) -> str:
    return "pixels" if operator.masks else "cells"


def _hint(operator, scale_h, scale_w) -> str:
    if operator.normalised:
        return "; its sides are 0 and 1, not pixels"
    if not operator.scaled:
        return ""
    largest = max(scale_h, scale_w)
    if largest == 1:
        return "; the scale is 1, a cell for each pixel"
    if largest < 1:
        return ""
    stride = math.floor(largest) if largest == math.floor(largest) else largest
    return f"; the scale is {stride:g} cells per pixel: a stride of {stride:g} pixels is --stride {stride:g} or --scale 1/{stride:g}"
