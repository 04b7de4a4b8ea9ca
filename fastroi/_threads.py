"""Thread counts: argument > set_num_threads > FASTROI_NUM_THREADS > OpenMP's maximum at the time of the call."""

from __future__ import annotations

import operator
import os
from typing import SupportsIndex

from . import _core

MAX_THREADS = 1024


def checked_num_threads(value: SupportsIndex, name: str = "num_threads") -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name}: {value!r} is not an integer")
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is not an integer") from None
    if not 1 <= count <= MAX_THREADS:
        raise ValueError(f"{name}: {count} is outside [1, {MAX_THREADS}]")
    return count


def _from_environment() -> int:
    text = os.environ.get("FASTROI_NUM_THREADS")
    if not text:
        return 0
    try:
        return checked_num_threads(int(text), "FASTROI_NUM_THREADS")
    except ValueError:
        raise ValueError(f"FASTROI_NUM_THREADS: {text!r} is not an integer in [1, {MAX_THREADS}]") from None


_chosen = _from_environment()


class set_num_threads:
    """Set how many threads calls use by default; as a context manager, until its end.

    Parameters
    ----------
    num_threads : int or None
        1 to 1024. None returns to OpenMP's own maximum, capped by CPU affinity and cgroup quota.

    Examples
    --------
    >>> import fastroi
    >>> with fastroi.set_num_threads(1):
    ...     fastroi.get_num_threads()
    1
    """

    def __init__(self, num_threads: SupportsIndex | None) -> None:
        global _chosen
        self._previous = _chosen
        _chosen = 0 if num_threads is None else checked_num_threads(num_threads)

    def __enter__(self) -> set_num_threads:
        return self

    def __exit__(self, *exc_info: object) -> None:
        global _chosen
        _chosen = self._previous


def get_num_threads() -> int:
    """Threads that a call with ``num_threads=None`` would use now."""
    return _chosen or _core.default_threads()


def resolve_num_threads(value: SupportsIndex | None) -> int:
    """The argument of a call as the core takes it; 0 leaves the choice to the core."""
    return _chosen if value is None else checked_num_threads(value)
