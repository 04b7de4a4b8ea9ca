"""Compiles the core as setup.py would: its own tables of sources and flags, another compiler or further flags if asked.

Objects stay under build/, those of this machine beside setup.py's own: a run compiles what changed, whichever of its tests and
processes asks first.
"""

import functools
import hashlib
import importlib.util
import os
import re
import subprocess
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "fastroi" / "include"
SANITIZED = (
    "-g1",
    "-O1",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
    "-DFASTROI_CHECK_PLANS",
)  # flags of a compilation: every index of every plan is looked at, too
CLANG = "clang++-14"
LLVM = Path("/usr/lib/llvm-14")  # of Debian's packages

FUZZED = (
    "-g1",
    "-O1",
    "-fsanitize=fuzzer,address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
    "-fno-sanitize-coverage=trace-cmp",  # the bytes of an input are decisions: what the core compares is not among them
    f"-fsanitize-coverage-ignorelist={ROOT / 'tests' / 'fuzz' / 'not_followed.txt'}",
    "-fno-openmp",  # calls of one thread
    "-Wno-unknown-warning-option",
    "-DFASTROI_CHECK_PLANS",
)


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


def variant_name(*choices):
    """A folder's name for what is not as usual; as long as a file system likes it."""
    name = re.sub(r"\W+", "_", " ".join(filter(None, choices)))
    return name if len(name) <= 150 else f"{name[:100]}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@functools.cache
def compiled(machine=None, cxx=None, flags=()):
    """{isa or source: object file} of the whole core."""
    tables = setup_tables(machine)
    variant = variant_name(machine, cxx, *flags)
    directory = ROOT / "build" / "variants" / variant if variant else tables.OBJECTS
    return tables.compile_parts(tables.compilations(flags), directory, cxx)


def build_program(source, program, machine=None, cxx=None, flags=(), link=()):
    """Compiles a C++ program and links it with the whole core."""
    tables = setup_tables(machine)
    own = ["-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", f"-I{INCLUDE}", *flags]
    objects = compiled(machine, cxx, flags).values()
    run(cxx or tables.compiler(), *own, source, *objects, "-o", program, *tables.OPENMP_FLAGS, *link)
    return program


@functools.cache
def unit_program(name, machine=None, cxx=None, flags=(), link=(), room="unit"):
    """A program of a room of tests linked with the core; kept, as objects are, until a part of it changes."""
    tables = setup_tables(machine)
    core = list(compiled(machine, cxx, flags).values())
    own = ["-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", f"-I{INCLUDE}", *flags]
    directory = core[0].parent / room / name
    objects = [*tables.compile_parts({name: (f"tests/{room}/{name}.cpp", own)}, directory, cxx).values(), *core]
    program = directory / name
    with tables.locked(directory):
        if not program.exists() or program.stat().st_mtime < max(part.stat().st_mtime for part in objects):
            run(cxx or tables.compiler(), *flags, *objects, "-o", f"{program}.new", *tables.OPENMP_FLAGS, *link)
            os.replace(f"{program}.new", program)
    return program


def fuzz_target(name):
    """A program of tests/fuzz: a target of libFuzzer, with the core compiled to be followed and watched."""
    return unit_program(name, cxx=CLANG, flags=FUZZED, link=("-fno-openmp",), room="fuzz")


def build_library(source, library):
    """Compiles a C++ file, if it or what it includes changed, and links it with the whole core to a shared library."""
    tables = setup_tables()
    flags = [*tables.core_flags(), "-O0", f"-I{INCLUDE}"]
    part = tables.compile_parts({"library": (source, flags)}, ROOT / "build" / "variants" / source.stem)
    run(tables.compiler(), "-shared", *part.values(), *compiled().values(), "-o", library, *tables.OPENMP_FLAGS)
    return library
