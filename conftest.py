"""Fixtures that run a test on every instruction set, layout and dtype, and count what was run, by all processes of a run."""

import json
import os
import signal

if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several processes share the processors: none spins while it waits
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

os.environ.setdefault("FASTROI_OVERSUBSCRIBE", "1")  # results of more threads than there are processors

from collections import Counter

import gates
import numpy as np
import pytest
from helpers import LONG_SCALE, SEED

import fastroi

LAYOUTS = ("NCHW", "NHWC")
DTYPES = ("float32", "float64")

LONG_FILES = (
    "test_embedding.py",
    "test_fuzz.py",
    "test_gpu_emulated.py",
    "test_native.py",
    "test_paths.py",
    "test_kernels.py",
    "test_plans.py",
)

_covered = {"instruction sets": set(), "layouts": set(), "dtypes": set()}
_possible = {
    "instruction sets": fastroi.simd.supported(),
    "layouts": LAYOUTS,
    "dtypes": DTYPES,
}

_tried = Counter()  # cases of each gate, by tests that passed

# A shell starts background jobs with Ctrl-C ignored, which children inherit: tests that send it would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=fastroi.simd.supported())
def isa(request):
    """Each instruction set of this machine, in force while the test runs."""
    with fastroi.simd.use(request.param):
        assert fastroi.simd.active() == request.param
        _covered["instruction sets"].add(request.param)
        yield request.param


@pytest.fixture(params=LAYOUTS)
def layout(request):
    _covered["layouts"].add(request.param)
    return request.param


@pytest.fixture(params=DTYPES)
def dtype(request):
    _covered["dtypes"].add(request.param)
    return np.dtype(request.param)


@pytest.fixture(params=fastroi.ROI_POOL_RULES)
def rule(request):
    return request.param


@pytest.fixture
def rng(request):
    """A generator seeded by the names of file and test: the same numbers in any order, selection or folder."""
    return np.random.default_rng(list(f"{request.path.name}::{request.node.name}".encode()))


@pytest.fixture
def tried(record_property):
    """tried(gate, cases): counts them for the table at the end of the run, if the test passes."""

    def count(gate, cases):
        assert gate in gates.GATES, gate
        record_property("tried", (gate, int(cases)))

    return count


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        for name, value in report.user_properties:
            if name == "tried":
                _tried[value[0]] += value[1]


def pytest_addoption(parser):
    parser.addoption(
        "--default-isa",
        action="store_true",
        help="only tests that run with the instruction set in force, as FASTROI_SIMD chooses it, not those that run each",
    )


def pytest_configure(config):
    wanted = [name for name in os.environ.get("FASTROI_REQUIRE_ISAS", "").split(",") if name]
    missing = [name for name in wanted if name not in fastroi.simd.supported()]
    if missing:
        raise pytest.UsageError(
            f"FASTROI_REQUIRE_ISAS asks for {', '.join(missing)}; supported here: {', '.join(fastroi.simd.supported())}"
        )


def pytest_report_header():
    return (
        f"fastroi {fastroi.__version__}; instruction sets compiled: "
        f"{', '.join(fastroi.simd.compiled())}; supported: {', '.join(fastroi.simd.supported())}; "
        f"active: {fastroi.simd.active()}; threads: {fastroi.get_num_threads()}; "
        f"FASTROI_SEED={SEED} FASTROI_LONG_SCALE={LONG_SCALE:g}"
    )


def _is_full_run(config):
    """True when nothing narrowed the collection: no path, -k, -m of the caller, --lf and such."""
    options = config.option
    narrowed = options.keyword or options.collectonly or options.default_isa or getattr(options, "lf", False)
    default_marks = "not long" in options.markexpr
    return default_marks and not narrowed and config.args_source == config.ArgsSource.TESTPATHS


def _gaps():
    return {what: [name for name in names if name not in _covered[what]] for what, names in _possible.items()}


def pytest_sessionfinish(session, exitstatus):
    if hasattr(session.config, "workeroutput"):  # one of several processes: the first one judges
        session.config.workeroutput["covered"] = {what: sorted(names) for what, names in _covered.items()}
        return
    if _tried and os.environ.get("FASTROI_GATES"):
        with open(os.environ["FASTROI_GATES"], "a") as records:
            print(json.dumps(_tried), file=records)
    if exitstatus == pytest.ExitCode.OK and _is_full_run(session.config) and any(_gaps().values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for what, names in getattr(node, "workeroutput", {}).get("covered", {}).items():
        _covered[what].update(names)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Neighbouring tests, which share a build or an oracle, stay in one process, unless another has nothing left to do."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """What takes longest begins first: other processes have enough to do meanwhile."""
    if config.option.default_isa:
        items[:] = [item for item in items if "isa" not in item.fixturenames]
    items.sort(key=lambda item: not item.path.name.endswith(LONG_FILES))


def pytest_terminal_summary(terminalreporter, config):
    for line, enough in gates.lines(_tried):
        terminalreporter.write_line(line, red=not enough)
    gaps = _gaps()
    for what, names in _possible.items():
        seen = [name for name in names if name in _covered[what]]
        line = f"{what} covered: {', '.join(seen) or 'none'}"
        missed = gaps[what] and _is_full_run(config)
        terminalreporter.write_line(
            line + (f"; NOT COVERED: {', '.join(gaps[what])}" if missed else ""), red=bool(missed)
        )
