"""torchvision's paste of uint8 masks: PyTorch resizes bytes along x, then along y, and rounds after either axis."""

import numpy as np

_FAR = 2.0**62  # of what lies farther off nothing reaches the image


def pasted(masks, boxes, height, width):
    """(K, height, width) bytes of (K, M, M) bytes with a cell of zeros around them, interpolated in truncated boxes."""
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1))).astype(np.int64)
    result = np.zeros((len(masks), height, width), np.uint8)
    corners = _truncated(boxes, (masks.shape[-1] + 2) / masks.shape[-1])
    for image, mask, (left, top, right, bottom) in zip(result, padded, corners, strict=True):
        columns, rows = (_on_image(left, right, width), _on_image(top, bottom, height))
        along_x = _resized(mask.T, left, right, columns)
        image[rows, columns] = _resized(along_x.T, top, bottom, rows)
    return result


def _truncated(boxes, growth):
    """Whole corners of boxes grown about their centres, in the boxes' own type."""
    with np.errstate(over="ignore", invalid="ignore"):
        centre, half = (boxes[:, 2:] + boxes[:, :2]) * 0.5, (boxes[:, 2:] - boxes[:, :2]) * 0.5 * growth
        corners = np.concatenate([centre - half, centre + half], axis=1)
    return np.clip(np.nan_to_num(corners), -_FAR, _FAR).astype(np.int64).tolist()


def _on_image(first, last, length):
    """The pixels of a box that lie on the image; the last one is included."""
    start = min(max(first, 0), length)
    return slice(start, max(min(last + 1, length), start))


def _resized(cells, first, last, pixels):
    """Those of the pixels from `first` to `last` that are asked for, from the rows of `cells`."""
    length = max(last - first + 1, 1)
    numbers = np.arange(pixels.start, min(pixels.stop, first + length)) - first
    if length == len(cells):
        return cells[numbers]
    weights, bits = _weights(len(cells), length, numbers)
    return (weights @ cells + (1 << (bits - 1))) >> bits


def _weights(cells, length, pixels):
    """Weight of each cell in each pixel, in fractions of that many bits: 15 where none is 1, or 16 bits would overflow."""
    exact = _interpolation(cells, length, pixels)
    largest = 1.0 if length > cells else _interpolation(cells, length, np.arange(length)).max()
    bits = 14 if int(largest * 2**15 + 0.5) >= 2**15 else 15
    return (exact * 2**bits + 0.5).astype(np.int64), bits


def _interpolation(cells, length, pixels):
    places = np.maximum((pixels + 0.5) * (cells / length) - 0.5, 0)
    near = np.minimum(places.astype(np.int64), cells - 1)
    share = places - near
    weights = np.zeros((len(pixels), cells))
    rows = np.arange(len(pixels))
    weights[rows, near] += 1 - share
    weights[rows, np.minimum(near + 1, cells - 1)] += share
    return weights
