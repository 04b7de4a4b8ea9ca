"""Times one kernel, or all: python tests/unit/kernel_bench.py [KERNEL]

Every element, block width and instruction set of this machine, by the lines that check the kernel first.
"""

import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

from native_build import unit_program

if __name__ == "__main__":
    sys.exit(subprocess.run([unit_program("kernels"), "--bench", *sys.argv[1:]], check=False).returncode)
