"""``python -m fastroi``: the command line."""

import sys

from fastroi.cli import main

if __name__ == "__main__":
    sys.exit(main())
