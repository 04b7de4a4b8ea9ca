"""Where the parts of a picture go: sizes in points, from the measured widths of the texts."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter, MultipleLocator

TITLE, LABEL, TICK, KEY, NOTE, RULER = 10, 9, 8.5, 9.5, 8.5, 8
LANE = 13.0
_LINE = 1.45  # of the size of the letters, with what is left free between lines
_DPI = 200
_GAP = 8.0
_TICK_PAD = 6.5
_KEY_SEPARATE = 5.5  # of the size of the letters: handle, and what is left free around it


class Room(NamedTuple):
    """What a panel takes, in points: the axes, and the texts on each side of them."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float

    @property
    def whole(self) -> tuple[float, float]:
        return self.left + self.width + self.right, self.top + self.height + self.bottom


@functools.cache
def _renderer():
    return RendererAgg(1, 1, _DPI)


def width_of(text, size) -> float:
    """The width of one line of text in points."""
    return _renderer().get_text_width_height_descent(text, FontProperties(size=size), False)[0] * 72 / _DPI


def height_of(lines, size) -> float:
    return lines * size * _LINE


def wrapped(text, size, room) -> list[str]:
    """Lines that are no wider than `room`: broken between parts, then between words, then anywhere."""
    return [line for part in text.split("\n") for line in _filled(part, size, room, (" · ", " "))]


def _filled(text, size, room, separators):
    if width_of(text, size) <= room:
        return [text]
    if not separators:
        count = max(int(len(text) * room / width_of(text, size) * 0.8), 1)
        return [text[start : start + count] for start in range(0, len(text), count)]
    lines = []
    for part in text.split(separators[0]):
        joined = separators[0].join([*lines[-1:], part])
        if lines and width_of(joined, size) <= room:
            lines[-1] = joined
        else:
            lines += _filled(part, size, room, separators[1:])
    return lines


def shaped(window, lowest, highest):
    """A window of whole cells, made larger until its height over its width lies between two numbers."""
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    more_height = max(math.ceil(width * lowest) - height, 0)
    more_width = max(math.ceil(height / highest) - width, 0)
    return (
        left - more_width // 2,
        top - more_height // 2,
        right + (more_width + 1) // 2,
        bottom + (more_height + 1) // 2,
    )


def tick_text(value, _=None) -> str:
    return f"{value:.0f}".replace("-", "−")


def set_ticks(ax, window, points_per_unit) -> None:
    """Ticks at multiples of 1, 2 or 5 times a power of ten, as near as their labels allow."""
    left, top, right, bottom = window
    widest = max(width_of(tick_text(end), TICK) for end in (left, right))
    needs = (ax.xaxis, widest + _GAP), (ax.yaxis, height_of(1, TICK))
    for axis, need in needs:
        axis.set_major_locator(MultipleLocator(_step(need / points_per_unit)))
        axis.set_major_formatter(FuncFormatter(tick_text))
    ax.tick_params(length=2.5, pad=_TICK_PAD - 2.5, labelsize=TICK, color="#808080")


def _step(least) -> int:
    power = 10 ** max(math.ceil(math.log10(max(least, 1))) - 1, 0)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)


def panel_room(width, windows, lanes, title_lines) -> Room:
    """Room for panels of the first window's shape, all as large; their ticks are of all windows."""
    left, top, right, bottom = windows[0]
    ends = [end for window in windows for end in window]
    widest = max(width_of(tick_text(end), TICK) for end in ends)
    label = height_of(1, LABEL) + 3
    return Room(
        width=width,
        height=width * (bottom - top) / (right - left),
        left=_GAP + label + widest + _TICK_PAD,
        right=max(lanes * LANE + 4, widest / 2) + _GAP,
        top=lanes * LANE + 6 + height_of(title_lines, TITLE) + 4,
        bottom=_TICK_PAD + height_of(1, TICK) + label + _GAP,
    )


def key_columns(labels, room) -> int:
    """As many columns as fit, then as few as keep the number of rows."""
    one = max(width_of(label, KEY) for label in labels) + _KEY_SEPARATE * KEY
    rows = math.ceil(len(labels) / max(int(room / one), 1))
    return math.ceil(len(labels) / rows)


def key_height(entries, columns) -> float:
    return math.ceil(entries / columns) * KEY * 1.75 + KEY
