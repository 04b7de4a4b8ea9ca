"""What is wrong when the package has no compiled core; nothing else imports this."""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path


def explained(error: ImportError, package: str) -> ImportError:
    """Return `error`, or one that says what to do if the folder `package` has no core for this interpreter."""
    folder = Path(package)
    if any((folder / f"_core{suffix}").exists() for suffix in importlib.machinery.EXTENSION_SUFFIXES):
        return error
    fault = f"fastroi was found in {folder}, where its extension module _core is not built{_others(folder)}"
    return ImportError(f"{fault}. {_way_out(folder)}", name="fastroi._core", path=str(folder))


def _others(folder: Path) -> str:
    found = sorted(path.name for path in folder.glob("_core.*") if path.suffix in (".so", ".pyd"))
    return f" for {sys.implementation.cache_tag} (only {', '.join(found)})" if found else ""


def _way_out(folder: Path) -> str:
    elsewhere = "or run Python from another folder, so that an installed fastroi is found first"
    if (folder.parent / "setup.py").exists():
        return f"Build it: {sys.executable} -m pip install -e '{folder.parent}'; {elsewhere}."
    return f"Build it, in a checkout of fastroi: {sys.executable} -m pip install -e . ; {elsewhere}."
