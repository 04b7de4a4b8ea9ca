"""Arrays from .npy and .npz files and from pipes, and their elements as the core takes them."""

from __future__ import annotations

import contextlib
import io
import math
import os
import warnings
import zipfile

import numpy

from fastroi import _core
from fastroi._checks.call import named_dtype

from ._errors import UsageError, shown
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
# How many bytes one byte of a member of an archive can become, by its compression; what others may reach is generous.
_EXPANSION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1040}
_MOST_EXPANSION = 2**16
_FLOATS = (numpy.dtype(numpy.float32), numpy.dtype(numpy.float64))
COMPUTED_IN = tuple(element.name for element in _FLOATS)
ELEMENTS = tuple(_core.elements())


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
            archive = _opened(file, os.fstat(file.fileno()).st_size)
            if archive is not None:
                return _member(archive, path, key, option)
        return _whole(numpy.load(path, mmap_mode="r", allow_pickle=False), path, key, option)


def parse_array(content, path, key=None, option=None):
    """Return the array that the bytes of a .npy or .npz file hold."""
    with _unreadable(path, content[:6]):
        file = io.BytesIO(content)
        archive = _opened(file, len(content))
        if archive is not None:
            return _member(archive, path, key, option)
        return _whole(numpy.load(file, allow_pickle=False), path, key, option)


def _opened(file, size):
    """An archive, or None for a .npy file, whose header holds what it promises then."""
    is_archive = file.read(4) in MAGIC
    file.seek(0)
    if is_archive:
        return numpy.load(file, allow_pickle=False)
    _check_promise(file, size)
    file.seek(0)
    return None


def _check_promise(file, size):
    """Refuse a header that promises more than the `size` bytes there are, before NumPy makes room for it."""
    version = numpy.lib.format.read_magic(file)
    width = 2 if version == (1, 0) else 4
    length = file.read(width)
    if int.from_bytes(length, "little") > size:
        raise ValueError("its header is cut off")
    header = io.BytesIO(length + file.read(int.from_bytes(length, "little")))
    read = numpy.lib.format.read_array_header_1_0 if width == 2 else numpy.lib.format.read_array_header_2_0
    shape, _, dtype = read(header)
    if any(extent < 0 for extent in shape):
        raise ValueError(f"its header promises a shape of {shape}")
    promised = math.prod(shape) * dtype.itemsize
    if promised > size and not dtype.hasobject:
        raise ValueError(f"its header promises {promised} bytes of numbers, more than the {size} that it has")


def _whole(array, path, key, option):
    if key is not None:
        raise _Named(f"{shown(path)}: {option} goes with a .npz file")
    return _typed(numpy.asarray(array))


def _member(source, path, key, option):
    with source as archive:
        names = archive.files
        if key is None and len(names) != 1:
            wanted = f"{option} chooses one" if option else "one array is required"
            raise _Named(f"{shown(path)}: holds {len(names)} arrays ({', '.join(names)}); {wanted}")
        if key is not None and key not in names:
            raise _Named(f"{shown(path)}: has no array {key!r}, only {', '.join(names)}")
        name = names[0] if key is None else key
        _check_member(archive.zip, name)
        return _typed(numpy.asarray(archive[name]))


def _check_member(archive, name):
    members = {member.filename: member for member in archive.infolist()}
    member = members.get(name) or members[f"{name}.npy"]
    expansion = _EXPANSION.get(member.compress_type, _MOST_EXPANSION)
    with archive.open(member) as file:
        _check_promise(file, min(member.file_size, expansion * min(member.compress_size, _size(archive.fp))))


def _size(file):
    at = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(at)
    return end


def _typed(array):
    """bfloat16 in place of the two bytes without a type that NumPy saves it as."""
    if array.dtype != "V2":
        return array
    try:
        return array.view(named_dtype("bfloat16"))
    except ImportError:
        return array  # whoever needs numbers tells


def bfloat16_note(array, path):
    """What to tell of an array that was taken as bfloat16, in a list."""
    if array.dtype.name != "bfloat16":
        return []
    return [f"{shown(path)}: elements of two bytes without a type, as NumPy saves bfloat16, are taken as that"]


def check_dtype(name):
    """Refuse a type of --dtype that NumPy has from a package that is not there."""
    try:
        named_dtype(name)
    except ImportError:
        raise UsageError(f"argument --dtype: {name} needs the package ml_dtypes") from None


class _Named(ValueError):
    """A message that has the file's name already."""


@contextlib.contextmanager
def _unreadable(path, start=None):
    """Turn whatever a file that is no array makes NumPy raise into one message with the file's name."""
    try:
        with numpy.errstate(over="raise"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 or a careless program wrote
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
    """Convert an array to elements that the core takes.

    Those that it takes, in the machine's byte order, are returned as they are, memory-mapped; anything else is a copy in memory: booleans
    as uint8, wider integers as float64. float32 and float64 are computed in: what is wider than the one asked for is rounded to it before,
    and what is narrower than float64 is computed in float64 if that is asked for.

    Parameters
    ----------
    array : numpy.ndarray
        Numbers.
    path : str
        Where they come from.
    dtype : str, optional
        The type asked for, one of `ELEMENTS`.

    Raises
    ------
    ValueError
        They are no real numbers, too wide for float64, or beyond the range of `dtype`.
    """
    native = array.dtype.newbyteorder("=")
    if native.kind not in "biuf" and native.name not in ELEMENTS:
        hint = "; bfloat16 needs the package ml_dtypes" if native == "V2" else ""
        raise ValueError(f"{shown(path)}: elements of dtype {array.dtype} are not real numbers{hint}")
    return _cast(array, _element(native, path, dtype), path)


def _element(native, path, asked):
    """The dtype that numbers of dtype `native` are computed from."""
    if asked == "float64" or (asked == "float32" and native.itemsize > 2):
        return numpy.dtype(asked)
    if native.kind == "b":
        return numpy.dtype(numpy.uint8)
    if native.name in ELEMENTS:
        return native
    wide_enough = [element for element in _FLOATS if numpy.can_cast(native, element)]
    if not wide_enough:
        raise ValueError(f"{shown(path)}: dtype {native} is wider than float64; --dtype float64 rounds")
    return wide_enough[0]


def as_masks(array, path, dtype=None):
    """Masks in the machine's byte order, in float32 or float64 if that is asked for; the values in any other type are rounded to it."""
    return _cast(array, numpy.dtype(dtype), path) if dtype in COMPUTED_IN else in_native_order(array, path)


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
