"""Which instruction sets there are, and which one runs."""

from __future__ import annotations

import contextlib
import contextvars
import os
from collections.abc import Iterator

from . import _core

__all__ = ["active", "compiled", "supported", "use"]

_forced: contextvars.ContextVar[bytes | None] = contextvars.ContextVar("fastroi_simd", default=None)


def compiled() -> tuple[str, ...]:
    """Names of the instruction sets built into this library, best first."""
    return _core.simd_compiled()


def supported() -> tuple[str, ...]:
    """Names of those that this machine can run, best first."""
    return _core.simd_supported()


def active() -> str:
    """Name of the instruction set a call made here and now would use."""
    forced = _forced.get()
    return forced.decode() if forced else _core.simd_active()


def _checked(name: str, source: str) -> str:
    if name not in supported():
        raise ValueError(f"{source}: {name!r} is not supported here{_without()}; choose from {', '.join(supported())}")
    return name


def _without() -> str:
    disabled = os.environ.get("FASTROI_SIMD_DISABLE")
    return f", where FASTROI_SIMD_DISABLE is {disabled!r}" if disabled else ""


@contextlib.contextmanager
def use(name: str) -> Iterator[None]:
    """Force an instruction set for the calls made in this context (this thread or task only).

    Parameters
    ----------
    name : str
        One of :func:`supported`.

    Raises
    ------
    ValueError
        If this machine or build lacks it.

    Examples
    --------
    >>> import fastroi
    >>> with fastroi.simd.use("baseline"):
    ...     fastroi.simd.active()
    'baseline'
    """
    token = _forced.set(_checked(name, "name").encode())
    try:
        yield
    finally:
        _forced.reset(token)


def _obey_environment() -> None:
    """Read FASTROI_SIMD, and check FASTROI_SIMD_DISABLE, which the core has read."""
    optional = compiled()[:-1]
    for name in os.environ.get("FASTROI_SIMD_DISABLE", "").replace(",", " ").split(" "):
        if not name:
            continue
        if name not in optional:
            raise ValueError(f"FASTROI_SIMD_DISABLE: {name!r} is not one of {', '.join(optional)}")
    chosen = os.environ.get("FASTROI_SIMD")
    if chosen:
        _core.simd_activate(_checked(chosen, "FASTROI_SIMD"))
