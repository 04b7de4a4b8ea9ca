"""fastroi against the packages themselves, on thousands of random boxes each (marker ``peers``)."""

import numpy as np
import pytest

from peers import live, replay

pytestmark = pytest.mark.peers

BOXES = 3000
HUGE_BOXES = 40


@pytest.mark.parametrize("package", live.PACKAGES)
def test_package_agrees(package, tmp_path, record_property, capsys):
    """Every recorded operator of the package, each disagreement explained."""
    inputs_file = live.results(package, tmp_path, seed=20261123, boxes_per_set=BOXES, huge_boxes=HUGE_BOXES)
    with np.load(inputs_file) as data:
        inputs = {name: data[name] for name in data.files}
    table = replay.tally(replay.cases(tmp_path), inputs)
    with capsys.disabled():
        print("\n" + replay.format_table(table))
    record_property("agreement", replay.format_table(table))
    assert table
    assert not [row for row in table if row.unexplained]
