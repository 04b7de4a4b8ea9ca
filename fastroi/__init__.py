"""fastroi: exact, explained and fast Region-of-Interest operators for NumPy arrays."""

import importlib as _importlib
import os as _os
import typing as _typing

try:
    from . import _core

    if _os.path.dirname(_core.__file__) != _os.path.dirname(
        __file__
    ):  # an editable install of another folder lends its own
        raise ImportError(f"{_core.__file__} belongs to another folder")
except ImportError as _error:
    from ._unbuilt import explained as _explained

    raise _explained(_error, _os.path.dirname(_os.path.abspath(__file__))) from None

from . import _environment

with _environment.judged():
    from . import _threads, simd

    simd._obey_environment()

from . import deformable, masks, memory, ops, pyramid, quantized, rotated
from ._threads import get_num_threads, set_num_threads
from ._version import __version__
from .deformable import *  # noqa: F403
from .explain import explain
from .identify import identify
from .masks import *  # noqa: F403
from .memory import *  # noqa: F403
from .ops import *  # noqa: F403
from .pyramid import *  # noqa: F403
from .rotated import *  # noqa: F403

__all__ = [
    "__version__",
    "explain",
    "get_include",
    "get_num_threads",
    "identify",
    "quantized",
    "set_num_threads",
    "simd",
]
__all__ += deformable.__all__
__all__ += masks.__all__
__all__ += memory.__all__
__all__ += ops.__all__
__all__ += pyramid.__all__
__all__ += rotated.__all__

if _typing.TYPE_CHECKING:  # a type checker that saw __getattr__ would take every name for an attribute
    from . import gpu as gpu
else:

    def __getattr__(name):
        if name == "gpu":  # on first use: the CPU path pays nothing for it
            return _importlib.import_module(".gpu", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_include() -> str:
    """Directory of ``fastroi.h`` and ``fastroi_capsule.h``, for the include path of another extension."""
    return _os.path.join(_os.path.dirname(__file__), "include")
