"""Output files that appear under their name only when they are whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


@contextlib.contextmanager
def replacing(path, suffix=".part"):
    """Give a new temporary file's path in the folder of `path`; rename it to `path` at the end.

    If the block raises, KeyboardInterrupt included, the temporary file is removed and whatever
    `path` held before stays.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
    # A hidden name that no other run has; made with the permissions the umask asks for.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    except OSError as error:
        # The name the caller knows, not the temporary one.
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
