"""What plans are made of, what a call decides, plans that are kept, what no input may do: the programs beside this file."""

import subprocess

import pytest
from helpers import SEED
from native_build import SANITIZED, unit_program

from fastroi._core import OPERATORS


def printed(program, *arguments, **build):
    done = subprocess.run(
        [unit_program(program, **build), f"--seed={1000 * SEED}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def check_work_plans(*arguments, **build):
    """Jobs of every way in which a map reaches the kernels."""
    lines = printed("work_plans", *arguments, **build)
    met = {line.split()[0]: int(line.split()[1]) for line in lines if line[-1].isdigit()}
    accesses = {"direct", "packed_map", "packed_roi", "strips", "lines", "tables"}
    assert set(met) == accesses | {"window_rows", "streamed", "listed"}
    assert all(met.values()), met


def test_plans_are_what_their_headers_promise():
    assert "run_cover" in printed("plans")


def test_work_plans_do_each_thing_once_and_keep_to_the_cap():
    check_work_plans()


def test_kept_plans_run_on_other_maps():
    assert printed("kept_plans") == list(OPERATORS)


def test_no_input_goes_beyond_its_limits():
    assert printed("limits") == ["limits"]


@pytest.mark.parametrize("program", ["plans", "work_plans", "kept_plans", "limits"])
def test_unknown_arguments_are_refused(program):
    done = subprocess.run([unit_program(program), "--sed=1"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown argument --sed=1" in done.stderr


@pytest.mark.native
def test_sanitizers_report_nothing():
    printed("plans", "--trials=1000", flags=SANITIZED)
    check_work_plans("--trials=500", flags=SANITIZED)
    printed("kept_plans", "--trials=200", flags=SANITIZED)
    printed("limits", "--trials=20", flags=SANITIZED)
