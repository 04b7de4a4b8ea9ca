"""Build of the C++ core and its Cython face. The tables here are the only place that knows compiler flags.

ninja compiles, on all processors and only what changed, into build/. CXX and CXXFLAGS are taken from the environment.
"""

import contextlib
import fcntl
import importlib.util
import os
import platform
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError

ROOT = Path(__file__).resolve().parent
MACHINE = os.environ.get("FASTROI_MACHINE", platform.machine()).lower()  # set it to cross-compile

# One translation unit per instruction set, each with its own flags; everything else is compiled for the baseline.
# GCC 12 takes the undefined operands inside its own AVX-512 intrinsics for ours, hence the two -Wno flags.
X86_ISAS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": [
        "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mf16c",
        "-mprefer-vector-width=512", "-Wno-uninitialized", "-Wno-maybe-uninitialized",
    ],
}  # fmt: skip
ARM_ISAS = {"baseline": [], "neon": []}
ISAS = X86_ISAS if MACHINE in ("x86_64", "amd64") else ARM_ISAS if MACHINE in ("aarch64", "arm64") else {"baseline": []}

# Contraction would move bin edges and break bit-identity; fast-math would break NaN and change the caller's float mode.
COMMON_FLAGS = [
    "-std=c++17", "-O3", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-Wall", "-Wextra",
]  # fmt: skip
KERNEL_FLAGS = [*COMMON_FLAGS, "-fno-rtti", "-fno-threadsafe-statics"]
OPENMP_FLAGS = [] if os.environ.get("FASTROI_NO_OPENMP") else ["-fopenmp"]

# Everything else of the core, whatever room it is in.
CORE_SOURCES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.cpp") if not path.name.startswith("isa_")
)
SHARED_HEADERS = (
    "element.h",
    "plan/axis_plan.h",
    "plan/rules.h",
    "plan/tap_rules.h",
    "plan/ps_rules.h",
    "plan/gather_rules.h",
    "plan/mask_rules.h",
)  # the GPU kernels include them

OBJECTS = ROOT / "build" / "objects" / f"{MACHINE}-{sys.implementation.cache_tag}"


def kernel_source(isa):
    return f"src/kernels/isa_{isa}.cpp"


def version():
    return re.search(r'__version__ = "([^"]+)"', (ROOT / "fastroi/_version.py").read_text())[1]


def core_flags():
    return [*COMMON_FLAGS, f'-DFASTROI_VERSION="{version()}"', *OPENMP_FLAGS]


def make_variables():
    """The tables above for a Makefile: `python setup.py --make` (examples/plain_c shows its use)."""
    variables = {
        "FASTROI_CORE_SOURCES": CORE_SOURCES,
        "FASTROI_CORE_FLAGS": core_flags(),
        "FASTROI_ISAS": ISAS,
        "FASTROI_LINK_FLAGS": OPENMP_FLAGS,
        **{f"FASTROI_FLAGS_isa_{isa}": [*KERNEL_FLAGS, *flags] for isa, flags in ISAS.items()},
    }
    return "".join(f"{name} := {shlex.join(values)}\n" for name, values in variables.items())


def compilations(extra=()):
    """{part: (source, flags)}: a part is an instruction set, or a source file of everything else."""
    core = {source: (source, [*core_flags(), *extra]) for source in CORE_SOURCES}
    kernels = {isa: (kernel_source(isa), [*KERNEL_FLAGS, *flags, *extra]) for isa, flags in ISAS.items()}
    return core | kernels


def compiler():
    return os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++"


def ninja_path(path):
    return re.sub(r"([$ :])", r"$\1", str(path))


def ninja_file(parts, objects, cxx):
    """What ninja needs to know: a compilation for each part, and that the compiler tells which headers it read."""
    lines = [
        "rule compile",
        "  command = $compile -MMD -MF $out.d -c $in -o $out",
        "  depfile = $out.d",
        "  deps = gcc",
    ]
    for part, (source, flags) in parts.items():
        command = shlex.join([*shlex.split(cxx), *flags, *shlex.split(os.environ.get("CXXFLAGS", ""))])
        lines.append(f"build {ninja_path(objects[part])}: compile {ninja_path(ROOT / source)}")
        lines.append("  compile = " + command.replace("$", "$$"))
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def locked(directory):
    """A directory of objects, to be changed by one process at a time."""
    directory = Path(directory).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory


def ninja(directory, *arguments, **options):
    program = [sys.executable, "-m", "ninja"] if importlib.util.find_spec("ninja") else ["ninja"]
    return subprocess.run([*program, "--quiet", "-C", str(directory), *arguments], **options)


def object_name(part):
    return re.sub(r"\W", "_", part.removesuffix(".cpp")) + ".o"


def run_ninja(parts, directory, cxx):
    """{part: object file}. Compiles what changed since the last time."""
    objects = {part: directory / object_name(part) for part in parts}
    (directory / "build.ninja").write_text(ninja_file(parts, objects, cxx or compiler()))
    if ninja(directory).returncode:
        raise CompileError("the core does not compile; what the compiler said stands above")
    return objects


def compile_parts(parts, directory, cxx=None):
    with locked(directory) as own:
        return run_ninja(parts, own, cxx)


def write_if_new(path, text):
    """A file that stays as it is until its text changes, and is never half written."""
    if not path.exists() or path.read_text("utf-8") != text:
        half = path.with_name(f"{path.name}.{os.getpid()}")
        half.write_text(text, "utf-8")
        half.replace(path)


def write_declarations():
    """fastroi/capi.pxd, made of fastroi.h."""
    spec = importlib.util.spec_from_file_location("cython_declarations", ROOT / "tools" / "cython_declarations.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    header = ROOT / "fastroi" / "include" / "fastroi.h"
    write_if_new(ROOT / "fastroi" / "capi.pxd", tool.cython_declarations(header, compiler()))


PKG_CONFIG = """\
prefix=${{pcfiledir}}/..
includedir=${{prefix}}/include

Name: fastroi
Description: Region-of-Interest operators, for extension modules that call them through fastroi_capsule.h
Version: {version}
Cflags: -I${{includedir}}
"""


def write_pkg_config():
    """fastroi/share/fastroi.pc, which cannot read the version itself."""
    write_if_new(ROOT / "fastroi" / "share" / "fastroi.pc", PKG_CONFIG.format(version=version()))


def write_compile_commands(target=ROOT / "compile_commands.json"):
    """For clangd and its like: what ninja was told at the last build."""
    with locked(OBJECTS) as own:
        target.write_text(ninja(own, "-t", "compdb", "compile", capture_output=True, text=True, check=True).stdout)


def cython_source(directory):
    """What Cython makes of the core's face."""
    from Cython.Build import cythonize

    write_declarations()
    face = Extension("fastroi._core", ["fastroi/_core.pyx"], language="c++")
    (face,) = cythonize([face], language_level=3, quiet=True, force=True, build_dir=str(directory / "cython"))
    kept = directory / "_core.cpp"
    write_if_new(kept, Path(face.sources[0]).read_text("utf-8"))
    return kept


def extension_objects(directory=OBJECTS):
    """{part: object file} of all that the extension is linked from: the core and its face."""
    folders = [ROOT / "fastroi" / "include", *{sysconfig.get_path("include"), sysconfig.get_path("platinclude")}]
    flags = [*core_flags(), "-DFASTROI_LINKED", "-Wno-unused-function", *(f"-I{folder}" for folder in folders)]
    with locked(directory) as own:
        return run_ninja({**compilations(), "_core": (cython_source(own), flags)}, own, None)


class BuildCore(build_ext):
    """Links what ninja compiles; an extension has no sources that setuptools would compile itself."""

    def finalize_options(self):
        self.objects = self.build_temp or OBJECTS  # of setuptools' choice, it would be new every time
        super().finalize_options()

    def build_extension(self, ext):
        ext.extra_objects = ext.depends = [str(path) for path in extension_objects(self.objects).values()]
        super().build_extension(ext)


class BuildPython(build_py):
    """Puts the rule headers beside the GPU kernels; an editable install reads them where they are."""

    def run(self):
        write_declarations()
        write_pkg_config()
        super().run()
        if getattr(self, "editable_mode", False):
            return
        target = Path(self.build_lib) / "fastroi" / "cuda" / "include"
        target.mkdir(parents=True, exist_ok=True)
        for name in SHARED_HEADERS:
            self.copy_file(str(ROOT / "src" / name), str(target / Path(name).name))


if __name__ == "__main__":
    if sys.argv[1:] == ["--make"]:
        print(make_variables(), end="")
    elif sys.argv[1:] == ["--objects"]:
        print(*extension_objects().values(), sep="\n")
    elif sys.argv[1:] == ["--compile-commands"]:
        write_compile_commands()
    else:
        core = Extension("fastroi._core", [], language="c++", extra_link_args=OPENMP_FLAGS)
        setup(ext_modules=[core], cmdclass={"build_ext": BuildCore, "build_py": BuildPython})
