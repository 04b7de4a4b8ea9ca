"""How much each gate has to do: what CI promises to have tried before it says that nothing was found.

    python tests/support/gates.py RECORDS   # the table of what was counted in that file; exit status 1 where it is too little

A test counts what it tried with the fixture `tried`; pytest prints the sums, and adds them to the file that FASTROI_GATES names.
"""

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LONG_SCALE = float(os.environ.get("FASTROI_LONG_SCALE") or 1)


@dataclass(frozen=True)
class Gate:
    """`cases` of the whole gate; where `shortens`, a run takes the share FASTROI_LONG_SCALE of them."""

    cases: int
    what: str
    shortens: bool = False

    def promised(self, scale):
        return int(self.cases * min(scale, 1)) if self.shortens else self.cases


GATES = {
    "fuzzing": Gate(20_000_000, "calls made of bytes, by libFuzzer, on every operator", shortens=True),
    "bad input": Gate(7900, "lines of the table, refused by name, row and value or defined"),
    "arguments and readers": Gate(
        40_000, "calls with any object for an argument and commands with any bytes in a file, by hypothesis", True
    ),
    "determinism": Gate(
        50_000, "digests over threads, layouts, pieces and processes, equal for an instruction set", True
    ),
    "failing allocations": Gate(
        1000, "allocations of every operator, each failed once: MemoryError, and the next call works"
    ),
    "leaks": Gate(300_000, "calls, answered and refused: less than 1 MiB kept, no reference to an input"),
    "service": Gate(10_000, "calls by eight callers beside a writer and by four forked children", True),
    "processes": Gate(27, "ways to fork, spawn, interrupt and end a process or an interpreter beside a call"),
    "interrupts": Gate(
        360, "Ctrl-C in planning, packing, reducing, gathering, each answered within 200 ms of processor time", True
    ),
    "float environment": Gate(
        180, "calls under five settings of rounding and subnormals, none changed, all threads alike"
    ),
    "guard pages": Gate(200_000, "calls with every array flush against a page that nobody may touch", shortens=True),
    "sanitizers": Gate(
        170_000, "calls under clang's sanitizers: address, memory, threads with callers at once", shortens=True
    ),
}


def lines(counts, scale=LONG_SCALE):
    """[(text, whether it is enough)], one for each gate that was counted."""
    for name, gate in GATES.items():
        if name in counts:
            promised = gate.promised(scale)
            enough = counts[name] >= promised
            verdict = "" if enough else f"  FEWER THAN THE {promised:,} PROMISED"
            yield f"{name:<24} {counts[name]:>12,}  {gate.what}{verdict}", enough


def total(records):
    """The counts of all runs that a file of records tells of. A gate that ran several times counts its largest run."""
    counts = Counter()
    for record in map(json.loads, records):
        counts |= Counter(record)
    return counts


def main(path):
    counts = total(Path(path).read_text().splitlines())
    printed = list(lines(counts))
    missing = [name for name in GATES if name not in counts]
    print("\n".join(text for text, _ in printed))
    if missing:
        print(f"not run at all: {', '.join(missing)}")
    return int(bool(missing) or not all(enough for _, enough in printed))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
