// Which channels are reduced together.
#pragma once
#include "../work_plan.h"

namespace fastroi {

template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::reads_maps_in_place() const {
    if (job.out.channels < widths(*job.execution.kernels)[0].lanes || job.windows[0].step != 1) return false;
    return std::all_of(job.maps.begin(), job.maps.end(), [&](const Tensor& map) { return is_read_in_place(map); });
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::choose_blocks() {
    const KernelTable& table = *job.execution.kernels;
    scan_block_bytes = widths(table)[direct ? table.direct_width : table.packed_width].lanes * number;
    if constexpr (Reduction::strips) use_strips = strips_pay();
    if constexpr (Reduction::tables) choose_tables(table);
    const bool narrow = use_strips || (table_choice.pays && !table_choice.one_strip);
    const bool wide = !table_choice.pays && (direct || wide_blocks_fit(widths(table)[table.direct_width].lanes));
    const int widest = narrow ? 0 : wide ? table.direct_width : table.packed_width;
    blocks = cut_channels<T>(job.out.channels, widths(table), widest, !direct && !narrow);
    for (const ChannelBlock<T>& block : blocks) block_lanes = std::max(block_lanes, block.kernels->lanes);
    bin_rows = std::max<int64_t>(1, std::min(job.out.rows, bins_limit / (job.out.columns * block_bytes())));
}

// Wider blocks look up a bin's cells and weights for more channels, as long as every packed map stays in the cache.
template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::wide_blocks_fit(int64_t lanes) const {
    int64_t cells = 0;
    for (const ImageRois& rois : images) cells = std::max(cells, rois.hull_cells());
    return job.out.channels >= lanes && estimated_product(cells, lanes * number) <= cached_block_bytes;
}

}  // namespace fastroi
