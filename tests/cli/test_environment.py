"""Variables of the environment that say what cannot be: one line of the command line, an exception of the library."""

import os
import subprocess
import sys

import pytest
from helpers import run_python

import fastroi

WRONG = [
    *(
        ({"FASTROI_SIMD": name, "FASTROI_SIMD_DISABLE": name}, f"FASTROI_SIMD: {name!r} is not supported here")
        for name in fastroi.simd.compiled()[:-1]
    ),
    ({"FASTROI_SIMD": "sse9"}, "FASTROI_SIMD: 'sse9' is not supported here"),
    ({"FASTROI_SIMD_DISABLE": "sse9"}, "FASTROI_SIMD_DISABLE: 'sse9' is not one of "),
    ({"FASTROI_NUM_THREADS": "many"}, "FASTROI_NUM_THREADS: 'many' is not an integer in [1, 1024]"),
    ({"FASTROI_OVERSUBSCRIBE": "yes"}, "FASTROI_OVERSUBSCRIBE: 'yes' is neither '0' nor '1'"),
]
wrong = pytest.mark.parametrize(
    ("variables", "told"), WRONG, ids=[" ".join(map("=".join, variables.items())) for variables, _ in WRONG]
)


def environment(variables):
    return {name: value for name, value in os.environ.items() if not name.startswith("FASTROI_")} | variables


@wrong
def test_command_line_says_it_in_one_line(variables, told, tmp_path):
    script = tmp_path / "fastroi"  # as pip writes it
    script.write_text("import sys\nfrom fastroi.cli import main\nsys.exit(main())\n")
    for start in ([sys.executable, "-m", "fastroi"], [sys.executable, "-mfastroi"], [sys.executable, str(script)]):
        done = subprocess.run([*start, "info"], env=environment(variables), capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith(f"fastroi: error: {told}")
        assert done.stderr.count("\n") == 1
        assert all(name in done.stderr for name in variables)


@wrong
def test_library_raises(variables, told):
    cleared = {name: None for name in os.environ if name.startswith("FASTROI_")}
    code = "try:\n    import fastroi\nexcept ValueError as error:\n    print(error)"
    said = run_python(code, **(cleared | variables)).stdout
    assert said.startswith(told)
    assert all(name in said for name in variables)
