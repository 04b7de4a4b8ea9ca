"""A real photograph and a 512-channel, stride-32 feature map of it, the same on every machine."""

from __future__ import annotations

import numpy

STRIDE = 32
_WINDOW = 64


def photograph():
    """Return matplotlib's sample photograph, cut to 512 x 512, as (512, 512, 3) uint8.

    Raises
    ------
    ImportError
        Without matplotlib or Pillow; ``pip install matplotlib pillow`` brings both.
    """
    try:
        from matplotlib import cbook
        from PIL import Image
    except ImportError as error:
        message = "the demo needs matplotlib and Pillow: pip install matplotlib pillow"
        raise ImportError(message, name=error.name) from error
    with cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as image:
        return numpy.asarray(image.convert("RGB").crop((0, 0, 512, 512)))


def feature_map(image):
    """Filter an RGB image with a fixed bank of 512 Gabor filters, at stride 32.

    Each cell holds the rectified responses, in the 64 x 64 pixels around it, of 320 filters on
    the luminance (5 wavelengths, 2 sizes) and 96 on each of two opponent colours (3
    wavelengths), at 8 orientations and 4 phases.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8, H and W multiples of 32.

    Returns
    -------
    numpy.ndarray
        (1, 512, H / 32, W / 32) float32.
    """
    red, green, blue = numpy.moveaxis(image.astype(numpy.float32) / 255 - 0.5, 2, 0)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    fine = _bank((4, 8, 16, 32, 64), (6, 14))
    coarse = _bank((8, 16, 32), (12,))
    responses = [
        _responses(luminance, fine),
        _responses(red - green, coarse),
        _responses(blue - (red + green) / 2, coarse),
    ]
    return numpy.ascontiguousarray(numpy.concatenate(responses)[None])


def _bank(wavelengths, widths):
    """Gabor filters of norm 1 as rows of a matrix."""
    offset = numpy.arange(_WINDOW, dtype=numpy.float32) - (_WINDOW - 1) / 2
    y, x = numpy.meshgrid(offset, offset, indexing="ij")
    filters = []
    for width in widths:
        envelope = numpy.exp(-(x**2 + y**2) / (2 * width**2))
        for wavelength in wavelengths:
            for angle in numpy.arange(8) * (numpy.pi / 8):
                along = (x * numpy.cos(angle) + y * numpy.sin(angle)) * (2 * numpy.pi / wavelength)
                for phase in numpy.arange(4) * (numpy.pi / 2):
                    filters.append((envelope * numpy.cos(along + phase)).ravel())
    bank = numpy.array(filters, dtype=numpy.float32)
    return bank / numpy.linalg.norm(bank, axis=1, keepdims=True)


def _responses(plane, bank):
    """Filter one (H, W) plane at every 32nd pixel: (filters, H / 32, W / 32), never negative."""
    border = (_WINDOW - STRIDE) // 2
    padded = numpy.pad(plane, border, mode="reflect")
    windows = numpy.lib.stride_tricks.sliding_window_view(padded, (_WINDOW, _WINDOW))
    windows = windows[::STRIDE, ::STRIDE]
    rows, columns = windows.shape[:2]
    flat = windows.reshape(rows * columns, _WINDOW * _WINDOW)
    return numpy.maximum(bank @ flat.T, 0).reshape(len(bank), rows, columns)
