// Windows of a row side by side: channels-first results of position-sensitive operators.
#pragma once
#include "../pooling.h"

namespace fastroi {

// Window by window of a row, or of part of one, over all RoIs of the item; their bins stay in scratch until the last window is done.
template <class T, class Reduction>
inline void Pooling<T, Reduction>::process_window_row(const WorkItem& item, const Buffers& buffers, Worker& worker) {
    const ChannelBlock<T>& block = work_.blocks[item.first_block];
    const ImageRois& first = work_.images[item.image_rois];
    const ImageRois& last = work_.images[item.image_rois + (item.windows - 1) * work_.images_per_window];
    const int64_t first_column = work_.window(first).bin_columns.start,
                  columns = work_.window(last).bin_columns.end - first_column;
    const int64_t roi_bins = length(work_.window(first).bin_rows) * columns;
    const auto bins_at = [&](int64_t i, int64_t column) {
        const int64_t bin = (i - item.first) * roi_bins + column - first_column;
        return dense_bins(block, columns, buffers.bins + bin * block.kernels->lanes);
    };
    for (int64_t k = 0; k < item.windows; k++) {
        const ImageRois& rois = work_.images[item.image_rois + k * work_.images_per_window];
        const ChannelWindow& w = work_.window(rois);
        const MapTile map = pack(worker, block, rois, rois.rows, rois.columns, buffers.packed);
        for (int64_t i = item.first; i < item.end && !worker.stopped(); i++) {
            const auto& y = reduction_.y(work_.order[i], w);
            const auto& x = reduction_.x(work_.order[i], w);
            const int64_t reads = reads_of(y, x);
            reduction_.reduce(*block.kernels, watched(map, worker.watch(reads)), y, x, bins_at(i, w.bin_columns.start),
                              buffers.columns);
            worker.worked(reads);
        }
    }
    for (int64_t i = item.first; i < item.end && !worker.stopped(); i++) {
        unpack(block, bins_at(i, first_column), length(work_.window(first).bin_rows), columns,
               first_output(block, first, work_.order[i], job_.out), buffers.staging);
    }
}

}  // namespace fastroi
