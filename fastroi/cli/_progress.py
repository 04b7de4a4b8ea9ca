"""A progress bar on stderr: tqdm's where it is installed, else one line that counts."""

from __future__ import annotations

import contextlib
import sys
import time

# Short jobs end without a bar.
_DELAY_SECONDS = 1.0


@contextlib.contextmanager
def progress(total, unit, when="auto"):
    """Yield a function to be called with the number of units just done.

    Parameters
    ----------
    total : int
        Units in all.
    unit : str
        Their name in the plural.
    when : {"auto", "always", "never"}
        "auto" shows a bar after a second, if stderr is a terminal.
    """
    if when == "never" or (when == "auto" and not sys.stderr.isatty()):
        yield lambda done: None
        return
    delay = _DELAY_SECONDS if when == "auto" else 0.0
    try:
        from tqdm import tqdm
    except ImportError:
        bar = _Line(total, unit, delay)
    else:
        bar = tqdm(total=total, unit=f" {unit}", file=sys.stderr, delay=delay)
    try:
        yield bar.update
    finally:
        bar.close()


class _Line:
    def __init__(self, total, unit, delay):
        self.total, self.unit, self.delay = total, unit, delay
        self.done = 0
        self.start = time.monotonic()
        self.shown = False

    def update(self, done):
        self.done += done
        seconds = time.monotonic() - self.start
        if seconds < self.delay:
            return
        left = seconds * (self.total - self.done) / max(self.done, 1)
        share = 100 * self.done // max(self.total, 1)
        text = f"\r{share:3d} %  {self.done} of {self.total} {self.unit}, {left:.0f} s left "
        print(text, end="", file=sys.stderr, flush=True)
        self.shown = True

    def close(self):
        if self.shown:
            print(file=sys.stderr)
