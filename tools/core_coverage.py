"""How much of the core the everyday tests run: its lines, its branches, and every place that says no.

    pip install -e '.[proof]' && python tools/core_coverage.py    # totals by file; exit status 1 below what is promised
    python tools/core_coverage.py --missing                       # and each line and branch that was not reached

A copy of the tree under build/ is compiled with gcov's counters, and tested on all processors. Every call of refuse() gets a line
of its own in that copy, so that one that no test reaches is seen. Branches that an exception takes out of a call are not counted.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import core_copy
from core_copy import ROOT

# Tests that look at the objects or the memory of a usual build, and those that would only compile the counting one again.
LEFT_OUT = (
    "tests/abi/test_embedding.py", "tests/abi/test_public_header.py", "tests/abi/test_symbols.py", "tests/gpu", "tests/docs",
    "tests/cli/test_cli.py::test_no_room_for_the_result", "tests/unit/test_mutants.py",
)  # fmt: skip
# Counts of a process are written when it ends as it should, which workers of xdist do not: two processes share the tests instead.
SHARES = (("tests/operators",), ("tests", "--ignore=tests/operators"))
PROMISED = {"lines": 98.0, "branches": 92.0, "refusals": 100.0}  # percent
SOURCES = (".cpp", ".h", ".inl")
REFUSAL = re.compile(r"\brefuse\(")


def with_refusals_apart(text):
    return REFUSAL.sub("\nrefuse(", text)


def apart():
    """{file: text} of the core, each refusal on a line of its own."""
    files = [path for path in (ROOT / "src").rglob("*") if path.suffix in SOURCES and path.name != "refusal.h"]
    return {str(path.relative_to(ROOT)): with_refusals_apart(path.read_text("utf-8")) for path in files}


def write_compiler(tree):
    """A compiler that counts, for all that is built or linked: the extension module, and the programs of the tests.

    Atomically: the compiler takes a counter for a loop variable, and another thread that counts as well makes the loop endless.
    """
    script = tree / "counting-c++"
    core_copy.write_if_new(script, b'#!/bin/sh\nexec c++ --coverage -fprofile-update=atomic "$@"\n')
    script.chmod(0o755)
    return script


def run_tests(tree, tests):
    core_copy.copy_tree(tree, apart())
    environ = core_copy.environment(tree, CXX=str(write_compiler(tree)), CXXFLAGS="-O1", LDFLAGS="--coverage")
    core_copy.build(tree, environ)
    for counts in tree.rglob("*.gcda"):
        counts.unlink()
    left_out = [f"--deselect={name}" for name in LEFT_OUT]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *left_out]
    running = [subprocess.Popen([*command, *share], cwd=tree, env=environ) for share in ([tests] if tests else SHARES)]
    if sum(process.wait() for process in running):
        raise SystemExit("the tests fail: what they cover would say little")


def counted(tree):
    """gcovr's files: what gcov counted, merged over all objects."""
    out = tree / "coverage.json"
    command = [
        sys.executable,
        "-m",
        "gcovr",
        "--root",
        tree,
        "--filter",
        "src/",
        "--exclude-throw-branches",
        "--exclude-unreachable-branches",
        "--gcov-ignore-parse-errors=all",
        "--merge-mode-functions=merge-use-line-min",
        "--json",
        out,
        tree / "build",
    ]
    subprocess.run([str(word) for word in command], cwd=tree, check=True)
    return json.loads(out.read_text())["files"]


@dataclass
class Share:
    reached: int = 0
    all: int = 0

    def add(self, reached):
        self.reached += bool(reached)
        self.all += 1

    @property
    def percent(self):
        return 100 * self.reached / self.all if self.all else 100.0

    def __str__(self):
        return f"{self.reached:5} of {self.all:5} {self.percent:6.2f} %" if self.all else " " * 23


def lines_of(entry):
    """{number: (count, [count of each branch])}: instances of a template, which gcov lists apart, are one line of text."""
    merged = {}
    for line in entry["lines"]:
        branches = [branch["count"] for branch in line.get("branches", [])]
        count, before = merged.get(line["line_number"], (0, []))
        longest = itertools.zip_longest(before, branches, fillvalue=0)
        merged[line["line_number"]] = count + line["count"], [a + b for a, b in longest]
    return merged


def measure(tree, files):
    """{file: {kind: Share}}, and [(file, text of a line, what of it was not reached)]."""
    shares, missing = {}, []
    for entry in files:
        name, lines = entry["file"], (tree / entry["file"]).read_text("utf-8").splitlines()
        found = shares[name] = defaultdict(Share)
        for number, (count, branches) in sorted(lines_of(entry).items()):
            text = lines[number - 1].strip()
            kind = "refusals" if text.startswith("refuse(") else "lines"
            found[kind].add(count)
            for branch in branches if count else ():
                found["branches"].add(branch)
            left = branches.count(0)
            if not count or left:
                missing.append((name, text, f"{left} of {len(branches)} branches" if count else kind[:-1]))
    return shares, missing


def totals(shares):
    whole = {kind: Share() for kind in PROMISED}
    for found in shares.values():
        for kind, share in found.items():
            whole[kind].reached += share.reached
            whole[kind].all += share.all
    return whole


def report(shares, missing, show_missing):
    for name, found in sorted(shares.items()):
        print(f"{name:36}", *(f"{kind} {found[kind]}" for kind in PROMISED))
    for name, text, what in missing if show_missing else ():
        print(f"{name:36} {what:22} {text}")
    whole = totals(shares)
    print(f"{'the core':36}", *(f"{kind} {whole[kind]}" for kind in PROMISED))
    return [kind for kind, least in PROMISED.items() if whole[kind].percent < least]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", help="instead of the everyday tests")
    parser.add_argument("--missing", action="store_true", help="what was not reached")
    parser.add_argument("--counted", action="store_true", help="report what the last run counted")
    parser.add_argument("--tree", type=Path, default=ROOT / "build" / "coverage", help="where the copy lies")
    arguments = parser.parse_args()
    tree = arguments.tree.resolve()
    if not arguments.counted:
        run_tests(tree, arguments.tests)
    short = report(*measure(tree, counted(tree)), arguments.missing)
    if short:
        sys.exit(f"less than promised: {', '.join(f'{kind} (at least {PROMISED[kind]:g} %)' for kind in short)}")


if __name__ == "__main__":
    main()
