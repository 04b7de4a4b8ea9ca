// Maxima over ranges out of tables of runs.
#pragma once
#include "../pooling.h"

namespace fastroi {

// The two tables of a strip: of rows, and, from the first column level on, of rows and columns.
template <class T, class Reduction>
struct Pooling<T, Reduction>::StripTables {
    const Pooling& pooling;
    Worker& worker;
    const ChannelBlock<T>& block;
    const ImageRois& rois;
    T* memory;
    Range strip = {0, 0};
    int row_level = 0, column_level = 0;

    MapTile at(const TableReading& reading) {
        if (strip.start != reading.strip.start || strip.end != reading.strip.end || is_empty(strip)) {
            strip = reading.strip;
            pooling.pack(worker, block, rois, rois.rows, strip, memory);
            row_level = column_level = 0;
        }
        for (; row_level < reading.row_level; row_level++, column_level = 0)
            double_runs(memory, memory, (1LL << row_level) * length(strip));
        for (; column_level < reading.column_level; column_level++)
            double_runs(column_level ? columns() : memory, columns(), 1LL << column_level);
        return pooling.packed_tile(block, rois.rows, strip, column_level ? columns() : memory);
    }
    T* columns() const { return memory + length(rois.rows) * length(strip) * block.kernels->lanes; }
    void double_runs(const T* from, T* to, int64_t reach) const {
        const int64_t cells = length(rois.rows) * length(strip) - reach, lanes = block.kernels->lanes;
        for (int64_t i = 0; i < cells && !worker.stopped(); i += cells_doubled_at_once) {
            const int64_t count = std::min(cells_doubled_at_once, cells - i);
            block.kernels->max_cells(from + i * lanes, from + (i + reach) * lanes, to + i * lanes, count);
            worker.worked(count);
        }
    }
    static constexpr int64_t cells_doubled_at_once = 1 << 18;
};

template <class T, class Reduction>
inline void Pooling<T, Reduction>::process_tables(const ImageRois& rois, const WorkItem& item, const Buffers& buffers,
                                                  Worker& worker) {
    for (int64_t b = item.first_block; b < item.end_block; b++) {
        const ChannelBlock<T>& block = work_.blocks[b];
        const ChannelWindow& w = work_.window(rois);
        const auto bins_at = [&](int64_t slot) {
            return dense_bins(block, job_.out.columns,
                              buffers.bins + slot * work_.bins_per_roi() * block.kernels->lanes);
        };
        const auto waiting_bins = [&](int64_t i) { return bins_at(1 + work_.waiting_rois(item.first, i)); };
        const auto waits = [&](int64_t i) { return work_.waiting_rois(i, i + 1) > 0; };
        const auto write = [&](int64_t i, const BinTile& bins) {
            unpack(block, bins, job_.out.rows, job_.out.columns, first_output(block, rois, work_.order[i], job_.out),
                   buffers.staging);
        };
        const bool in_place = writes_in_place(block) && !work_.stream;
        const auto bins_alone = [&](int64_t i) { return in_place ? bins_in_place(block, rois, i) : bins_at(0); };
        const auto begin = [&](int64_t i, const BinTile& bins) {
            block.kernels->begin_maxima(reduction_.y(work_.order[i], w), reduction_.x(work_.order[i], w), bins);
        };
        for (int64_t i = item.first; i < item.end; i++)
            if (waits(i)) begin(i, waiting_bins(i));
        StripTables tables{*this, worker, block, rois, buffers.packed};
        for (const TableReading& reading : work_.tables.readings(item.image_rois)) {
            if (worker.stopped() || !work_.tables.is_read_by(reading, item.first, item.end)) continue;
            const MapTile maxima = tables.at(reading);
            worker.worked(length(rois.rows) * length(reading.strip));
            work_.tables.for_each_visit(reading, item.first, item.end, [&](const TableVisit& visit) {
                const BinTile bins = visit.alone ? bins_alone(visit.index) : waiting_bins(visit.index);
                if (visit.alone && visit.y.count * visit.x.count < work_.bins_per_roi()) begin(visit.index, bins);
                block.kernels->raise_to_runs(maxima, visit.y, visit.x, visit.alone, bins);
                if (visit.alone && !in_place) write(visit.index, bins);
                worker.worked(work_.bins_per_roi());
            });
        }
        for (int64_t i = item.first; i < item.end && !worker.stopped(); i++)
            if (waits(i)) write(i, waiting_bins(i));
    }
}

}  // namespace fastroi
