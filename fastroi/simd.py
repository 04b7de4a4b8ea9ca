"""Which instruction sets there are, and which one runs."""

import contextlib
import contextvars
import os

from . import _core

__all__ = ["active", "compiled", "supported", "use"]

_forced = contextvars.ContextVar("fastroi_simd", default=None)


def compiled():
    """Names of the instruction sets built into this library, best first."""
    return _core.simd_compiled()


def supported():
    """Names of those that this machine can run, best first."""
    return _core.simd_supported()


def active():
    """Name of the instruction set a call made here and now would use."""
    forced = _forced.get()
    return forced.decode() if forced else _core.simd_active()


def _checked(name, source):
    if name not in supported():
        raise ValueError(f"{source}: {name!r} is not supported here; choose from {', '.join(supported())}")
    return name


@contextlib.contextmanager
def use(name):
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


def _obey_environment():
    """Read FASTROI_SIMD, and check FASTROI_SIMD_DISABLE, which the core has read."""
    optional = compiled()[:-1]
    for name in os.environ.get("FASTROI_SIMD_DISABLE", "").replace(",", " ").split(" "):
        if not name:
            continue
        if name not in optional:
            raise ValueError(f"FASTROI_SIMD_DISABLE: {name!r} is not one of {', '.join(optional)}")
    name = os.environ.get("FASTROI_SIMD")
    if name:
        _core.simd_activate(_checked(name, "FASTROI_SIMD"))
