// Stands in for choose_tables() and lines_pay() in the core that benchmarks/paths.py links: their choices can be dictated from outside.
#include "run/line_choice.h"
#include "run/range_tables.h"

namespace {
enum Kind { core_chooses, scan, tables };
struct Way {
    int kind, row_levels, column_levels;
} dictated = {core_chooses, 0, 0}, chosen = dictated;

enum Lanes { core_chooses_lanes, channels, lines };
int dictated_lanes = core_chooses_lanes, chosen_lanes = channels;
fastroi::LineWork last_work;
}  // namespace

namespace fastroi {

// Their names in the object file are what paths.py puts in place of the core's, which they ask first.
TableChoice dictate_tables(const RangeRois& rois, const std::vector<int64_t>& order,
                           const std::vector<ImageRois>& images, int64_t wide_block_bytes, int64_t narrow_block_bytes,
                           const Scan& other) {
    TableChoice choice = choose_tables(rois, order, images, wide_block_bytes, narrow_block_bytes, other);
    chosen = {choice.pays ? tables : scan, choice.row_levels, choice.column_levels};
    if (dictated.kind != core_chooses)
        choice = {dictated.kind == tables, choice.one_strip, dictated.row_levels, dictated.column_levels, choice.cost};
    return choice;
}

bool dictate_lines(const LineWork& work) {
    last_work = work;
    chosen_lanes = lines_pay(work) ? lines : channels;
    return dictated_lanes == core_chooses_lanes ? chosen_lanes == lines : dictated_lanes == lines;
}

}  // namespace fastroi

extern "C" {
__attribute__((visibility("default"))) void dictate(int kind, int row_levels, int column_levels) {
    dictated = {kind, row_levels, column_levels};
}
__attribute__((visibility("default"))) void dictate_lanes(int lanes) { dictated_lanes = lanes; }
// The lanes of the last call that could have had lines since the last question; channels where none could.
__attribute__((visibility("default"))) int lanes_of_core(void) {
    const int lanes_chosen = chosen_lanes;
    chosen_lanes = channels;
    return lanes_chosen;
}
__attribute__((visibility("default"))) const double* work_of_core(void) { return &last_work.groups; }
// What the core chose, or would have chosen, in the last call.
__attribute__((visibility("default"))) Way choice_of_core(void) { return chosen; }
}
