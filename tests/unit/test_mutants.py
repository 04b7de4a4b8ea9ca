"""The list of mutants is about the core as it is; running them takes tools/mutants.py."""

import ast

import mutants
import pytest
from native_build import ROOT


def test_every_mutant_still_has_its_place():
    changed = mutants.mutated()
    assert set(changed) == {mutant.file for mutant in mutants.MUTANTS}
    for number, mutant in enumerate(mutants.MUTANTS, 1):
        assert f"(fastroi_mutant == {number} ? ({mutant.new}) : (" in changed[mutant.file]


def test_there_are_as_many_as_promised():
    assert len(mutants.MUTANTS) >= mutants.PROMISED


def test_the_tests_of_mutants_exist():
    for test in {test for mutant in mutants.MUTANTS for test in mutant.tests}:
        file, _, function = test.partition("::")
        assert (ROOT / file).exists(), test
        functions = ast.walk(ast.parse((ROOT / file).read_text("utf-8"))) if function else ()
        assert not function or function in {node.name for node in functions if isinstance(node, ast.FunctionDef)}, test


@pytest.mark.parametrize(
    ("line", "old", "said"),
    [
        ("no such line", "such", "0 times"),
        ("return", "return", "times, and"),
        ("if (level < 0 || level >= levels)", "nothing", "0 times in it"),
        ("if (level < 0 || level >= levels)", "0 || level", "overlaps another mutant"),
    ],
)
def test_a_mutant_without_its_place_is_refused(monkeypatch, line, old, said):
    stale = mutants.Mutant("src/operators/upright.cpp", line, old, "0", "nothing")
    monkeypatch.setattr(mutants, "MUTANTS", (*mutants.MUTANTS, stale))
    with pytest.raises(SystemExit, match=said):
        mutants.mutated()
