"""Publish the asv results and photograph the dashboard with headless Chromium.

Not part of CI: it proves that the graphs show. ``python benchmarks/render_dashboard.py [-o DIR]``
needs asv, results of `asv run`, Chromium, and Debian's copies of the scripts that asv's page loads
from content networks: libjs-jquery, libjs-jquery-flot, libjs-jquery-stupidtable,
node-blueimp-md5, libjs-bootstrap. The published dashboard itself is left as asv writes it.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SYSTEM = Path("/usr/share/javascript")
FLOT = ("flot", "flot.time", "flot.selection", "flot.categories")
LOCAL = {
    "jquery-3": ["jquery/jquery.min.js"],
    **{f"jquery.{name}.min.js": [f"jquery-flot/jquery.{name}.js"] for name in FLOT},
    "orderBars": [],  # for bar charts only, which this suite has none of
    "stupidtable": ["jquery-stupidtable/stupidtable.min.js"],
    "md5": ["blueimp-md5/md5.min.js"],
    "bootstrap.min.js": ["bootstrap/js/bootstrap.min.js"],
    "bootstrap.min.css": ["bootstrap/css/bootstrap.min.css"],
}
PAGES = {
    "grid": "",
    "call_overhead": "bench_calls.CallOverhead.time_call",
    "roi_pool": "bench_operators.RoiPool.time_preallocated",
}


def local_page(folder: Path) -> None:
    """Let the copied page load its scripts from the same folder."""
    page = folder / "index.html"

    def replacement(match):
        address = match["script"] or match["style"]
        files = next((files for part, files in LOCAL.items() if part in address), None)
        if files is None:
            raise SystemExit(f"no local copy is known of {address}")
        tags = []
        for name in map(Path, files):
            shutil.copy(SYSTEM / name, folder / name.name)
            tags.append(
                f'<link rel="stylesheet" href="{name.name}">'
                if match["style"]
                else f'<script src="{name.name}"></script>'
            )
        return "".join(tags)

    pattern = (
        r'<script[^>]*src="(?P<script>https:[^"]+)"[^>]*></script>'
        r'|<link[^>]*href="(?P<style>https:[^"]+)"[^>]*>'
    )
    text = re.sub(pattern, replacement, page.read_text())
    # Debian's flot draws its legend in SVG, black unless styled.
    style = "<style>.legendLayer .background { fill: white; fill-opacity: 0.8 }</style></head>"
    page.write_text(text.replace("</head>", style))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing of each request."""


def chromium(*options) -> str:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("chromium is not installed")
    common = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1500,950", "--virtual-time-budget=20000"]
    done = subprocess.run([program, *common, *options], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def photograph(address: str, folder: Path) -> list[str]:
    """Take a picture of every page; return the names of pages without what they should show."""
    empty = []
    for name, graph in PAGES.items():
        url = f"{address}/#{graph or '/'}"
        chromium(f"--screenshot={folder / name}.png", url)
        wanted = "flot-base" if graph else "bench_calls"
        if wanted not in chromium("--dump-dom", url):
            empty.append(name)
    return empty


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / ".asv" / "pictures")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "asv", "publish"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "html"
        shutil.copytree(ROOT / ".asv" / "html", copy)
        local_page(copy)
        handler = functools.partial(Quiet, directory=str(copy))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            empty = photograph(f"http://127.0.0.1:{server.server_port}", options.output.resolve())
            server.shutdown()
    for name in PAGES:
        print(f"{options.output / name}.png: {'shows nothing' if name in empty else 'shows'}")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
