"""Compiles the core as setup.py would: its own tables of sources and flags, another compiler or further flags if asked."""

import atexit
import functools
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "fastroi" / "include"


def setup_tables(machine=None):
    """setup.py as a module; `machine` overrides the one it runs on."""
    spec = importlib.util.spec_from_file_location("fastroi_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(os.environ, {"FASTROI_MACHINE": machine} if machine else {}):
        spec.loader.exec_module(module)
    return module


def run(*command, **options):
    """Standard output of a command that must succeed."""
    finished = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)
    assert finished.returncode == 0, f"{command}: exit {finished.returncode}\n{finished.stdout}{finished.stderr}"
    return finished.stdout


def compile_isas(directory, machine=None, cxx="g++", extra=()):
    """{isa: object file} of the kernel files."""
    tables = setup_tables(machine)
    objects = {isa: directory / f"isa_{isa}.o" for isa in tables.ISAS}
    for isa, flags in tables.ISAS.items():
        run(cxx, *tables.KERNEL_FLAGS, *flags, *extra, "-c", ROOT / tables.kernel_source(isa), "-o", objects[isa])
    return objects


def compile_core(directory, machine=None, cxx="g++", extra=()):
    """{source: object file} of everything else."""
    tables = setup_tables(machine)
    objects = {source: directory / (Path(source).stem + ".o") for source in tables.CORE_SOURCES}
    for source, target in objects.items():
        run(cxx, *tables.core_flags(), *extra, "-c", ROOT / source, "-o", target)
    return objects


@functools.cache
def host_objects():
    """{isa or source: object file} as setup.py builds them on this machine; compiled once per test run."""
    directory = Path(tempfile.mkdtemp(prefix="fastroi-objects-"))
    atexit.register(shutil.rmtree, directory)
    return compile_core(directory) | compile_isas(directory)


def build_program(source, directory, machine=None, cxx="g++", extra=()):
    """Links a C++ program with the whole core; the path of the executable."""
    tables = setup_tables(machine)
    objects = [*compile_core(directory, machine, cxx, extra).values()]
    objects += compile_isas(directory, machine, cxx, extra).values()
    program = directory / source.stem
    flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", f"-I{INCLUDE}", *extra]
    run(cxx, *flags, source, *objects, "-o", program, *tables.OPENMP_FLAGS)
    return program
