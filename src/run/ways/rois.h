// RoI by RoI, from the map in place or from a packed one.
#pragma once
#include "../pooling.h"

namespace fastroi {

template <class T, class Reduction>
inline void Pooling<T, Reduction>::process_rois(const ImageRois& rois, const WorkItem& item, const Buffers& buffers,
                                                Worker& worker) {
    MapTile packed{};
    if (rois.access == Access::packed_map)
        packed = pack(worker, work_.blocks[item.first_block], rois, rois.rows, rois.columns, buffers.packed);
    // RoIs outside, blocks inside: what a RoI reads and writes of all its channels is adjacent where no map is packed.
    for (int64_t i = item.first; i < item.end && !worker.stopped(); i++) {
        const int64_t reads = work_.reads_of_roi(work_.order[i], work_.window(rois));
        Watch* const watch = worker.watch(reads);
        if (!sum_whole_bins(rois, item, work_.order[i], watch)) {
            for (int64_t b = item.first_block; b < item.end_block; b++)
                process_roi(work_.blocks[b], rois, work_.order[i],
                            rois.access == Access::direct ? tile_in_place(work_.blocks[b], rois) : packed, buffers,
                            worker, watch);
        }
        worker.worked(estimated_product(reads, item.end_block - item.first_block));
    }
}

// Map and output are channels-last, and the item has all channels: a bin is one run of memory.
template <class T, class Reduction>
inline bool Pooling<T, Reduction>::has_whole_bins(const ImageRois& rois, const WorkItem& item) const {
    return rois.access == Access::direct && work_.is_written_in_place() &&
           item.end_block - item.first_block == (int64_t)work_.blocks.size() &&
           (!work_.stream || job_.out.channels * number >= shortest_streamed_bin);
}

// Writes the RoI bin by bin, all channels of each, if its bins share few columns; says whether it did.
template <class T, class Reduction>
inline bool Pooling<T, Reduction>::sum_whole_bins(const ImageRois& rois, const WorkItem& item, int64_t roi,
                                                  Watch* watch) const {
    if constexpr (std::is_same_v<Reduction, SumOverTaps<T>>) {
        const auto& y = reduction_.y(roi, work_.window(rois));
        const auto& x = reduction_.x(roi, work_.window(rois));
        if (!has_whole_bins(rois, item) || reduction_.bins_share_columns(y, x, Reduction::whole_bin_store))
            return false;
        const ChannelBlock<T>& block = work_.blocks[0];
        const BinTile bins{first_output(block, rois, roi, job_.out), job_.out.row_stride, job_.out.column_stride};
        block.kernels->sum_whole_bins(tile_in_place(block, rois, watch), job_.out.channels, y, x, reduction_.outside,
                                      bins, work_.stream);
        return true;
    }
    return false;
}

template <class T, class Reduction>
inline void Pooling<T, Reduction>::process_roi(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi,
                                               const MapTile& map, const Buffers& buffers, Worker& worker,
                                               Watch* watch) {
    const ChannelWindow& w = work_.window(rois);
    if (rois.access != Access::packed_map && work_.packs_listed_cells(roi, w))
        return process_listed_cells(block, rois, roi, buffers, worker, watch);
    const auto& y = reduction_.y(roi, w);
    const auto& x = reduction_.x(roi, w);
    unsigned char* const out = first_output(block, rois, roi, job_.out);
    const bool in_place = writes_in_place(block);
    const int64_t step = in_place && rois.access != Access::packed_roi && !argmax_.data ? y.count : work_.bin_rows;
    for (int64_t p = 0; p < y.count && !worker.stopped(); p += step) {
        const int64_t end = std::min(p + step, y.count);
        const MapTile tile =
            watched(rois.access == Access::packed_roi
                        ? pack(worker, block, rois, end - p == y.count ? y.hull : rows_of_bins(y, p, end), x.hull,
                               buffers.packed)
                        : map,
                    watch);
        const BinTile bins = in_place
                                 ? BinTile{out + p * job_.out.row_stride, job_.out.row_stride, job_.out.column_stride}
                                 : dense_bins(block, x.count, buffers.bins);
        const auto group = bins_of(y, p, end);
        reduction_.reduce(*block.kernels, tile, group, x, bins, buffers.columns);
        if (!in_place) unpack(block, bins, end - p, x.count, out + p * job_.out.row_stride, buffers.staging);
        if (argmax_.data) write_argmax(block, rois, tile, roi, p, group, x, bins, buffers.offsets);
        if (watch) worker.worked((end - p) * x.count);
    }
}

// The RoI's cells are few among those of its hull: they are packed by themselves, some bin rows' at a time.
template <class T, class Reduction>
inline void Pooling<T, Reduction>::process_listed_cells(const ChannelBlock<T>& block, const ImageRois& rois,
                                                        int64_t roi, const Buffers& buffers, Worker& worker,
                                                        Watch* watch) {
    using Axis = std::decay_t<decltype(reduction_.y(roi, work_.window(rois)))>;
    if constexpr (!std::is_same_v<Axis, RangeAxis>) {
        const ChannelWindow& w = work_.window(rois);
        const Axis& y = reduction_.y(roi, w);
        const Axis& x = reduction_.x(roi, w);
        unsigned char* const out = first_output(block, rois, roi, job_.out);
        ListedCells<Axis> cells;
        for (int64_t p = 0; p < y.count && !worker.stopped(); p += work_.bin_rows) {
            const int64_t end = std::min(p + work_.bin_rows, y.count);
            const MapTile tile = watched(pack_listed(block, rois, cells, bins_of(y, p, end), x, buffers.packed), watch);
            const BinTile bins = dense_bins(block, x.count, buffers.bins);
            reduction_.reduce(*block.kernels, tile, cells.y, cells.x, bins, buffers.columns);
            unpack(block, bins, end - p, x.count, out + p * job_.out.row_stride, buffers.staging);
            if (watch) worker.worked((end - p) * x.count);
        }
    }
}

// Cells that lie apart miss caches and page tables: asked for without waiting, they come twice as fast. A prefetch would be dropped
// where the page table misses.
inline void touch(const PlanarBlock& planes, int64_t row, int64_t column) {
    const unsigned char* const cell = planes.data + row * planes.row_stride + column * planes.column_stride;
    for (int64_t c = 0; c < planes.channels; c++)
        (void)*static_cast<const volatile unsigned char*>(cell + c * planes.channel_stride);
}

template <class T, class Reduction>
template <class Axis>
inline MapTile Pooling<T, Reduction>::pack_listed(const ChannelBlock<T>& block, const ImageRois& rois,
                                                  ListedCells<Axis>& cells, const Axis& y, const Axis& x,
                                                  T* dst) const {
    const PlanarBlock planes = planes_of(block, rois);
    const auto pack = map_port(block).pack;
    cells.renumber(y, x);
    const int64_t width = cells.columns(), lanes = block.kernels->lanes;
    cells.each_run([&](int32_t row, Range columns, int64_t, int64_t) { touch(planes, row, columns.start); });
    cells.each_run([&](int32_t row, Range columns, int64_t packed_row, int64_t packed_column) {
        pack(planes, {row, row + 1}, columns, dst + (packed_row * width + packed_column) * lanes);
    });
    return packed_tile(block, {0, 1}, {0, (int32_t)width}, dst);
}

inline void copy_offsets(const int64_t* src, int64_t step, int64_t count, unsigned char* dst, int64_t stride) {
    for (int64_t i = 0; i < count; i++) memcpy(dst + i * stride, src + i * step, sizeof *src);
}

template <class T, class Reduction>
template <class Axis>
inline void Pooling<T, Reduction>::write_argmax(const ChannelBlock<T>& block, const ImageRois& rois, const MapTile& map,
                                                int64_t roi, int64_t first_bin, const Axis& y, const Axis& x,
                                                const BinTile& bins, int64_t* offsets) const {
    if constexpr (std::is_same_v<Reduction, MaxOverRanges<T>>) {
        reduction_.argmax(*block.kernels, map, y, x, bins, offsets);
        const int64_t lanes = block.kernels->lanes, first = block.first_lane, used = block.end_lane - first;
        const Tensor& out = argmax_;
        unsigned char* const bin =
            first_output(block, rois, roi, out) + first_bin * out.row_stride + first * out.channel_stride;
        const bool planar = std::abs(out.column_stride) < std::abs(out.channel_stride);
        for (int64_t ph = 0; ph < y.count; ph++)
            if (planar)
                for (int64_t lane = 0; lane < used; lane++)
                    copy_offsets(offsets + ph * x.count * lanes + first + lane, lanes, x.count,
                                 bin + ph * out.row_stride + lane * out.channel_stride, out.column_stride);
            else
                for (int64_t pw = 0; pw < x.count; pw++)
                    copy_offsets(offsets + (ph * x.count + pw) * lanes + first, 1, used,
                                 bin + ph * out.row_stride + pw * out.column_stride, out.channel_stride);
    }
}

}  // namespace fastroi
