"""Runs the targets of tests/fuzz: any bytes are a call of the C ABI, and libFuzzer looks for those that go new ways.

    python tests/support/fuzzing.py                              # every target, a minute each
    python tests/support/fuzzing.py --runs=50000000              # the long run: hours
    python tests/support/fuzzing.py operators --operator=roi_pool --seconds=600 --keep

Inputs that ended a target lie in build/fuzz; `--keep` adds what found new ways to tests/fuzz/corpus. It prints a table.
"""

import argparse
import base64
import os
import re
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from native_build import ROOT, fuzz_target

FOLDER = ROOT / "tests" / "fuzz"
FOUND = ROOT / "build" / "fuzz"  # inputs that ended a target
TARGETS = tuple(sorted(source.stem for source in FOLDER.glob("*.cpp")))
# Lengths and rewards of features cost more than they find where calls are this short.
OPTIONS = ("-max_len=400", "-entropic=0", "-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1", "-verbosity=1")


@dataclass(frozen=True)
class Outcome:
    """What a run of a target came to; seconds of the processor. `features` are edges of the core, each counted by how often it is taken."""

    executions: int
    seconds: float
    features: int


def corpus(target):
    """The inputs of a target that the repository holds: lines of base64, and remarks behind #."""
    lines = (FOLDER / "corpus" / f"{target}.txt").read_text().splitlines()
    return [base64.b64decode(text) for line in lines if (text := line.split("#")[0].strip())]


def lay_out(inputs, folder):
    """One file for each input, as libFuzzer reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(inputs):
        (folder / f"{i:05}").write_bytes(data)
    return folder


def processor_seconds():
    """What processes that this one has waited for took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_target(target, folder, *options, operator=None):
    """Runs a target on the corpus; new inputs lie in folder/new. Raises AssertionError with what it said if it ends early."""
    FOUND.mkdir(parents=True, exist_ok=True)
    new, old = folder / "new", lay_out(corpus(target), folder / "old")
    new.mkdir(exist_ok=True)
    program = fuzz_target(target)
    command = [program, new, old, *OPTIONS, f"-artifact_prefix={FOUND}/{target}-", *options]
    environment = os.environ | {"FASTROI_FUZZ_OPERATOR": operator or "", "FASTROI_SIMD_DISABLE": ""}
    before = processor_seconds()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, f"{target} {operator or ''}: exit {done.returncode}\n{done.stderr[-8000:]}"
    executions = int(re.search(r"number_of_executed_units: +(\d+)", done.stderr)[1])
    features = max(int(number) for number in re.findall(r" ft: (\d+)", done.stderr))
    return Outcome(executions, processor_seconds() - before, features)


def keep(target, folder):
    """Adds the inputs of folder/new that reach lines of the core which the corpus does not."""
    old = corpus(target)
    chosen = folder / "chosen"
    lay_out(old, chosen)
    before = set(chosen.iterdir())
    subprocess.run(
        [fuzz_target(target), "-merge=1", "-use_counters=0", "-entropic=0", chosen, folder / "new"],
        check=True, capture_output=True,
    )  # fmt: skip
    added = sorted((path.read_bytes() for path in set(chosen.iterdir()) - before), key=lambda data: (len(data), data))
    with open(FOLDER / "corpus" / f"{target}.txt", "a") as file:
        file.writelines(base64.b64encode(data).decode() + "\n" for data in added)
    return len(added)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}; all if none is named")
    parser.add_argument("--operator", help="only this one")
    parser.add_argument("--runs", type=int, help="executions of each target")
    parser.add_argument("--seconds", type=int, default=60, help="of each target, where --runs is not given (60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="add what found new lines to the corpus")
    parser.add_argument("--program", action="store_true", help="print the path of the targets' programs, and run none")
    options = parser.parse_args()
    if options.program:
        print(*map(fuzz_target, options.targets or TARGETS), sep="\n")
        return
    length = f"-runs={options.runs}" if options.runs else f"-max_total_time={options.seconds}"
    print(f"{'target':<20}{'executions':>14}{'per second':>12}{'features':>10}")
    for target in options.targets or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            done = run_target(target, Path(folder), length, f"-seed={options.seed}", operator=options.operator)
            print(f"{target:<20}{done.executions:>14,}{done.executions / done.seconds:>12,.0f}{done.features:>10,}")
            if options.keep:
                print(f"{'':<20}{keep(target, Path(folder))} inputs kept")


if __name__ == "__main__":
    main()
