// Column strip by column strip over all RoIs of an item.
#pragma once
#include "../pooling.h"

namespace fastroi {

// Column strip by column strip over all RoIs of the item; their bins stay in scratch until the last strip is done.
template <class T, class Reduction>
inline void Pooling<T, Reduction>::process_strips(const ChannelBlock<T>& block, const ImageRois& rois,
                                                  const WorkItem& item, const Buffers& buffers, Worker& worker) {
    if constexpr (Reduction::strips) {
        const int64_t roi_bins = work_.bins_per_roi() * block.kernels->lanes;
        const auto bins_at = [&](int64_t i) {
            return dense_bins(block, job_.out.columns, buffers.bins + (i - item.first) * roi_bins);
        };
        const ChannelWindow& w = work_.window(rois);
        for (int64_t i = item.first; i < item.end; i++)
            reduction_.begin(*block.kernels, reduction_.y(work_.order[i], w), reduction_.x(work_.order[i], w),
                             bins_at(i));
        const int64_t width = work_.strip_width(rois);
        for (int64_t x = rois.columns.start; x < rois.columns.end && !worker.stopped(); x += width) {
            const Range strip = {(int32_t)x, (int32_t)std::min<int64_t>(x + width, rois.columns.end)};
            const MapTile map = pack(worker, block, rois, rois.rows, strip, buffers.packed);
            worker.worked(length(rois.rows) * length(strip));
            for (int64_t i = item.first; i < item.end && !worker.stopped(); i++) {
                const auto& y = reduction_.y(work_.order[i], w);
                const int64_t reads = estimated_product(y.first[y.count], length(strip));
                reduction_.reduce_strip(*block.kernels, watched(map, worker.watch(reads)), y,
                                        reduction_.x(work_.order[i], w), strip, bins_at(i), buffers.columns);
                worker.worked(1 + reads);
            }
        }
        for (int64_t i = item.first; i < item.end && !worker.stopped(); i++) {
            reduction_.finish(*block.kernels, reduction_.y(work_.order[i], w), reduction_.x(work_.order[i], w),
                              bins_at(i));
            unpack(block, bins_at(i), job_.out.rows, job_.out.columns,
                   first_output(block, rois, work_.order[i], job_.out), buffers.staging);
        }
    }
}

}  // namespace fastroi
