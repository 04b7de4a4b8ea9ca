"""fastroi.h as Cython declares it: what `fastroi/capi.pxd` is made of.

The preprocessor writes the header's tables out; what is left is enumerations, structs and prototypes of plain C.
"""

import re
import shlex
import subprocess

_HEAD = """\
# fastroi.h for Cython, made of it by tools/cython_declarations.py.
# _core.pyx is linked with the library; everything else goes through the capsule, by `cimport fastroi`.
from libc.stdint cimport int32_t, int64_t


cdef extern from *:
    \"\"\"
    #ifdef FASTROI_LINKED
    #include "fastroi.h"
    #else
    #include "fastroi_capsule.h"
    #endif
    \"\"\"
"""


def cython_declarations(header, compiler):
    """The text of a .pxd file; `compiler` is a command that preprocesses C."""
    text = re.sub(r"(?m)^#include <.*>$", "", header.read_text("utf-8"))
    command = [*shlex.split(compiler), "-E", "-P", "-x", "c", f"-I{header.parent}", "-"]
    plain = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout
    plain = re.sub(r'__attribute__\(\(\w+\("\w+"\)\)\) *', "", " ".join(plain.split()))
    return _HEAD + "\n".join(_declared(statement) for statement in _statements(plain)) + "\n"


def _statements(plain):
    """Top-level declarations, without the semicolon."""
    return [statement.strip() for statement in re.findall(r"(?:[^;{]|{[^}]*})+(?=;)", plain) if statement.strip()]


def _declared(statement):
    enumeration = re.fullmatch(r"typedef enum (\w+) ?{ ?(.*?),? ?} \w+", statement)
    if enumeration:
        return _block(
            f"ctypedef enum {enumeration[1]}:", [item.split("=")[0].strip() for item in enumeration[2].split(",")]
        )
    struct = re.fullmatch(r"typedef struct (\w+) ?{ ?(.*?) ?} \w+", statement)
    if struct:
        return _block(
            f"ctypedef struct {struct[1]}:", [_member(item.strip()) for item in struct[2].split(";") if item.strip()]
        )
    return f"    {statement.replace('(void)', '()').replace('*exec,', '*exec_,')} noexcept nogil"


def _block(head, lines):
    return "\n".join([f"    {head}", *(f"        {line}" for line in lines)])


def _member(declaration):
    return f"{declaration} noexcept nogil" if declaration.endswith(")") else declaration
