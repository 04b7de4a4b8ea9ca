"""What the maps say of the tree: src/README.md's table names every file of src/; the files of its recipes and of HACKING.md exist."""

import re

import pytest
from native_build import ROOT

SRC = ROOT / "src"
MAP, RECIPES = (SRC / "README.md").read_text().split("## How to add\n")
FOLDERS = [ROOT / name for name in ("docs", "fastroi", "src", "tests")]
EXTENSIONS = r"\.(?:c|cpp|cu|cuh|h|inl|md|pxd|py|pyi|pyx)"


def quoted(text):
    """What stands in backquotes; `run.{h,cpp}` is two names."""
    for name in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        braces = re.search(r"\{([^}]*)\}", name)
        yield from [name.replace(braces[0], part) for part in braces[1].split(",")] if braces else [name]


def in_the_table():
    return {name for row in re.findall(r"^\| (.*?) \|", MAP, re.MULTILINE) for name in quoted(row)}


def files_named(text):
    return {name for name in quoted(text) if re.fullmatch(rf"[\w/.]+{EXTENSIONS}", name)}


def test_the_table_names_every_file():
    files = {path for path in SRC.rglob("*") if path.is_file()} - {SRC / "README.md"}
    assert sorted(files - {path for name in in_the_table() for path in SRC.glob(name)}) == []


def test_the_table_names_nothing_else():
    assert [name for name in in_the_table() if not any(SRC.glob(name))] == []


@pytest.mark.parametrize("text", [RECIPES, (ROOT / "HACKING.md").read_text()], ids=["recipes", "HACKING.md"])
def test_named_files_exist(text):
    """NAME stands for one that is to be written."""
    files = [ROOT / "setup.py", *(path for folder in FOLDERS for path in folder.rglob("*"))]
    tree = "".join(f"/{path.relative_to(ROOT).as_posix()}\n" for path in files)
    names = files_named(text)
    assert len(names) > 12  # were they not recognised, nothing would be checked
    assert [name for name in names if not re.search("/" + re.escape(name).replace("NAME", r"\w+") + "\n", tree)] == []
