"""The GPU path behind :mod:`fastroi.gpu`; here the source of its kernels, which needs neither CuPy nor a device.

``runtime``: all that is asked of CuPy. ``launch``: the structure that kernels take. ``call``: the maps, boxes and result of one
call, which kernels reduce it and how they are launched. ``operators``: what each operator plans and asks of a call.
"""

import re
from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_INCLUDE = re.compile(r'^#include "(?:[\w.]+/)*(\w+\.(?:h|cuh))"$', re.MULTILINE)

#: Options every compiler of the kernels must get: a fused product would move bin edges.
OPTIONS = ("-std=c++17", "--fmad=false")


def element_options(element, result=None):
    """The options that choose a set of kernels, by the core's codes of elements.

    Of kernels that reduce maps of `element` to `result`; without that, of those that plan what is summed in `element`.
    """
    options = (f"-DFASTROI_ELEMENT={element}",)
    return options if result is None else (*options, f"-DFASTROI_RESULT={result}")


def _header(name):
    """A part of the kernels, or a header that they share with the core: of the package, or of the source tree it is edited in."""
    core = _HERE.parent.parent / "src"
    for folder in (_HERE, _HERE / "include", _HERE.parent / "include", core, core / "plan"):
        if (folder / name).is_file():
            return (folder / name).read_text("utf-8")
    raise FileNotFoundError(f"{name}: not found in {_HERE / 'include'}; reinstall fastroi")


@lru_cache(maxsize=1)
def source():
    """The kernels with the rule headers of the CPU build written into them, each once, as one text."""
    seen = set()

    def expanded(text):
        return _INCLUDE.sub(lambda match: once(match[1]), text)

    def once(name):
        if name in seen:
            return ""
        seen.add(name)
        lines = _header(name).splitlines()
        return expanded("\n".join(line for line in lines if line not in ("#pragma once", "#include <stdint.h>")))

    return expanded((_HERE / "fastroi.cu").read_text("utf-8"))
