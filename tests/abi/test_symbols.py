"""What setup.py's flags make of the sources: one exported symbol an instruction set, wide registers only where they belong.

A template compiled with AVX flags and merged by the linker with one that was not is how a library dies on old machines.
"""

import re

import pytest
from native_build import compiled, run, setup_tables

ISAS = setup_tables().ISAS
CORE_SOURCES = setup_tables().CORE_SOURCES
WIDE = {"avx2": {"ymm"}, "avx512": {"ymm", "zmm"}}
C_LIBRARY = {"memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}


def symbols(path, *options):
    lines = run("nm", *options, path).splitlines()
    return [(line.split()[-2], line.split()[-1]) for line in lines if line.strip()]


@pytest.mark.parametrize("isa", ISAS)
def test_kernel_file_exports_one_symbol_and_nothing_weak(isa):
    exported = [
        (kind, name) for kind, name in symbols(compiled()[isa], "--defined-only") if kind.isupper() or kind in "uvw"
    ]
    assert [kind for kind, _ in exported] == ["T"]
    assert f"kernels_{isa}" in exported[0][1]


@pytest.mark.parametrize("isa", ISAS)
def test_kernel_file_needs_nothing_but_memory_functions(isa):
    assert {name for _, name in symbols(compiled()[isa], "--undefined-only")} <= C_LIBRARY


@pytest.mark.parametrize("part", [*ISAS, *CORE_SOURCES])
def test_wide_registers_only_where_they_belong(part):
    code = run("objdump", "-d", "--no-show-raw-insn", compiled()[part])
    found = set(re.findall(r"%([yz]mm)\d", code))
    assert found == WIDE.get(part, set())


def test_kernel_file_runs_nothing_at_load_time():
    for isa in ISAS:
        sections = run("objdump", "-h", compiled()[isa])
        assert ".init_array" not in sections and ".ctors" not in sections
