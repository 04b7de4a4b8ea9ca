// RoI by RoI, a map of few channels line by line: from the map in place, or from rows of the RoI that a port widens.
#pragma once
#include "../pooling.h"

namespace fastroi {

template <class T, class Reduction>
inline void Pooling<T, Reduction>::process_lines(const ImageRois& rois, const WorkItem& item, const Buffers& buffers,
                                                 Worker& worker) {
    memset(buffers.columns, 0, line_scratch_bytes);
    for (int64_t i = item.first; i < item.end && !worker.stopped(); i++) {
        const int64_t reads =
            estimated_product(work_.reads_of_roi(work_.order[i], work_.window(rois)), job_.out.channels);
        pool_lines(rois, work_.order[i], buffers, worker, worker.watch(reads));
        worker.worked(estimated_product(reads, 1) / work_.lines_together() + 1);
    }
}

template <class T, class Reduction>
inline void Pooling<T, Reduction>::pool_lines(const ImageRois& rois, int64_t roi, const Buffers& buffers,
                                              Worker& worker, Watch* watch) {
    if constexpr (Reduction::lines) {
        const ChannelWindow& w = work_.window(rois);
        const auto& y = reduction_.y(roi, w);
        const auto& x = reduction_.x(roi, w);
        const int64_t interleaved = work_.interleaved_channels(work_.map_of(rois));
        const int64_t planes = job_.out.channels / interleaved, count = planes * y.count;
        LineMap map = lines_in_place(rois, watch);
        if (!work_.lines_are_in_place(work_.map_of(rois)))
            map = widen_lines(rois, y.hull, x.hull, interleaved, buffers.packed, watch);
        for (int64_t first = 0; first < count && !worker.stopped(); first += work_.lines_together()) {
            const Lines lines = {first, std::min(first + work_.lines_together(), count)};
            reduction_.reduce_lines(work_.line_kernels(), map, y, x, lines, buffers.bins, buffers.columns);
            for (int64_t channel = 0; channel < interleaved; channel++)
                unpack_lines(rois, roi, lines, channel, y.count,
                             buffers.bins + channel * x.count * work_.lines_together(), buffers.staging);
            if (argmax_.data) write_argmax_of_lines(rois, roi, map, lines, y, x, buffers.bins);
        }
    }
}

template <class T, class Reduction>
inline LineMap Pooling<T, Reduction>::lines_in_place(const ImageRois& rois, Watch* watch) const {
    const Tensor& map = work_.map_of(rois);
    return {first_cell(work_.blocks[0], rois), map.channel_stride, map.row_stride, work_.interleaved_channels(map),
            watch};
}

// The hull of the RoI, plane by plane. The origin is where cell (0, 0) would lie.
template <class T, class Reduction>
inline LineMap Pooling<T, Reduction>::widen_lines(const ImageRois& rois, Range rows, Range columns, int64_t interleaved,
                                                  T* dst, Watch* watch) const {
    const Tensor& map = work_.map_of(rois);
    const auto load = map_port(work_.blocks[0]).load_line;
    const int64_t width = length(columns), row = width * interleaved;
    const unsigned char* plane = first_cell(work_.blocks[0], rois) + columns.start * map.column_stride;
    T* to = dst;
    for (int64_t p = 0; p < job_.out.channels / interleaved; p++, plane += map.channel_stride)
        for (int64_t y = rows.start; y < rows.end; y++, to += row)
            load(plane + y * map.row_stride, interleaved > 1 ? work_.map_item : map.column_stride, row, to);
    const ptrdiff_t row_stride = row * number;
    const uintptr_t origin = (uintptr_t)dst - rows.start * row_stride - columns.start * interleaved * number;
    return {(const unsigned char*)origin, length(rows) * row_stride, row_stride, interleaved, watch};
}

// The bins of one channel of each plane: runs of lines that are bin rows of the same one.
template <class T, class Reduction>
inline void Pooling<T, Reduction>::unpack_lines(const ImageRois& rois, int64_t roi, Lines lines, int64_t channel,
                                                int64_t bin_rows, T* bins, T* staging) const {
    const ChannelBlock<T>& block = work_.blocks[0];
    const Tensor& out = job_.out;
    const BinTile tile{(unsigned char*)bins, 0, line_bytes};
    // Planes that follow each other as rows do are one run.
    const bool joined = out.channel_stride == bin_rows * out.row_stride;
    for (int64_t first = lines.first; first < lines.end;) {
        const int64_t plane = first / bin_rows, end = joined ? lines.end : std::min(lines.end, (plane + 1) * bin_rows);
        unsigned char* const line = first_output(block, rois, roi, out) + (plane + channel) * out.channel_stride +
                                    (first % bin_rows) * out.row_stride;
        const int64_t lane = first - lines.first;
        const PlanarBins planes{
            line - lane * out.row_stride, out.row_stride, 0, out.column_stride, lane, end - lines.first, work_.stream};
        work_.line_port().unpack(tile, 1, out.columns, planes, staging);
        first = end;
    }
}

// Bin by bin: one is found in less than a row of cells, as like as not.
template <class T, class Reduction>
template <class Axis>
inline void Pooling<T, Reduction>::write_argmax_of_lines(const ImageRois& rois, int64_t roi, LineMap map, Lines lines,
                                                         const Axis& y, const Axis& x, const T* bins) const {
    if constexpr (std::is_same_v<Reduction, MaxOverRanges<T>>) {
        const unsigned char* const origin = map.origin;
        unsigned char* const offsets = first_output(work_.blocks[0], rois, roi, argmax_);
        for (int64_t line = lines.first; line < lines.end; line++) {
            const int64_t plane = line / y.count, ph = line % y.count;
            map.origin = origin + plane * map.plane_stride;
            for (int64_t bin = 0; bin < map.interleaved * x.count; bin++) {
                const int64_t channel = bin / x.count, pw = bin % x.count;
                const T maximum = bins[bin * work_.lines_together() + line - lines.first];
                const int64_t offset =
                    reduction_.find(work_.line_kernels(), map, channel, y.bins[ph], x.bins[pw], maximum);
                memcpy(offsets + (plane + channel) * argmax_.channel_stride + ph * argmax_.row_stride +
                           pw * argmax_.column_stride,
                       &offset, sizeof offset);
            }
        }
    }
}

}  // namespace fastroi
