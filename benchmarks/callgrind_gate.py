"""Regression gate by instruction counts: the current commit against its parent.

``python benchmarks/callgrind_gate.py [--commit REV] [--parent REV]`` builds both commits with
their own setup.py, links its callgrind_driver.c to its objects, and runs the driver's fixed
cases under ``valgrind --tool=callgrind``, with the baseline instructions and with AVX2 forced
(valgrind runs no AVX-512). Wall time on a shared machine wavers by tens of percent; instruction
counts repeat almost to the digit.

Exit codes: 0 within the limit, 1 a count grew by more than the limit, 2 could not measure.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ISAS = ("baseline", "avx2")
LIMIT = 0.03


class CannotMeasure(RuntimeError):
    """Something the gate needs is missing or failed; never taken for a pass."""


def run(*command, cwd=None, env=None) -> str:
    """Return the standard output of a command that must succeed."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            text=True,
            check=False,
            env=env and dict(os.environ, **env),
            capture_output=True,
        )
    except OSError as error:
        raise CannotMeasure(f"{command[0]}: {error}") from error
    if done.returncode:
        tail = (done.stderr or done.stdout).strip()[-2000:]
        raise CannotMeasure(f"{' '.join(map(str, command))} gave {done.returncode}:\n{tail}")
    return done.stdout


def parent_of(repository: Path, commit: str) -> str | None:
    """Return the first parent, or None for the true first commit of a complete history."""
    if run("git", "rev-parse", "--is-shallow-repository", cwd=repository).strip() == "true":
        run("git", "rev-parse", "--verify", "--quiet", f"{commit}^", cwd=repository)
    words = run("git", "rev-list", "--parents", "-n", "1", commit, cwd=repository).split()
    return words[1] if len(words) > 1 else None


def extract(repository: Path, commit: str, folder: Path) -> None:
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    run("git", "archive", "--output", archive, commit, cwd=repository)
    run("tar", "-xf", archive, "-C", folder)


def build(source: Path) -> Path | None:
    """Build a commit and its own driver, whose cases keep their names; None when it has none.

    The objects come from the commit's own setup.py, so compiler flags stand in one place only.
    """
    include = source / "fastroi" / "include"
    driver = source / "benchmarks" / "callgrind_driver.c"
    if not (include / "fastroi.h").exists() or not driver.exists():
        return None
    run(
        sys.executable,
        "setup.py",
        "-q",
        "build_ext",
        "--build-temp",
        source / "objects",
        "--build-lib",
        source / "library",
        cwd=source,
    )
    objects = [path for path in sorted((source / "objects").rglob("*.o")) if not path.name.startswith("_core")]
    if not objects:
        raise CannotMeasure(f"setup.py left no objects in {source / 'objects'}")
    compiled, program = source / "driver.o", source / "driver"
    run(os.environ.get("CC", "cc"), "-std=c99", "-O2", "-g", "-Wall", "-I", include, "-c", driver, "-o", compiled)
    run(os.environ.get("CXX", "c++"), compiled, *objects, "-fopenmp", "-lm", "-o", program)
    return program


def instructions(program: Path, case: str, isa: str) -> int:
    """Return the instructions of one call of a case, counted inside the driver's own function."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "callgrind.out"
        run(
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={log}",
            "--toggle-collect=measured_call",
            program,
            case,
            env={"FASTROI_SIMD": isa, "OMP_NUM_THREADS": "1"},
        )
        found = re.search(r"^(?:summary|totals): (\d+)", log.read_text(), re.MULTILINE)
    if found is None or int(found[1]) == 0:
        raise CannotMeasure(f"callgrind counted nothing for {case}, {isa}")
    return int(found[1])


def counts(program: Path | None) -> dict[str, int]:
    """Return "case isa" -> instructions for every case a program knows."""
    if program is None:
        return {}
    names = run(program, "--list").split()
    if not names:
        raise CannotMeasure(f"{program} lists no cases")
    runs = [(name, isa) for name in names for isa in ISAS]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # what runs beside it changes no count
        counted = pool.map(lambda run: instructions(program, *run), runs)
        return {f"{name} {isa}": count for (name, isa), count in zip(runs, counted, strict=True)}


def grown(old: dict[str, int], new: dict[str, int], limit: float = LIMIT) -> list[str]:
    """Return the cases whose count grew by more than `limit`; a case without a past is new."""
    return [name for name, count in new.items() if name in old and count > old[name] * (1 + limit)]


def vanished(old: dict[str, int], new: dict[str, int]) -> list[str]:
    """Return the cases the parent could measure and the commit cannot."""
    return [name for name in old if name not in new]


def table(old: dict[str, int], new: dict[str, int]) -> str:
    lines = [f"{'case':34}{'parent':>14}{'commit':>14}{'change':>9}"]
    for name, count in new.items():
        before = old.get(name)
        change = "new" if before is None else f"{100 * (count / before - 1):+.2f} %"
        lines.append(f"{name:34}{before or '-':>14}{count:>14}{change:>9}")
    return "\n".join(lines)


def measure(repository: Path, commit: str, parent: str | None, folder: Path):
    """Return the counts of (parent, commit)."""
    if shutil.which("valgrind") is None:
        raise CannotMeasure("valgrind is not installed")
    new_source, old_source = folder / "commit", folder / "parent"
    extract(repository, commit, new_source)
    program = build(new_source)
    if program is None:
        raise CannotMeasure(f"{commit} has no fastroi.h or no callgrind_driver.c")
    old: dict[str, int] = {}
    if parent is not None:
        extract(repository, parent, old_source)
        old = counts(build(old_source))
    return old, counts(program)


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repository", type=Path, default=HERE.parent)
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--parent", help="default: the commit's first parent")
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="largest growth of a count, as a fraction (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        parent = options.parent or parent_of(options.repository, options.commit)
        with tempfile.TemporaryDirectory(prefix="fastroi-gate-") as folder:
            old, new = measure(options.repository, options.commit, parent, Path(folder))
    except CannotMeasure as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 2
    print(table(old, new))
    worse, lost = grown(old, new, options.limit), vanished(old, new)
    for name in worse:
        print(f"{name}: more than {100 * options.limit:g} % above the parent", file=sys.stderr)
    for name in lost:
        print(f"{name}: the parent ran it, this commit does not", file=sys.stderr)
    return 1 if worse or lost else 0


if __name__ == "__main__":
    sys.exit(main())
