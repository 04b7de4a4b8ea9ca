"""Argument types that several commands share."""

from __future__ import annotations

import argparse
import math
from fractions import Fraction

from fastroi._threads import MAX_THREADS


def to_float(text: str) -> float:
    """Parse a number as files and command lines have it; Python's own underscores between digits are no part of one.

    Raises
    ------
    ValueError
        It is no number.
    """
    return float(_plain(text))


def _plain(text):
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} is not a number")
    return text


def whole_number(text: str) -> int:
    """Parse a whole number."""
    try:
        return int(_plain(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def number(text: str) -> float:
    """Parse a finite number, a fraction such as 1/16 included."""
    try:
        value = float(Fraction(_plain(text))) if "/" in text else to_float(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return value


def positive_number(text: str) -> float:
    """Parse a finite number above 0."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return value


def pair_of(parse, separator):
    """Make an argument type: one value, or two as in 3x5 or 1/16,1/8."""

    def parse_pair(text):
        parts = text.split(separator)
        if len(parts) > 2:
            raise argparse.ArgumentTypeError(f"{text!r} has {len(parts)} parts, not one or two")
        values = tuple(_part(parse, part, text) for part in parts)
        return values[0] if len(values) == 1 else values

    return parse_pair


def _part(parse, part, text):
    """Parse one of two values; what is wrong with it is told with all of the text."""
    if part == text:
        return parse(part)
    if not part.strip():
        raise argparse.ArgumentTypeError(f"{text!r} lacks one of two values")
    try:
        return parse(part)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def threads(text: str) -> int:
    """Parse a number of threads."""
    value = positive_int(text)
    if value > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{value} is outside [1, {MAX_THREADS}]")
    return value


def add_scale(parser, required):
    """Add --scale and --stride, of which one may be given."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument(
        "--scale",
        type=pair_of(positive_number, ","),
        metavar="S",
        help="cells of the map per image pixel, e.g. 1/16; with a comma, of y and of x",
    )
    group.add_argument(
        "--stride",
        type=pair_of(positive_number, ","),
        metavar="PX",
        help="image pixels per cell, e.g. 16: the same as --scale 1/16",
    )


def scale_of(arguments):
    """Return the spatial scale of parsed arguments; 1.0 if none was given."""
    if arguments.stride is None:
        return 1.0 if arguments.scale is None else arguments.scale
    stride = arguments.stride
    return tuple(1 / s for s in stride) if isinstance(stride, tuple) else 1 / stride


def add_output_size(parser, **options):
    """Add --output-size, 7 or 7x5."""
    parser.add_argument(
        "--output-size",
        type=pair_of(positive_int, "x"),
        metavar="P",
        help="bins per side, e.g. 7; or rows and columns of bins, e.g. 7x5",
        **options,
    )
