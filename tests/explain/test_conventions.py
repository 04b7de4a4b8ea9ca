"""What the numbers of an explanation count from, and which rules it knows: said wherever the numbers are."""

import json

import pytest

import fastroi
from fastroi.cli import main
from fastroi.explain import INTERPOLATION_RULES

BOX = (296, 192, 496, 337)
EDGE, CENTRE = "cell i reaches from i to i + 1", "from the centre of cell 0"
RULES = (*fastroi.ROI_POOL_RULES, *INTERPOLATION_RULES)


def explained(rule, **options):
    return fastroi.explain(BOX, 3, 1 / 32, rule=rule, map_size=16, **options)


@pytest.mark.parametrize(("aligned", "shift"), [(True, 0.5), (False, 0.0)])
def test_coordinates_are_those_of_the_frameworks_loop(aligned, shift):
    """`roi_start + bin * bin_size + (i + 0.5) * bin_size / grid`, with the offset of `aligned` taken off the start."""
    e = explained("roi_align", aligned=aligned, sampling_ratio=2)
    for axis, (low, high) in ((e.x, (296, 496)), (e.y, (192, 337))):
        start, bin = low / 32 - shift, (high - low) / 32 / 3
        expected = [[start + p * bin + (i + 0.5) * bin / 2 for i in range(2)] for p in range(3)]
        assert [pytest.approx(of_bin, abs=1e-12) for of_bin in expected] == list(map(list, axis.coordinates))


@pytest.mark.parametrize("rule", RULES)
def test_table_and_json_say_what_they_count_from(rule):
    e = explained(rule)
    for text in (str(e), e.to_dict()["positions"]):
        assert EDGE in text
        assert (CENTRE in text) == (rule in INTERPOLATION_RULES)


def test_json_has_both_numbers_of_a_point(capsys):
    arguments = (
        "explain --xywh 296 192 200 145 --stride 32 --image-size 512 512 --output-size 3 --rule roi_align --json"
    )
    assert main(arguments.split()) == 0
    (e,) = json.loads(capsys.readouterr().out)
    positions = [[position for position, _ in of_bin] for of_bin in e["x"]["points"]]
    assert e["x"]["coordinates"] == [[position - 0.5 for position in of_bin] for of_bin in positions]


@pytest.mark.parametrize("rule", ["caffeine", "align", "", None, 3])
@pytest.mark.parametrize("options", [{}, {"sampling_ratio": 2}])
def test_an_unknown_rule_is_told_all_that_there_are(rule, options):
    with pytest.raises(ValueError, match="^rule: ") as error:
        explained(rule, **options)
    assert str(error.value) == f"rule: {rule!r} is not one of {', '.join(map(repr, RULES))}"


def test_the_command_line_names_all_rules(capsys):
    with pytest.raises(SystemExit):
        main("explain --box 0 0 9 9 --stride 1 --output-size 3 --rule caffeine".split())
    message = capsys.readouterr().err
    assert all(name in message for name in (*RULES, "all"))


def test_points_far_off_the_map_are_counted_in_the_table():
    e = fastroi.explain((-1000, -60, 200, 150), 7, 1 / 16, rule="roi_align", map_size=(50, 68))
    rows = dict(line.split(maxsplit=1) for line in str(e).splitlines() if line[:5].strip().isdigit())
    assert len(rows) == 7
    columns = str(e).split("  columns\n")[1].splitlines()[1:8]
    assert [line.split(maxsplit=1)[1].split("   ")[0] for line in columns[:5]] == ["11 off the map"] * 5
    assert "1.299 3 off the map" in columns[5]
    assert "off the map" not in columns[6]
