"""The page of promises names every gate, with the number that CI holds it to."""

import re

import gates
from native_build import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text()


def test_every_gate_is_on_the_page_with_its_number():
    rows = re.findall(r"^\| ([a-z ]+): .*?\| ([\d,]+)", PAGE, re.MULTILINE)
    assert {name: int(number.replace(",", "")) for name, number in rows} == {
        name: gate.cases for name, gate in gates.GATES.items()
    }


def test_shortened_gates_are_marked():
    marked = {name for name, mark in re.findall(r"^\| ([a-z ]+): [^|]*?(\*?) \|", PAGE, re.MULTILINE) if mark}
    assert marked == {name for name, gate in gates.GATES.items() if gate.shortens}


def test_commands_name_tests_that_exist():
    named = re.findall(r"(?:tests|tools)/[\w/.]+", PAGE)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
