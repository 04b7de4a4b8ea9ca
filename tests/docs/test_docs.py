"""The documentation is true: examples run, links lead somewhere, commands parse."""

import doctest
import importlib
import inspect
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
from native_build import INCLUDE, run

import fastroi
from fastroi import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "src/**/*.md", "tests/**/*.md", "benchmarks/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(fastroi.__path__, "fastroi.")
    if not module.name.endswith("__main__")
)
PUBLIC = [name for name in fastroi.__all__ if callable(getattr(fastroi, name))]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_examples_on_a_page(page):
    assert doctest.testfile(str(ROOT / page), module_relative=False).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_a_module(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_pages_have_examples():
    """A page whose fences are mistyped would pass by saying nothing."""
    parser = doctest.DocTestParser()
    found = {str(page): len(parser.get_examples((ROOT / page).read_text())) for page in PAGES}
    assert found["README.md"] > 10
    assert found["docs/article.md"] > 8
    assert found["docs/rules.md"] > 3


@pytest.mark.parametrize("name", PUBLIC)
def test_public_functions_are_documented(name):
    text = inspect.getdoc(getattr(fastroi, name))
    assert text
    if name not in ("get_include", "get_num_threads"):
        assert ">>> " in text, "a runnable example"
        assert "Parameters\n----------" in text
    sections = (
        {"Returns\n-------", "Raises\n------"}
        if "layout" in inspect.signature(getattr(fastroi, name)).parameters
        else ()
    )
    for section in sections:
        assert section in text


@pytest.mark.parametrize("name", PUBLIC)
def test_public_functions_are_in_the_index(name):
    assert f"`{name}" in (ROOT / "docs" / "api.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)", text, flags=re.MULTILINE)
    for target in targets:
        if not target.startswith(("http://", "https://", "#")):
            assert (ROOT / page).parent.joinpath(target.partition("#")[0]).exists(), target


def commands():
    """Every line of a shell block that calls the command line."""
    for page in PAGES:
        for block in re.findall(r"```(?:sh|console)?\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                for part in line.partition(" #")[0].split("&&"):
                    if part.strip().startswith("fastroi "):
                        yield pytest.param(part.strip(), id=f"{page}: {part.strip()[:40]}")


@pytest.mark.parametrize("command", list(commands()))
def test_commands_parse(command):
    arguments = cli._parser().parse_args(shlex.split(command)[1:])
    assert callable(arguments.run)


def test_c_examples_compile(tmp_path):
    blocks = [
        (page, block) for page in PAGES for block in re.findall(r"```c\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    ]
    assert blocks
    for page, block in blocks:
        source = tmp_path / f"{page.stem}.c"
        source.write_text(block)
        run("gcc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{INCLUDE}", source)


def test_every_page_is_on_the_map():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in PAGES:
        if page.parts[0] == "docs" and page.name != "index.md":
            assert f"({page.relative_to('docs').as_posix()})" in index, page


def test_constants_are_those_of_the_source():
    source = "".join(
        (ROOT / "src" / name).read_text()
        for name in ("threads.h", "run/work_plan.h", "run/range_tables.cpp", "run/scratch.h", "plan/arena.h")
    )
    units = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}
    rows = re.findall(r"^\| `(\w+)` \| (\d+) ?(\w*) \|", (ROOT / "docs" / "performance.md").read_text(), re.MULTILINE)
    assert len(rows) > 5
    for name, value, unit in rows:
        (left, shift) = re.search(rf"\b{name} =\s+(\d+)(?: << (\d+))?[,;]", source).groups()
        assert int(left) << int(shift or 0) == int(value) * units[unit], name


def test_every_rule_is_on_its_page():
    text = (ROOT / "docs" / "rules.md").read_text()
    names = [*fastroi.ROI_POOL_RULES, *fastroi.FPN_LEVEL_RULES, "rfcn", "openvino", "torchvision", "chainercv"]
    for name in names:
        assert f"`{name}`" in text, name
