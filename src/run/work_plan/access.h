// How each map reaches the kernels: in place, packed, in strips, out of tables.
#pragma once
#include "../work_plan.h"

namespace fastroi {

// Strips read each cell from the cache that a whole-map scan of large bins would fetch from memory again and again. And they
// hold part of a RoI that would be packed whole.
template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::strips_pay() const {
    if (order.empty() || job.windows.size() > 1 || job.out.rows * job.out.columns > max_strip_bins) return false;
    int64_t in_one_piece = 0, in_strips = 0;
    for (int64_t i : order) {
        in_one_piece = estimated_sum(in_one_piece, reduction.direct_cost(i, job.windows[0]));
        in_strips = estimated_sum(in_strips, reduction.strip_cost(i, job.windows[0]));
    }
    for (const ImageRois& rois : images)
        in_strips = estimated_sum(in_strips, Reduction::packed_strip_cost(rois.hull_cells()));
    return in_one_piece > in_strips || !rois_fit();
}

// Whether every RoI can be scanned in one piece: its cells, where they are packed, and a row of reduced columns.
template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::rois_fit() const {
    const auto fits = [&](int64_t columns, int64_t packed) {
        return estimated_product(estimated_sum(columns, packed), scan_block_bytes) <= scan_limit;
    };
    const auto map_fits = [&](const ImageRois& rois) { return fits(rois.widest, rois.hull_cells()); };
    if (!direct && std::all_of(images.begin(), images.end(), map_fits)) return true;
    const ChannelWindow& w = job.windows[0];
    return std::all_of(order.begin(), order.end(), [&](int64_t i) {
        const int64_t listed = listed_cells(reduction.y(i, w), reduction.x(i, w));
        return fits(scanned_columns(i, w), packs_listed_cells(i, w) ? listed : direct ? 0 : hull_cells(i, w));
    });
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::choose_tables(const KernelTable& table) {
    if (argmax || job.windows.size() > 1 || bins_per_roi() > max_strip_bins) return;
    const int64_t wide = widths(table)[table.packed_width].lanes * number, narrow = widths(table)[0].lanes * number;
    table_choice = fastroi::choose_tables(reduction.plan.rois(), order, images, wide, narrow, scan(wide));
}

// What a scan of all images would do, in blocks of so many bytes where it packs.
template <class T, class Reduction>
inline Scan WorkPlan<T, Reduction>::scan(int64_t block_bytes) const {
    const int64_t cell_bytes = job.out.channels * map_item;
    Scan all = {rois_fit(), cell_bytes, direct ? cell_bytes : block_bytes, 0, 0};
    for (const ImageRois& rois : images) {
        const Access access = scan_access(rois, block_bytes);
        if (access == Access::packed_map) all.packed_cells += (double)rois.hull_cells();
        if (access == Access::packed_roi) all.packed_cells += (double)packed_roi_cells(rois);
    }
    // Whole bins go past the cache at once. Out of tables they would do so in pieces, which may begin and end inside of a line.
    if (streams_rows()) all.streaming_saves = begins_with_lines(job.out) ? pieces_cost : ragged_pieces_cost;
    return all;
}

// Whether the channels of every bin do.
template <class T, class Reduction>
inline bool WorkPlan<T, Reduction>::begins_with_lines(const Tensor& t) {
    return ((uintptr_t)t.data | t.image_stride | t.row_stride | t.column_stride) % cache_line == 0;
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::make_tables() {
    if constexpr (Reduction::tables)
        if (table_choice.pays)
            tables = RangeTables(reduction.plan.rois(), order, images, table_choice, block_bytes(),
                                 Planners(threads, job.execution.stop));
}

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::choose_access(ImageRois& rois) {
    rois.access = use_lines           ? Access::lines
                  : use_strips        ? Access::strips
                  : table_choice.pays ? Access::tables
                                      : scan_access(rois, block_bytes());
    if (job.windows.size() == 1 && shared_bytes(rois) > cached_block_bytes) sort_by_row(rois);
}

template <class T, class Reduction>
inline Access WorkPlan<T, Reduction>::scan_access(const ImageRois& rois, int64_t block_bytes) const {
    if (direct) return Access::direct;
    const bool map_is_large = packed_roi_cells(rois) < rois.hull_cells() ||
                              estimated_product(rois.hull_cells() + rois.widest, block_bytes) > scan_limit;
    return map_is_large ? Access::packed_roi : Access::packed_map;
}

// What packing for each RoI costs, in cells of a map that is packed once.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::packed_roi_cells(const ImageRois& rois) {
    return estimated_product(packed_roi_cost,
                             estimated_sum(rois.touched_cells, packed_roi_start * (rois.end - rois.first)));
}

}  // namespace fastroi
