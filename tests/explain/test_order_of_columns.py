"""A box whose y comes first is printed with its order."""

import fastroi
from fastroi.cli import main


def test_boxes_of_crop_and_resize(capsys):
    arguments = "explain --op crop_and_resize --box .1 .2 .5 .6 --map-size 20 20 --output-size 3"
    assert main(arguments.split()) == 0
    assert "  box (y1 x1 y2 x2) 0.2 0.1 0.6 0.5; a bin is" in capsys.readouterr().out


def test_other_boxes():
    plan = fastroi.explain((4, 8, 40, 60), 3, 1 / 4, operator="roi_align", map_size=(20, 20))
    assert "  box 4 8 40 60; a bin is" in str(plan)
