"""Thread counts: argument > set_num_threads > FASTROI_NUM_THREADS > OpenMP's maximum at the time of the call.

The core caps each of them by the processors that this process may use, unless FASTROI_OVERSUBSCRIBE is 1.
"""

from __future__ import annotations

import os
from typing import SupportsIndex

from . import _core
from ._checks.numbers import index_of

MAX_THREADS = 1024


def checked_num_threads(value: SupportsIndex, name: str = "num_threads") -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name}: {value!r} is not an integer")
    count = index_of(value, name)
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


def _check_oversubscribe() -> None:
    text = os.environ.get("FASTROI_OVERSUBSCRIBE", "")
    if text not in ("", "0", "1"):
        raise ValueError(f"FASTROI_OVERSUBSCRIBE: {text!r} is neither '0' nor '1'")


_check_oversubscribe()
_chosen = _from_environment()


class set_num_threads:
    """Set how many threads calls use by default; as a context manager, until its end.

    Parameters
    ----------
    num_threads : int or None
        1 to 1024. None returns to OpenMP's own maximum. Either is capped by CPU affinity and cgroup
        quota, unless the environment variable ``FASTROI_OVERSUBSCRIBE`` is 1.

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
    """Most threads that a call with ``num_threads=None`` would use here and now."""
    return _core.usable_threads(_chosen)


def resolve_num_threads(value: SupportsIndex | None) -> int:
    """The argument of a call as the core takes it; 0 leaves the choice to the core."""
    return _chosen if value is None else checked_num_threads(value)
