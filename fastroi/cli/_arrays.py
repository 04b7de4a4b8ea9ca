"""Arrays from .npy and .npz files and from pipes, and their elements as the core takes them."""

from __future__ import annotations

import contextlib
import io

import numpy

from ._errors import shown
from ._files import is_stream, read_content

ENDINGS = (".npy", ".npz")
MAGIC = (b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")
_PICTURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WebP",
}
_ELEMENTS = (numpy.dtype(numpy.float32), numpy.dtype(numpy.float64))


def load_array(path, key=None, option=None):
    """Memory-map a .npy file, or read an array of a .npz file or of a pipe.

    Parameters
    ----------
    path : str
        The file, or - for standard input.
    key : str, optional
        The array's name in a .npz file.
    option : str, optional
        The option that gives `key`, for messages.

    Raises
    ------
    ValueError
        No array can be read from it, or it holds Python objects.
    """
    if is_stream(path):
        return parse_array(read_content(path, MAGIC), path, key, option)
    with _unreadable(path):
        with open(path, "rb") as file:
            if file.read(4) in MAGIC:
                file.seek(0)
                return _member(numpy.load(file, allow_pickle=False), path, key, option)
        return _member(numpy.load(path, mmap_mode="r", allow_pickle=False), path, key, option)


def parse_array(content, path, key=None, option=None):
    """Return the array that the bytes of a .npy or .npz file hold."""
    with _unreadable(path, content[:6]):
        return _member(numpy.load(io.BytesIO(content), allow_pickle=False), path, key, option)


def _member(source, path, key, option):
    if isinstance(source, numpy.ndarray):
        if key is not None:
            raise _Named(f"{shown(path)}: {option} goes with a .npz file")
        return numpy.asarray(source)
    with source as archive:
        names = archive.files
        if key is None and len(names) != 1:
            wanted = f"{option} chooses one" if option else "one array is required"
            raise _Named(f"{shown(path)}: holds {len(names)} arrays ({', '.join(names)}); {wanted}")
        if key is not None and key not in names:
            raise _Named(f"{shown(path)}: has no array {key!r}, only {', '.join(names)}")
        return numpy.asarray(archive[names[0] if key is None else key])


class _Named(ValueError):
    """A message that has the file's name already."""


@contextlib.contextmanager
def _unreadable(path, start=None):
    """Turn whatever a file that is no array makes NumPy raise into one message with the file's name."""
    try:
        with numpy.errstate(over="raise"):
            yield
    except _Named:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), shown(path)) from None
    except MemoryError as error:
        raise MemoryError(f"{shown(path)}: {error or 'out of memory'}") from None
    except Exception as error:
        # The parser of headers lets out errors of many types; each means the same.
        raise ValueError(f"{shown(path)}: {_fault(path, start, error)}") from None


def _fault(path, start, error):
    """What is wrong with the content; NumPy takes whatever it does not know for a pickle."""
    if start is None:
        with open(path, "rb") as file:
            start = file.read(6)
    kind = _picture(start)
    if kind is not None:
        return f"a {kind} picture, not a .npy array"
    if not start.startswith(MAGIC):
        return f"no .npy array can be read from it: it begins with {start!r}" if start else "empty, no .npy array"
    if isinstance(error, FloatingPointError):
        error = "its header promises more than any memory holds"
    objects = any(words in str(error) for words in ("allow_pickle", "Python objects"))
    told = "it holds Python objects, not numbers" if objects else error
    return f"no .npy array can be read from it: {told}"


def _picture(start):
    return next((kind for magic, kind in _PICTURES.items() if start.startswith(magic)), None)


def as_elements(array, path, dtype=None):
    """Convert an array to the elements the core takes: the narrower of float32 and float64 that holds every value of its type.

    float32 and float64 in the machine's byte order are returned as they are, memory-mapped; anything else is a copy in memory.

    Parameters
    ----------
    array : numpy.ndarray
        Numbers.
    path : str
        Where they come from.
    dtype : {"float32", "float64"}, optional
        The type to convert to instead.

    Raises
    ------
    ValueError
        They are no real numbers, too wide for float64, or beyond the range of `dtype`.
    """
    native = array.dtype.newbyteorder("=")
    if native.kind not in "biuf":
        raise ValueError(f"{shown(path)}: elements of dtype {array.dtype} are not real numbers")
    if dtype is None:
        wide_enough = [element for element in _ELEMENTS if numpy.can_cast(native, element)]
        if not wide_enough:
            raise ValueError(f"{shown(path)}: dtype {array.dtype} is wider than float64; --dtype float64 rounds")
        dtype = wide_enough[0]
    return _cast(array, numpy.dtype(dtype), path)


def in_native_order(array, path):
    """Copy an array of the other byte order to this machine's."""
    native = array.dtype.newbyteorder("=")
    return array if array.dtype == native else _cast(array, native, path)


def _cast(array, dtype, path):
    if array.dtype == dtype:
        return array
    try:
        with numpy.errstate(over="raise", invalid="ignore"):
            return array.astype(dtype)
    except FloatingPointError:
        raise ValueError(f"{shown(path)}: a value is beyond the range of {dtype}") from None
    except MemoryError:
        raise MemoryError(f"{shown(path)}: no memory for a copy as {dtype}") from None
