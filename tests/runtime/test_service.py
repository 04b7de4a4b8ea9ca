"""Calls as a service makes them: many callers at once, inputs that change meanwhile, children forked beforehand."""

import json
import subprocess
import sys

import pytest
from bad_inputs import OPERATORS
from helpers import LONG_SCALE
from native_build import ROOT

SECONDS = max(3, 60 * LONG_SCALE)


def reports_of(kind, seconds):
    """What each process says; that nothing was written beside a result, and that known results came out, it has checked itself."""
    script = ROOT / "tests" / "support" / "service.py"
    command = [sys.executable, "-X", "faulthandler", str(script), kind, str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 120)
    assert done.returncode == 0, done.stderr
    print(json.dumps(json.loads(done.stdout), indent=1))
    return json.loads(done.stdout)


@pytest.mark.long
def test_boxes_are_rewritten_beside_eight_callers(tried):
    (report,) = reports_of("threads", SECONDS)
    assert set(report["calls"]) == set(OPERATORS) and min(report["calls"].values()) > 0
    assert report["refused"] > 0, "no call met a bad box"
    tried("service", sum(report["calls"].values()))


@pytest.mark.long
def test_children_forked_beforehand(tried):
    reports = reports_of("prefork", SECONDS / 4)
    assert len(reports) == 4
    assert all(min(report["calls"].values()) > 0 and not report["refused"] for report in reports)
    tried("service", sum(sum(report["calls"].values()) for report in reports))
