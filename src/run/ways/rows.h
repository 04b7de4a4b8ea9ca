// RoI by RoI, the bin rows of all channels streamed past the cache.
#pragma once
#include "../pooling.h"

namespace fastroi {

template <class T, class Reduction>
inline bool Pooling<T, Reduction>::streams_rows(const ImageRois& rois, const WorkItem& item) const {
    return work_.streams_rows() && rois.access == Access::direct &&
           item.end_block - item.first_block == (int64_t)work_.blocks.size();
}

template <class T, class Reduction>
inline void Pooling<T, Reduction>::stream_rows(const ImageRois& rois, const WorkItem& item, const Buffers& buffers,
                                               Worker& worker) {
    const ChannelWindow& w = work_.window(rois);
    const ptrdiff_t column_stride = job_.out.channels * number;
    for (int64_t i = item.first; i < item.end && !worker.stopped(); i++) {
        const auto& y = reduction_.y(work_.order[i], w);
        unsigned char* const out = job_.out.data + reduction_.output(work_.order[i]) * job_.out.image_stride;
        const int64_t reads = work_.reads_of_roi(work_.order[i], w);
        Watch* const watch = worker.watch(reads);
        const int64_t whole = sum_whole_bins(rois, item, work_.order[i], watch) ? y.count : 0;
        for (int64_t p = whole; p < y.count && !worker.stopped(); p += work_.streamed_rows()) {
            const int64_t end = std::min(p + work_.streamed_rows(), y.count);
            for (const ChannelBlock<T>& block : work_.blocks) {
                const BinTile bins{(unsigned char*)(buffers.rows + block.first_channel), work_.bin_row_bytes(),
                                   column_stride};
                reduction_.reduce(*block.kernels, tile_in_place(block, rois, watch), bins_of(y, p, end),
                                  reduction_.x(work_.order[i], w), bins, buffers.columns);
            }
            out_port(work_.blocks[0])
                .stream(buffers.rows, out + p * job_.out.row_stride, (end - p) * work_.bin_row_bytes() / number);
            if (watch) worker.worked((end - p) * work_.bin_row_bytes() / cache_line);
        }
        worker.worked(estimated_product(reads, (int64_t)work_.blocks.size()));
    }
}

}  // namespace fastroi
