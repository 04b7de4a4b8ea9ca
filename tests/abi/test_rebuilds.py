"""What a change compiles: nothing changed, nothing; a kernel, the instruction sets; a source file, itself.

Built from a copy of the sources by a compiler that only preprocesses: it reads the same headers, which is all that ninja sees.
"""

import runpy
import shutil
import sys
from types import SimpleNamespace

from native_build import ROOT, run, setup_tables


class Copy:
    """The sources in another place, with their own setup.py and objects."""

    def __init__(self, root):
        for name in ("src", "fastroi", "tools"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        shutil.copy(ROOT / "setup.py", root)
        self.root, self.setup = (
            root,
            SimpleNamespace(**runpy.run_path(str(root / "setup.py"), run_name="fastroi_setup")),
        )

    def change(self, *names):
        for name in names:
            with open(self.root / name, "a") as file:
                file.write("\n// changed\n")

    def compiled_by(self, build):
        """Names of the object files that a build wrote."""
        before = self._times()
        build()
        return {name for name, time in self._times().items() if time != before.get(name)}

    def build(self):
        run(sys.executable, "setup.py", "--objects", cwd=self.root)

    def build_core(self):
        """The same without Cython, which takes longer than all the rest."""
        self.setup.compile_parts(self.setup.compilations(), self.setup.OBJECTS)

    def _times(self):
        return {path.name: path.stat().st_mtime_ns for path in self.setup.OBJECTS.glob("*.o")}


def test_a_change_compiles_what_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", f"{setup_tables().compiler()} -E")
    copy = Copy(tmp_path)
    sources = copy.setup.CORE_SOURCES
    isas = {copy.setup.object_name(isa) for isa in copy.setup.ISAS}
    assert copy.compiled_by(copy.build) == {*isas, *map(copy.setup.object_name, [*sources, "_core"])}
    assert copy.compiled_by(copy.build) == set()
    copy.change(*tmp_path.glob("src/**/*.inl"))
    assert copy.compiled_by(copy.build_core) == isas
    copy.change(sources[0])
    assert copy.compiled_by(copy.build_core) == {copy.setup.object_name(sources[0])}
