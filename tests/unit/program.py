"""Builds a program of this folder and prints its path: python tests/unit/program.py {kernels,plans,work_plans} [--sanitize]

CXX chooses the compiler, as everywhere.
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

from native_build import SANITIZED, unit_program

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(source.stem for source in Path(__file__).parent.glob("*.cpp")))
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UBSan")
    options = parser.parse_args()
    print(unit_program(options.name, flags=SANITIZED if options.sanitize else ()))
