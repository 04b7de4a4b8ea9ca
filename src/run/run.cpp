#include "run.h"

#include <atomic>
#include <cstring>

#include "stop_sign.h"
#include "work_plan.h"

namespace fastroi {
namespace {

template <class T, class Reduction>
class Run {
public:
    Run(const Reduction& reduction, const Job& job, Part rois)
        : work_(reduction, job, rois),
          reduction_(reduction),
          job_(job),
          argmax_(job.argmax),
          stop_(*job.execution.stop) {}

    void operator()() {
        std::atomic<int64_t> next{0};
        const int64_t items = (int64_t)work_.items.size();
        run_on_threads((int)std::min<int64_t>(work_.threads, items), [&](int thread) {
            unsigned char* const memory = thread_scratch.reserve(work_.scratch.total);
            if (!memory) stop_.raise(FASTROI_OUT_OF_MEMORY);
            while (!stop_.raised()) {
                const int64_t item = next.fetch_add(1, std::memory_order_relaxed);
                if (item >= items) break;
                process(work_.items[item], lay_out(memory), thread);
            }
            if (work_.stream) job_.execution.kernels->end_streaming();
            thread_scratch.trim();
        });
        stop_.throw_if_raised();
    }

private:
    struct Buffers {
        T *packed, *columns, *bins, *staging, *rows;
        int64_t* offsets;
    };

    static constexpr int64_t number = sizeof(T);

    Buffers lay_out(unsigned char* memory) const {
        Buffers b;
        b.packed = (T*)memory;
        b.columns = (T*)(memory += work_.scratch.packed);
        b.bins = (T*)(memory += work_.scratch.columns);
        b.staging = (T*)(memory += work_.scratch.bins);
        b.rows = (T*)(memory += work_.scratch.staging);
        b.offsets = (int64_t*)(memory += work_.scratch.rows);
        return b;
    }

    void process(const WorkItem& item, const Buffers& buffers, int thread) {
        const ImageRois& rois = work_.images[item.image_rois];
        if (rois.access == Access::strips) {
            for (int64_t b = item.first_block; b < item.end_block; b++)
                process_strips(work_.blocks[b], rois, item, buffers, thread);
            return;
        }
        if constexpr (Reduction::tables)
            if (rois.access == Access::tables) return process_tables(rois, item, buffers, thread);
        if (item.windows > 1) return process_window_row(item, buffers, thread);
        if (streams_rows(rois, item)) return stream_rows(rois, item, buffers, thread);
        MapTile packed{};
        if (rois.access == Access::packed_map)
            packed = pack(work_.blocks[item.first_block], rois, rois.rows, rois.columns, buffers.packed);
        // RoIs outside, blocks inside: what a RoI reads and writes of all its channels is adjacent where no map is packed.
        for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
            if (!sum_whole_bins(rois, item, work_.order[i])) {
                for (int64_t b = item.first_block; b < item.end_block; b++)
                    process_roi(work_.blocks[b], rois, work_.order[i],
                                rois.access == Access::direct ? tile_in_place(work_.blocks[b], rois) : packed, buffers);
            }
            stop_.worked(thread, (work_.touched_cells(work_.order[i], work_.window(rois)) + work_.bins_per_roi()) *
                                     (item.end_block - item.first_block));
        }
    }

    bool streams_rows(const ImageRois& rois, const WorkItem& item) const {
        return work_.streams_rows() && rois.access == Access::direct &&
               item.end_block - item.first_block == (int64_t)work_.blocks.size();
    }

    void stream_rows(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, int thread) {
        const ChannelWindow& w = work_.window(rois);
        const ptrdiff_t column_stride = job_.out.channels * number;
        for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
            const auto& y = reduction_.y(work_.order[i], w);
            unsigned char* const out = job_.out.data + reduction_.output(work_.order[i]) * job_.out.image_stride;
            const int64_t whole = sum_whole_bins(rois, item, work_.order[i]) ? y.count : 0;
            for (int64_t p = whole; p < y.count; p += work_.streamed_rows()) {
                const int64_t end = std::min(p + work_.streamed_rows(), y.count);
                for (const ChannelBlock<T>& block : work_.blocks) {
                    const BinTile bins{(unsigned char*)(buffers.rows + block.first_channel), work_.bin_row_bytes(),
                                       column_stride};
                    reduction_.reduce(*block.kernels, tile_in_place(block, rois), bins_of(y, p, end),
                                      reduction_.x(work_.order[i], w), bins, buffers.columns);
                }
                out_port(work_.blocks[0])
                    .stream(buffers.rows, out + p * job_.out.row_stride, (end - p) * work_.bin_row_bytes() / number);
            }
            stop_.worked(
                thread, (work_.touched_cells(work_.order[i], w) + work_.bins_per_roi()) * (int64_t)work_.blocks.size());
        }
    }

    // Map and output are channels-last, and the item has all channels: a bin is one run of memory.
    bool has_whole_bins(const ImageRois& rois, const WorkItem& item) const {
        return rois.access == Access::direct && work_.is_written_in_place() &&
               item.end_block - item.first_block == (int64_t)work_.blocks.size() &&
               (!work_.stream || job_.out.channels * number >= shortest_streamed_bin);
    }

    // Writes the RoI bin by bin, all channels of each, if its bins share few columns; says whether it did.
    bool sum_whole_bins(const ImageRois& rois, const WorkItem& item, int64_t roi) const {
        if constexpr (std::is_same_v<Reduction, SumOverTaps<T>>) {
            const auto& y = reduction_.y(roi, work_.window(rois));
            const auto& x = reduction_.x(roi, work_.window(rois));
            if (!has_whole_bins(rois, item) || reduction_.bins_share_columns(y, x, Reduction::whole_bin_store))
                return false;
            const ChannelBlock<T>& block = work_.blocks[0];
            const BinTile bins{first_output(block, rois, roi, job_.out), job_.out.row_stride, job_.out.column_stride};
            block.kernels->sum_whole_bins(tile_in_place(block, rois), job_.out.channels, y, x, reduction_.outside, bins,
                                          work_.stream);
            return true;
        }
        return false;
    }

    const unsigned char* first_cell(const ChannelBlock<T>& block, const ImageRois& rois) const {
        const Tensor& map = work_.map_of(rois);
        const ChannelWindow& w = work_.window(rois);
        return map.data + rois.image % map.images * map.image_stride +
               (w.first + block.first_channel * w.step) * map.channel_stride;
    }

    MapTile tile_in_place(const ChannelBlock<T>& block, const ImageRois& rois) const {
        return {first_cell(block, rois), work_.map_of(rois).row_stride, work_.map_of(rois).column_stride};
    }

    const Port<T>& map_port(const ChannelBlock<T>& block) const { return block.kernels->port(work_.map_element); }
    const Port<T>& out_port(const ChannelBlock<T>& block) const { return block.kernels->port(work_.out_element); }

    // Packs part of the map. The origin is where cell (0, 0) would lie: kernels address cells by their place on the whole map.
    MapTile pack(const ChannelBlock<T>& block, const ImageRois& rois, Range rows, Range columns, T* dst) const {
        const Tensor& map = work_.map_of(rois);
        const PlanarBlock planes{first_cell(block, rois), work_.window(rois).step * map.channel_stride, map.row_stride,
                                 map.column_stride, block.channels};
        map_port(block).pack(planes, rows, columns, dst);
        return packed_tile(block, rows, columns, dst);
    }

    MapTile packed_tile(const ChannelBlock<T>& block, Range rows, Range columns, const T* packed) const {
        const ptrdiff_t column_stride = block.kernels->lanes * number;
        const ptrdiff_t row_stride = length(columns) * column_stride;
        const uintptr_t origin = (uintptr_t)packed - rows.start * row_stride - columns.start * column_stride;
        return {(const unsigned char*)origin, row_stride, column_stride};
    }

    unsigned char* first_output(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi,
                                const Tensor& t) const {
        const ChannelWindow& w = work_.window(rois);
        return t.data + reduction_.output(roi) * t.image_stride + block.first_channel * t.channel_stride +
               w.bin_rows.start * t.row_stride + w.bin_columns.start * t.column_stride;
    }

    bool writes_in_place(const ChannelBlock<T>& block) const {
        return work_.is_written_in_place() && block.first_lane == 0 && block.end_lane == block.kernels->lanes;
    }

    BinTile bins_in_place(const ChannelBlock<T>& block, const ImageRois& rois, int64_t i) const {
        return {first_output(block, rois, work_.order[i], job_.out), job_.out.row_stride, job_.out.column_stride};
    }

    void process_roi(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi, const MapTile& map,
                     const Buffers& buffers) {
        const ChannelWindow& w = work_.window(rois);
        const auto& y = reduction_.y(roi, w);
        const auto& x = reduction_.x(roi, w);
        unsigned char* const out = first_output(block, rois, roi, job_.out);
        const bool in_place = writes_in_place(block);
        const int64_t step = in_place && rois.access != Access::packed_roi && !argmax_.data ? y.count : work_.bin_rows;
        for (int64_t p = 0; p < y.count; p += step) {
            const int64_t end = std::min(p + step, y.count);
            const MapTile tile =
                rois.access == Access::packed_roi
                    ? pack(block, rois, end - p == y.count ? y.hull : rows_of_bins(y, p, end), x.hull, buffers.packed)
                    : map;
            const BinTile bins =
                in_place ? BinTile{out + p * job_.out.row_stride, job_.out.row_stride, job_.out.column_stride}
                         : dense_bins(block, x.count, buffers.bins);
            const auto group = bins_of(y, p, end);
            reduction_.reduce(*block.kernels, tile, group, x, bins, buffers.columns);
            if (!in_place) unpack(block, bins, end - p, x.count, out + p * job_.out.row_stride, buffers.staging);
            if (argmax_.data) write_argmax(block, rois, tile, roi, p, group, x, bins, buffers.offsets);
        }
    }

    BinTile dense_bins(const ChannelBlock<T>& block, int64_t columns, T* bins) const {
        const ptrdiff_t column_stride = block.kernels->lanes * number;
        return {(unsigned char*)bins, columns * column_stride, column_stride};
    }

    void unpack(const ChannelBlock<T>& block, const BinTile& bins, int64_t rows, int64_t columns, unsigned char* out,
                T* staging) const {
        const PlanarBins planes{out,
                                job_.out.channel_stride,
                                job_.out.row_stride,
                                job_.out.column_stride,
                                block.first_lane,
                                block.end_lane,
                                work_.stream};
        out_port(block).unpack(bins, rows, columns, planes, staging);
    }

    template <class Axis>
    void write_argmax(const ChannelBlock<T>& block, const ImageRois& rois, const MapTile& map, int64_t roi,
                      int64_t first_bin, const Axis& y, const Axis& x, const BinTile& bins, int64_t* offsets) const {
        if constexpr (std::is_same_v<Reduction, MaxOverRanges<T>>) {
            reduction_.argmax(*block.kernels, map, y, x, bins, offsets);
            unsigned char* const plane = first_output(block, rois, roi, argmax_) + first_bin * argmax_.row_stride;
            for (int64_t ph = 0; ph < y.count; ph++)
                for (int64_t pw = 0; pw < x.count; pw++, offsets += block.kernels->lanes)
                    for (int64_t lane = block.first_lane; lane < block.end_lane; lane++)
                        memcpy(plane + lane * argmax_.channel_stride + ph * argmax_.row_stride +
                                   pw * argmax_.column_stride,
                               offsets + lane, sizeof *offsets);
        }
    }

    // Window by window of a row, or of part of one, over all RoIs of the item; their bins stay in scratch until the last window is done.
    void process_window_row(const WorkItem& item, const Buffers& buffers, int thread) {
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
            const MapTile map = pack(block, rois, rois.rows, rois.columns, buffers.packed);
            for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
                const auto& y = reduction_.y(work_.order[i], w);
                const auto& x = reduction_.x(work_.order[i], w);
                reduction_.reduce(*block.kernels, map, y, x, bins_at(i, w.bin_columns.start), buffers.columns);
                stop_.worked(thread, length(y.hull) * length(x.hull) + y.count * x.count);
            }
        }
        for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
            unpack(block, bins_at(i, first_column), length(work_.window(first).bin_rows), columns,
                   first_output(block, first, work_.order[i], job_.out), buffers.staging);
        }
    }

    // Column strip by column strip over all RoIs of the item; their bins stay in scratch until the last strip is done.
    void process_strips(const ChannelBlock<T>& block, const ImageRois& rois, const WorkItem& item,
                        const Buffers& buffers, int thread) {
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
            for (int64_t x = rois.columns.start; x < rois.columns.end && !stop_.raised(); x += width) {
                const Range strip = {(int32_t)x, (int32_t)std::min<int64_t>(x + width, rois.columns.end)};
                const MapTile map = pack(block, rois, rois.rows, strip, buffers.packed);
                for (int64_t i = item.first; i < item.end; i++) {
                    reduction_.reduce_strip(*block.kernels, map, reduction_.y(work_.order[i], w),
                                            reduction_.x(work_.order[i], w), strip, bins_at(i), buffers.columns);
                }
                stop_.worked(thread, item.end - item.first + length(rois.rows) * length(strip));
            }
            for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
                reduction_.finish(*block.kernels, reduction_.y(work_.order[i], w), reduction_.x(work_.order[i], w),
                                  bins_at(i));
                unpack(block, bins_at(i), job_.out.rows, job_.out.columns,
                       first_output(block, rois, work_.order[i], job_.out), buffers.staging);
            }
        }
    }

    // --- tables ---

    // The two tables of a strip: of rows, and, from the first column level on, of rows and columns.
    struct StripTables {
        const Run& run;
        const ChannelBlock<T>& block;
        const ImageRois& rois;
        T* memory;
        Range strip = {0, 0};
        int row_level = 0, column_level = 0;

        MapTile at(const TableReading& reading) {
            if (strip.start != reading.strip.start || strip.end != reading.strip.end || is_empty(strip)) {
                strip = reading.strip;
                run.pack(block, rois, rois.rows, strip, memory);
                row_level = column_level = 0;
            }
            for (; row_level < reading.row_level; row_level++, column_level = 0)
                double_runs(memory, memory, (1LL << row_level) * length(strip));
            for (; column_level < reading.column_level; column_level++)
                double_runs(column_level ? columns() : memory, columns(), 1LL << column_level);
            return run.packed_tile(block, rois.rows, strip, column_level ? columns() : memory);
        }
        T* columns() const { return memory + length(rois.rows) * length(strip) * block.kernels->lanes; }
        void double_runs(const T* from, T* to, int64_t reach) const {
            block.kernels->max_cells(from, from + reach * block.kernels->lanes, to,
                                     length(rois.rows) * length(strip) - reach);
        }
    };

    void process_tables(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, int thread) {
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
                unpack(block, bins, job_.out.rows, job_.out.columns,
                       first_output(block, rois, work_.order[i], job_.out), buffers.staging);
            };
            const bool in_place = writes_in_place(block) && !work_.stream;
            const auto bins_alone = [&](int64_t i) { return in_place ? bins_in_place(block, rois, i) : bins_at(0); };
            const auto begin = [&](int64_t i, const BinTile& bins) {
                block.kernels->begin_maxima(reduction_.y(work_.order[i], w), reduction_.x(work_.order[i], w), bins);
            };
            for (int64_t i = item.first; i < item.end; i++)
                if (waits(i)) begin(i, waiting_bins(i));
            StripTables tables{*this, block, rois, buffers.packed};
            for (const TableReading& reading : work_.tables.readings(item.image_rois)) {
                if (stop_.raised() || !work_.tables.is_read_by(reading, item.first, item.end)) continue;
                const MapTile maxima = tables.at(reading);
                stop_.worked(thread, length(rois.rows) * length(reading.strip));
                work_.tables.for_each_visit(reading, item.first, item.end, [&](const TableVisit& visit) {
                    const BinTile bins = visit.alone ? bins_alone(visit.index) : waiting_bins(visit.index);
                    if (visit.alone && visit.y.count * visit.x.count < work_.bins_per_roi()) begin(visit.index, bins);
                    block.kernels->raise_to_runs(maxima, visit.y, visit.x, visit.alone, bins);
                    if (visit.alone && !in_place) write(visit.index, bins);
                    stop_.worked(thread, work_.bins_per_roi());
                });
            }
            for (int64_t i = item.first; i < item.end && !stop_.raised(); i++)
                if (waits(i)) write(i, waiting_bins(i));
        }
    }

    const WorkPlan<T, Reduction> work_;
    const Reduction& reduction_;
    const Job& job_;
    const Tensor argmax_;  // of its own: the compiler need not fear that results overwrite it
    StopSign& stop_;
};

}  // namespace

std::vector<ChannelWindow> whole_window(const Tensor& out) {
    return {{0, 1, 0, 0, {0, (int32_t)out.rows}, {0, (int32_t)out.columns}}};
}

namespace {

template <class Reduction>
void run(const Reduction& reduction, const Job& job) {
    Run<typename Reduction::Element, Reduction>(reduction, job, reduction.all())();
}

// A scan of ranges lists what it visits: some RoIs at a time, so that the list has a bound.
template <class T>
void run(const MaxOverRanges<T>& reduction, const Job& job) {
    const int64_t count = reduction.count(), step = rois_listed_at_once(reduction.plan.rois(), job.maps[0].rows);
    for (int64_t first = 0; first < count; first += step)
        Run<T, MaxOverRanges<T>>(reduction, job, {first, std::min(first + step, count)})();
}

template <class T>
void run(const MixedOrientations<T>& mixing, const Job& job) {
    mix_orientations(mixing, job);
}

void run(const MaskPart& masks, const Job& job) { pool_masks(masks, job); }

}  // namespace

void pool(const PlanPart& part, const Job& job) {
    std::visit([&](const auto& reduction) { run(reduction, job); }, part);
}

}  // namespace fastroi
