#include "line_choice.h"

namespace fastroi {

// Cycles; `python -m benchmarks.lines --dump` measures what they were fitted to and checks the choice.
namespace {

constexpr double line_roi = 470, line_group = 260, line_load = 1.65, line_tap_piece = 11, line_number = 6.3,
                 line_column_read = 5.4, line_value = 2.2, widened_number = 1.5;
constexpr double channel_roi = 640, channel_bin = 13, channel_max = 2.4, channel_tap = 3.5, packed_cell = 3.6,
                 tables_factor = 1.25;

double cost_of_lines(const LineWork& work) {
    const double rows = work.sums ? line_tap_piece * work.pieces : line_load * work.loads;
    return line_roi * work.rois + line_group * work.groups + rows + line_number * work.numbers +
           line_column_read * work.column_reads + line_value * work.values + widened_number * work.widened;
}

double cost_of_channels(const LineWork& work) {
    const double scan = (work.sums ? channel_tap : channel_max) * work.scanned + packed_cell * work.packed_cells;
    return channel_roi * work.rois + channel_bin * work.bins + (work.tables > 0 ? tables_factor * work.tables : scan);
}

}  // namespace

bool lines_pay(const LineWork& work) { return cost_of_lines(work) < cost_of_channels(work); }

}  // namespace fastroi
