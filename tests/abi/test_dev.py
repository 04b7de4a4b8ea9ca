"""./dev: what its arguments become, and that the pages which show it show commands that it has."""

import re
import runpy
import sys

import pytest
from native_build import ROOT, run

DEV = runpy.run_path(str(ROOT / "dev"))
PAGES = [
    ROOT / "README.md",
    ROOT / "HACKING.md",
    *(ROOT / name / "README.md" for name in ("src", "tests", "benchmarks")),
]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ("", ""),
        ("gather huge", "-k gather@and@huge"),
        ("tests", "tests"),
        ("setup.py::test_it -x", "setup.py::test_it -x"),
        ("tests gather -m long -n 0", "tests -k gather -m long -n 0"),
        ("-k huge", "-k huge"),
    ],
)
def test_words_become_what_pytest_takes(arguments, expected):
    assert DEV["pytest_arguments"](arguments.split()) == [word.replace("@", " ") for word in expected.split()]


def test_pages_show_commands_that_there_are():
    shown = {name for page in PAGES for name in re.findall(r"\./dev (\w+)", page.read_text())}
    assert shown == set(DEV["COMMANDS"])


def test_help_names_each_command():
    text = run(sys.executable, ROOT / "dev", "--help")
    assert all(f"./dev {name}" in text for name in DEV["COMMANDS"])


def test_what_clangd_is_told_to_include_exists():
    names = re.findall(r"[.][.]/[.][.]/[.][.]/([^],\s]+)", (ROOT / ".clangd").read_text())
    assert names
    assert all((ROOT / name).exists() for name in names)


@pytest.mark.parametrize("formatter", ["ruff", "clang-format"])
def test_git_formats_with_the_version_that_is_checked(formatter):
    checked = re.search(rf'"{formatter}==([\d.]+)"', (ROOT / "pyproject.toml").read_text())[1]
    hook = re.search(rf"{formatter}.*\n +rev: v(.*)", (ROOT / ".pre-commit-config.yaml").read_text())[1]
    assert hook == checked
