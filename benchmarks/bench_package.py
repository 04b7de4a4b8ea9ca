"""asv: what the package costs to import and to download."""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path


def timeraw_import_after_numpy():
    """Time of `import fastroi` in a fresh process that has NumPy already."""
    return "import fastroi", "import numpy"


class PackageSize:
    """Bytes of the installed package."""

    def setup(self):
        folder = Path(find_spec("fastroi").origin).parent
        self.files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
        self.root = folder.parent

    def track_wheel(self):
        """Size of the files compressed as a wheel compresses them."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as wheel:
            for path in self.files:
                wheel.write(path, path.relative_to(self.root))
        return len(archive.getvalue())

    def track_installed(self):
        """Size of the files on disk."""
        return sum(path.stat().st_size for path in self.files)

    track_wheel.unit = "bytes"
    track_installed.unit = "bytes"
