// Stands in for choose_tables() in the core that benchmarks/paths.py links: the choice can be dictated from outside.
#include "run/range_tables.h"

namespace {
enum Kind { core_chooses, scan, tables };
struct Way {
    int kind, row_levels, column_levels;
} dictated = {core_chooses, 0, 0}, chosen = dictated;
}  // namespace

namespace fastroi {

// Its name in the object file is what paths.py puts in place of choose_tables(), which it takes over first.
TableChoice dictate_tables(const RangeRois& rois, const std::vector<int64_t>& order,
                           const std::vector<ImageRois>& images, int64_t wide_block_bytes, int64_t narrow_block_bytes,
                           const Scan& other) {
    TableChoice choice = choose_tables(rois, order, images, wide_block_bytes, narrow_block_bytes, other);
    chosen = {choice.pays ? tables : scan, choice.row_levels, choice.column_levels};
    if (dictated.kind != core_chooses)
        choice = {dictated.kind == tables, choice.one_strip, dictated.row_levels, dictated.column_levels};
    return choice;
}

}  // namespace fastroi

extern "C" {
__attribute__((visibility("default"))) void dictate(int kind, int row_levels, int column_levels) {
    dictated = {kind, row_levels, column_levels};
}
// What the core chose, or would have chosen, in the last call.
__attribute__((visibility("default"))) Way choice_of_core(void) { return chosen; }
}
