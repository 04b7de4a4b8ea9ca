// What a thread needs of scratch memory.
#pragma once
#include "../work_plan.h"

namespace fastroi {

template <class T, class Reduction>
inline void WorkPlan<T, Reduction>::plan_scratch() {
    if (use_lines) return plan_line_scratch();
    int64_t most_packed = 0, column_cells = 0, rois_of_bins = 1;
    for (const ImageRois& rois : images) {
        const bool scan = rois.access != Access::strips && rois.access != Access::tables;
        if (scan)
            column_cells = std::max(column_cells, rois.access == Access::packed_map ? rois.widest : rois.most_scanned);
        if (rois.access == Access::packed_map) most_packed = std::max(most_packed, rois.hull_cells());
        if (rois.access == Access::strips) {
            most_packed = std::max(most_packed, length(rois.rows) * strip_width(rois));
            column_cells = std::max(column_cells, job.out.rows * strip_width(rois));
        }
        if (rois.access == Access::tables)
            most_packed = std::max(most_packed, product(2, table_cells(rois), "features"));
        if (rois.access != Access::packed_roi && rois.access != Access::direct) continue;
        for (int64_t i = rois.first; i < rois.end; i++)
            most_packed = std::max(most_packed, packed_cells(order[i], window(rois)));
    }
    if (use_strips) {
        bin_rows = job.out.rows;
        for (const WorkItem& item : items) rois_of_bins = std::max(rois_of_bins, item.end - item.first);
    } else if (table_choice.pays) {
        bin_rows = job.out.rows;
        for (const WorkItem& item : items)
            rois_of_bins = std::max(rois_of_bins, 1 + waiting_rois(item.first, item.end));
    }
    const Size bins = Size(bin_rows, "output_size") * job.out.columns;
    const auto bytes = [](Size size) { return size.rounded_up(cache_line).count(); };
    scratch.packed = bytes(Size(most_packed, "features") * block_bytes());
    scratch.columns = bytes(Size(column_cells, "features") * block_bytes() + column_scratch_bytes);
    int64_t waiting_bins = (bins * rois_of_bins).count();
    for (const WorkItem& item : items) {
        const int64_t rois = item.windows > 1 ? item.end - item.first : 0;
        waiting_bins =
            std::max(waiting_bins, product(bins_of_window_row(images[item.image_rois]), rois, "output_size"));
    }
    scratch.bins = bytes((Size(waiting_bins, "output_size") + block_lanes) * block_bytes());
    scratch.staging = bytes((bins + block_lanes) * block_lanes * std::max(number, out_item));
    scratch.offsets = argmax ? bytes(bins * block_lanes * sizeof(int64_t)) : 0;
    scratch.rows = streams_rows() ? bytes(Size(streamed_rows(), "output_size") * bin_row_bytes()) : 0;
    const Size total = Size(scratch.packed, "features") + scratch.columns + scratch.bins + scratch.staging +
                       scratch.rows + scratch.offsets;
    scratch.total = total.count();
}

template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::table_cells(const ImageRois& rois) const {
    return length(rois.rows) * table_strip_columns(rois, block_bytes());
}

// Cells that a RoI packs at a time, where no map is packed.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::packed_cells(int64_t roi, const ChannelWindow& w) const {
    const auto& y = reduction.y(roi, w);
    const auto& x = reduction.x(roi, w);
    if (!packs_listed_cells(roi, w)) return direct ? 0 : tallest_rows(roi, w) * length(x.hull);
    int64_t most = 0;
    for (int64_t p = 0; p < y.count; p += bin_rows)
        most = std::max(most, listed_cells_of_bins(y, x, p, std::min(p + bin_rows, y.count)));
    return most;
}

// Columns that a scan of a RoI keeps, where no map is packed.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::scanned_columns(int64_t roi, const ChannelWindow& w) const {
    const auto& x = reduction.x(roi, w);
    return packs_listed_cells(roi, w) ? listed_columns(x) : length(x.hull);
}

// Rows that the tallest group of bin rows of a RoI touches.
template <class T, class Reduction>
inline int64_t WorkPlan<T, Reduction>::tallest_rows(int64_t roi, const ChannelWindow& w) const {
    const auto& y = reduction.y(roi, w);
    if (bin_rows >= y.count) return length(y.hull);
    int64_t tallest = 0;
    for (int64_t p = 0; p < y.count; p += bin_rows)
        tallest = std::max(tallest, length(rows_of_bins(y, p, std::min(p + bin_rows, y.count))));
    return tallest;
}

}  // namespace fastroi
