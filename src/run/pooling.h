// One part of a plan pooled by all threads: the work items of its work plan, taken one after the other. Decides nothing.
#pragma once
#include <atomic>
#include <cstring>

#include "listed_cells.h"
#include "scratch.h"
#include "work_plan.h"
#include "workers.h"

namespace fastroi {

template <class T, class Reduction>
class Pooling {
public:
    Pooling(const Reduction& reduction, const Job& job, Part rois)
        : work_(reduction, job, rois),
          reduction_(reduction),
          job_(job),
          argmax_(job.argmax),
          stop_(*job.execution.stop) {}

    void operator()() {
        std::atomic<int64_t> next{0};
        const int64_t items = (int64_t)work_.items.size();
        work_on_threads((int)std::min<int64_t>(work_.threads, items), &stop_, [&](int thread) {
            const Cleanup cleanup{work_.stream ? job_.execution.kernels : nullptr};
            Worker worker(stop_, thread);
            unsigned char* const memory = thread_scratch.reserve(work_.scratch.total);
            if (!memory) stop_.raise(FASTROI_OUT_OF_MEMORY);
            while (!worker.stopped()) {
                const int64_t item = next.fetch_add(1, std::memory_order_relaxed);
                if (item >= items) break;
                process(work_.items[item], lay_out(memory), worker);
            }
        });
        stop_.throw_if_raised();
    }

private:
    // What a thread leaves, even by an exception.
    struct Cleanup {
        const KernelTable* streaming;

        ~Cleanup() {
            if (streaming) streaming->end_streaming();
            thread_scratch.trim();
        }
    };

    struct Buffers {
        T *packed, *columns, *bins, *staging, *rows;
        int64_t* offsets;
    };

    static constexpr int64_t number = sizeof(T);
    static constexpr int64_t cells_packed_at_once = 1 << 18;  // between two looks at the stop sign

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

    void process(const WorkItem& item, const Buffers& buffers, Worker& worker) {
        const ImageRois& rois = work_.images[item.image_rois];
        if (rois.access == Access::strips) {
            for (int64_t b = item.first_block; b < item.end_block; b++)
                process_strips(work_.blocks[b], rois, item, buffers, worker);
            return;
        }
        if constexpr (Reduction::lines)
            if (rois.access == Access::lines) return process_lines(rois, item, buffers, worker);
        if constexpr (Reduction::tables)
            if (rois.access == Access::tables) return process_tables(rois, item, buffers, worker);
        if (item.windows > 1) return process_window_row(item, buffers, worker);
        if (streams_rows(rois, item)) return stream_rows(rois, item, buffers, worker);
        process_rois(rois, item, buffers, worker);
    }

    const unsigned char* first_cell(const ChannelBlock<T>& block, const ImageRois& rois) const {
        const Tensor& map = work_.map_of(rois);
        const ChannelWindow& w = work_.window(rois);
        return map.data + rois.image % map.images * map.image_stride +
               (w.first + block.first_channel * w.step) * map.channel_stride;
    }

    MapTile tile_in_place(const ChannelBlock<T>& block, const ImageRois& rois, Watch* watch = nullptr) const {
        return {first_cell(block, rois), work_.map_of(rois).row_stride, work_.map_of(rois).column_stride, watch};
    }
    static MapTile watched(MapTile map, Watch* watch) {
        map.watch = watch;
        return map;
    }

    const Port<T>& map_port(const ChannelBlock<T>& block) const { return block.kernels->port(work_.map_element); }
    const Port<T>& out_port(const ChannelBlock<T>& block) const { return block.kernels->port(work_.out_element); }

    PlanarBlock planes_of(const ChannelBlock<T>& block, const ImageRois& rois) const {
        const Tensor& map = work_.map_of(rois);
        return {first_cell(block, rois), work_.window(rois).step * map.channel_stride, map.row_stride,
                map.column_stride, block.channels};
    }

    // Packs part of the map. The origin is where cell (0, 0) would lie: kernels address cells by their place on the whole map.
    MapTile pack(Worker& worker, const ChannelBlock<T>& block, const ImageRois& rois, Range rows, Range columns,
                 T* dst) const {
        const PlanarBlock planes = planes_of(block, rois);
        const int64_t width = length(columns), step = std::max<int64_t>(1, cells_packed_at_once / (width + 1));
        for (int64_t y = rows.start; y < rows.end && !worker.stopped(); y += step) {
            const Range some = {(int32_t)y, (int32_t)std::min<int64_t>(y + step, rows.end)};
            map_port(block).pack(planes, some, columns, dst + (y - rows.start) * width * block.kernels->lanes);
            if (some.end < rows.end) worker.worked(length(some) * width);
        }
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

    // ways/rois.h
    void process_rois(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, Worker& worker);
    void process_roi(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi, const MapTile& map,
                     const Buffers& buffers, Worker& worker, Watch* watch);
    void process_listed_cells(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi, const Buffers& buffers,
                              Worker& worker, Watch* watch);
    template <class Axis>
    MapTile pack_listed(const ChannelBlock<T>& block, const ImageRois& rois, ListedCells<Axis>& cells, const Axis& y,
                        const Axis& x, T* dst) const;
    bool has_whole_bins(const ImageRois& rois, const WorkItem& item) const;
    bool sum_whole_bins(const ImageRois& rois, const WorkItem& item, int64_t roi, Watch* watch) const;
    template <class Axis>
    void write_argmax(const ChannelBlock<T>& block, const ImageRois& rois, const MapTile& map, int64_t roi,
                      int64_t first_bin, const Axis& y, const Axis& x, const BinTile& bins, int64_t* offsets) const;

    // ways/rows.h
    bool streams_rows(const ImageRois& rois, const WorkItem& item) const;
    void stream_rows(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, Worker& worker);

    // ways/windows.h
    void process_window_row(const WorkItem& item, const Buffers& buffers, Worker& worker);

    // ways/lines.h
    void process_lines(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, Worker& worker);
    void pool_lines(const ImageRois& rois, int64_t roi, const Buffers& buffers, Worker& worker, Watch* watch);
    LineMap lines_in_place(const ImageRois& rois, Watch* watch) const;
    LineMap widen_lines(const ImageRois& rois, Range rows, Range columns, int64_t interleaved, T* dst,
                        Watch* watch) const;
    void unpack_lines(const ImageRois& rois, int64_t roi, Lines lines, int64_t channel, int64_t bin_rows, T* bins,
                      T* staging) const;
    template <class Axis>
    void write_argmax_of_lines(const ImageRois& rois, int64_t roi, LineMap map, Lines lines, const Axis& y,
                               const Axis& x, const T* bins) const;

    // ways/strips.h
    void process_strips(const ChannelBlock<T>& block, const ImageRois& rois, const WorkItem& item,
                        const Buffers& buffers, Worker& worker);

    // ways/tables.h
    struct StripTables;
    void process_tables(const ImageRois& rois, const WorkItem& item, const Buffers& buffers, Worker& worker);

    const WorkPlan<T, Reduction> work_;
    const Reduction& reduction_;
    const Job& job_;
    const Tensor argmax_;  // of its own: the compiler need not fear that results overwrite it
    StopSign& stop_;
};

}  // namespace fastroi

#include "ways/lines.h"
#include "ways/rois.h"
#include "ways/rows.h"
#include "ways/strips.h"
#include "ways/tables.h"
#include "ways/windows.h"
