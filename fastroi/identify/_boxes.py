"""How rows of numbers can be meant as boxes: formats, corrections of the corners, scales."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[Any]
Columns = Iterable[Any]


@dataclass(frozen=True)
class Format:
    """An order of columns: `decode` makes x1, y1, x2, y2 (turned: cx, cy, w, h) of them, `encode` is its inverse."""

    name: str
    decode: Callable[[Any, Any, Any, Any], Columns]
    encode: Callable[[Any, Any, Any, Any], Columns]

    def corners(self, rows: Table) -> Table:
        """The boxes as operators take them, in the dtype of the rows; an angle stays."""
        return _replaced(rows, self.decode)

    def rows(self, corners: Table) -> Table:
        """The rows that mean these boxes."""
        return _replaced(corners, self.encode)


def _replaced(rows: Table, change: Callable[[Any, Any, Any, Any], Columns]) -> Table:
    columns = change(*rows[:, :4].T)
    return np.column_stack([*columns, *rows[:, 4:].T])


UPRIGHT = (
    Format("x1 y1 x2 y2", lambda a, b, c, d: (a, b, c, d), lambda a, b, c, d: (a, b, c, d)),
    Format("y1 x1 y2 x2", lambda a, b, c, d: (b, a, d, c), lambda a, b, c, d: (b, a, d, c)),
    Format("x y w h", lambda a, b, c, d: (a, b, a + c, b + d), lambda a, b, c, d: (a, b, c - a, d - b)),
    Format("y x h w", lambda a, b, c, d: (b, a, b + d, a + c), lambda a, b, c, d: (b, a, d - b, c - a)),
    Format(
        "cx cy w h",
        lambda a, b, c, d: (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
        lambda a, b, c, d: ((a + c) / 2, (b + d) / 2, c - a, d - b),
    ),
    Format(
        "cy cx h w",
        lambda a, b, c, d: (b - d / 2, a - c / 2, b + d / 2, a + c / 2),
        lambda a, b, c, d: ((b + d) / 2, (a + c) / 2, d - b, c - a),
    ),
    Format("x1 x2 y1 y2", lambda a, b, c, d: (a, c, b, d), lambda a, b, c, d: (a, c, b, d)),
)
TURNED = (
    Format("cx cy w h angle", lambda a, b, c, d: (a, b, c, d), lambda a, b, c, d: (a, b, c, d)),
    Format("cx cy h w angle", lambda a, b, c, d: (a, b, d, c), lambda a, b, c, d: (a, b, d, c)),
    Format("cy cx h w angle", lambda a, b, c, d: (b, a, d, c), lambda a, b, c, d: (b, a, d, c)),
)


@dataclass(frozen=True)
class Correction:
    """What is done to the boxes, in image pixels, before an operator sees them."""

    name: str
    change: Callable[[Table], Table]


def _moved(*by: float) -> Callable[[Table], Table]:
    return lambda boxes: boxes + np.asarray([*by, 0.0][: boxes.shape[1]], boxes.dtype)


NONE = Correction("", lambda boxes: boxes)
UPRIGHT_CORRECTIONS = (
    NONE,
    Correction("x2 and y2 one pixel more", _moved(0, 0, 1, 1)),
    Correction("x2 and y2 one pixel less", _moved(0, 0, -1, -1)),
    Correction("x1 and y1 one pixel less", _moved(-1, -1, 0, 0)),
    Correction("all half a pixel more", _moved(0.5, 0.5, 0.5, 0.5)),
    Correction("all half a pixel less", _moved(-0.5, -0.5, -0.5, -0.5)),
    Correction("all one pixel more", _moved(1, 1, 1, 1)),
    Correction("all one pixel less", _moved(-1, -1, -1, -1)),
    Correction("rounded to whole pixels", np.round),
    Correction("truncated to whole pixels", np.trunc),
    Correction("rounded to float16", lambda boxes: boxes.astype(np.float16).astype(boxes.dtype)),
)
TURNED_CORRECTIONS = (
    NONE,
    Correction("w and h one pixel more", _moved(0, 0, 1, 1)),
    Correction("the centre half a pixel more", _moved(0.5, 0.5, 0, 0)),
    Correction("the centre half a pixel less", _moved(-0.5, -0.5, 0, 0)),
)


@dataclass(frozen=True)
class Scale:
    """Cells per unit of a box, vertical and horizontal, and why these; `fitted` if the values of the output told them."""

    vertical: float
    horizontal: float
    origin: str = "given"

    @property
    def pair(self) -> tuple[float, float]:
        return self.vertical, self.horizontal

    @property
    def normalised(self) -> bool:
        return self.origin.startswith("parts of the map")


def inferred_scales(rows: Table, size: tuple[int, int]) -> list[Scale]:
    """Scales that are tried first: strides, and parts of the map."""
    height, width = size
    finite = np.abs(rows[np.isfinite(rows).all(axis=1), :4])
    reach = float(finite.max(initial=0.0))
    if 0 < reach <= 2.0:
        return [
            Scale(float(height), float(width), "parts of the map"),
            Scale(max(height - 1.0, 1.0), max(width - 1.0, 1.0), "parts of the map, from centre to centre"),
            Scale(1.0, 1.0, "stride"),
        ]
    return [Scale(0.5**power, 0.5**power, "stride") for power in range(8)]


def scales_of_extents(ends: Table, size: tuple[int, int]) -> list[Scale]:
    """Scales under which the boxes that reach farthest end in the last cells or somewhat before; `ends` are of x and y."""
    reach = np.maximum(np.abs(ends[np.isfinite(ends).all(axis=1), :2]).max(axis=0, initial=0), 1e-9)
    rough = min(size[1] / reach[0], size[0] / reach[1])
    return [Scale(float(rough * 2**power), float(rough * 2**power), "fitted") for power in np.arange(-2, 0.51, 0.03125)]
