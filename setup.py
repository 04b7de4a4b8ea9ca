"""Build of the C++ core and its Cython face. The tables here are the only place that knows compiler flags."""

import os
import platform
import re
import shlex
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

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
ISAS = (
    X86_ISAS
    if MACHINE in ("x86_64", "amd64")
    else ARM_ISAS
    if MACHINE in ("aarch64", "arm64")
    else {"baseline": []}
)

# Contraction would move bin edges and break bit-identity; fast-math would break NaN and change the caller's float mode.
COMMON_FLAGS = ["-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-Wall", "-Wextra"]
KERNEL_FLAGS = [*COMMON_FLAGS, "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
OPENMP_FLAGS = [] if os.environ.get("FASTROI_NO_OPENMP") else ["-fopenmp"]

CORE_SOURCES = [
    "src/capi.cpp", "src/capsule_table.cpp", "src/descriptors.cpp", "src/dispatch.cpp", "src/gather_operators.cpp", "src/mask_operators.cpp", "src/operators.cpp", "src/range_tables.cpp", "src/run.cpp", "src/threads.cpp", "src/plan/roi_plan.cpp",
]  # fmt: skip
HEADERS = sorted(
    str(p.relative_to(ROOT))
    for pattern in ("src/**/*.h", "src/**/*.inl", "fastroi/include/*.h")
    for p in ROOT.glob(pattern)
)
RULE_HEADERS = ("axis_plan.h", "rules.h", "tap_rules.h", "ps_rules.h", "gather_rules.h", "mask_rules.h")  # the GPU kernels include them


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


class BuildCore(build_ext):
    """Compiles each kernel file with its instruction set's flags, then links them into the extension."""

    def build_extension(self, ext):
        objects = []
        for isa, flags in ISAS.items():
            objects += self.compiler.compile(
                [kernel_source(isa)],
                output_dir=self.build_temp,
                extra_postargs=[*KERNEL_FLAGS, *flags],
                depends=HEADERS,
            )
        ext.extra_objects = objects
        super().build_extension(ext)


class BuildPython(build_py):
    """Puts the rule headers beside the GPU kernels; an editable install reads them where they are."""

    def run(self):
        super().run()
        if getattr(self, "editable_mode", False):
            return
        target = Path(self.build_lib) / "fastroi" / "cuda" / "include"
        target.mkdir(parents=True, exist_ok=True)
        for name in RULE_HEADERS:
            self.copy_file(str(ROOT / "src" / "plan" / name), str(target / name))


def extensions():
    from Cython.Build import cythonize

    core = Extension(
        "fastroi._core",
        sources=["fastroi/_core.pyx", *CORE_SOURCES],
        depends=HEADERS,
        include_dirs=["fastroi/include"],
        language="c++",
        extra_compile_args=[*core_flags(), "-Wno-unused-function"],
        extra_link_args=OPENMP_FLAGS,
    )
    return cythonize([core], language_level=3)


if __name__ == "__main__":
    if sys.argv[1:] == ["--make"]:
        print(make_variables(), end="")
    else:
        setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCore, "build_py": BuildPython})
