#include "run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "refusal.h"
#include "threads.h"
#include "tiles.h"

namespace fastroi {
namespace {

// Fitted on a 2-core Zen 5 machine; docs/performance.md says how.
constexpr int64_t bytes_per_thread = 128 << 10;    // less work than this is not worth waking a thread for
constexpr int64_t stream_threshold = 12 << 20;     // outputs larger than this bypass the cache
constexpr int64_t cached_block_bytes = 512 << 10;  // a packed block larger than this wants its RoIs sorted by row
constexpr int64_t pack_limit = 64 << 20;           // bytes of packed map per thread
constexpr int64_t bins_limit = 64 << 10;           // bytes of bins per thread before they are unpacked
constexpr int64_t kept_scratch = 64 << 20;         // a thread keeps its scratch between calls up to this size
constexpr int64_t cells_between_polls = 100000;
constexpr auto poll_interval = std::chrono::milliseconds(20);

constexpr int64_t cache_line = 64;

int64_t round_up(int64_t n) { return (n + cache_line - 1) / cache_line * cache_line; }
int64_t length(Range r) { return r.end - r.start; }

Range hull_of(Range a, Range b) {
    if (is_empty(a)) return b;
    if (is_empty(b)) return a;
    return {std::min(a.start, b.start), std::max(a.end, b.end)};
}

// --- scratch ---------------------------------------------------------------------------------------------------------

// One allocation per thread, kept for the next call: fresh pages cost more than the work on small calls.
class Scratch {
public:
    ~Scratch() { std::free(memory_); }

    unsigned char* reserve(int64_t bytes) {
        if (bytes > size_) {
            std::free(memory_);
            size_ = round_up(bytes);
            memory_ = static_cast<unsigned char*>(std::aligned_alloc(cache_line, size_));
            if (!memory_) size_ = 0;
        }
        return memory_;
    }
    void trim() {
        if (size_ <= kept_scratch) return;
        std::free(memory_);
        memory_ = nullptr;
        size_ = 0;
    }

private:
    unsigned char* memory_ = nullptr;
    int64_t size_ = 0;
};

thread_local Scratch thread_scratch;

// --- stopping --------------------------------------------------------------------------------------------------------

// Lets the calling thread ask the caller now and then, and every thread see the answer.
class StopSign {
public:
    explicit StopSign(const Execution& execution)
        : cancel_(execution.cancel), context_(execution.cancel_context), next_poll_(clock::now() + poll_interval) {}

    bool raised() const { return status_.load(std::memory_order_relaxed) != FASTROI_OK; }
    void raise(fastroi_status status) { status_.store(status, std::memory_order_relaxed); }

    // Called by each thread after `cells` more cells; only thread 0 polls.
    void worked(int thread, int64_t cells) {
        if (thread != 0 || !cancel_) return;
        cells_ += cells;
        if (cells_ < cells_between_polls) return;
        cells_ = 0;
        const auto now = clock::now();
        if (now < next_poll_) return;
        next_poll_ = now + poll_interval;
        if (cancel_(context_)) raise(FASTROI_CANCELLED);
    }

    void throw_if_raised() const {
        const int status = status_.load();
        if (status == FASTROI_CANCELLED) refuse(FASTROI_CANCELLED, -1, "cancelled; out is partly written");
        if (status == FASTROI_OUT_OF_MEMORY) refuse(FASTROI_OUT_OF_MEMORY, -1, "scratch memory could not be allocated");
    }

private:
    using clock = std::chrono::steady_clock;
    int (*cancel_)(void*);
    void* context_;
    clock::time_point next_poll_;
    int64_t cells_ = 0;
    std::atomic<int> status_{FASTROI_OK};
};

// --- reductions: what is done with one RoI on one channel block --------------------------------------------------------

template <class T>
struct MaxOverRanges {
    const RangePlan& plan;
    int64_t map_columns;

    int64_t count() const { return (int64_t)plan.rois().size(); }
    int64_t image(int64_t i) const { return plan.rois()[i].image; }
    int64_t output(int64_t i) const { return plan.rois()[i].output; }
    Range columns(int64_t i) const { return plan.rois()[i].x.hull; }
    Range rows(int64_t i) const { return plan.rois()[i].y.hull; }
    Range rows(int64_t i, int64_t first_bin, int64_t end_bin) const {
        Range hull = {0, 0};
        for (int64_t p = first_bin; p < end_bin; p++) hull = hull_of(hull, plan.rois()[i].y.bins[p]);
        return hull;
    }
    int64_t scratch_cells(int64_t i) const { return length(columns(i)); }

    void reduce(const BlockKernels<T>& kernels, const MapTile& map, int64_t i, int64_t first_bin, int64_t end_bin,
                const BinTile& bins, T* scratch) const {
        kernels.max_ranges(map, bin_rows(i, first_bin, end_bin), plan.rois()[i].x, bins, scratch);
    }
    void argmax(const BlockKernels<T>& kernels, const MapTile& map, int64_t i, int64_t first_bin, int64_t end_bin,
                const BinTile& bins, int64_t* offsets) const {
        kernels.argmax_ranges(map, bin_rows(i, first_bin, end_bin), plan.rois()[i].x, bins, map_columns, offsets);
    }

private:
    RangeAxis bin_rows(int64_t i, int64_t first_bin, int64_t end_bin) const {
        RangeAxis y = plan.rois()[i].y;
        y.bins += first_bin;
        y.count = end_bin - first_bin;
        return y;
    }
};

// --- the run ---------------------------------------------------------------------------------------------------------

template <class T, class Reduction>
class Run {
public:
    Run(const Reduction& reduction, const Tensor& features, const Tensor& out, const Tensor& argmax,
        const Execution& execution)
        : reduction_(reduction), features_(features), out_(out), argmax_(argmax), execution_(execution), stop_(execution) {
        group_by_image();
        cut();
        plan_scratch();
    }

    void operator()() {
        std::atomic<int64_t> next{0};
        const int64_t items = (int64_t)items_.size();
        run_on_threads((int)std::min<int64_t>(threads_, items), [&](int thread) {
            unsigned char* const memory = thread_scratch.reserve(scratch_bytes_);
            if (!memory) stop_.raise(FASTROI_OUT_OF_MEMORY);
            const Buffers buffers = lay_out(memory);
            while (!stop_.raised()) {
                const int64_t item = next.fetch_add(1, std::memory_order_relaxed);
                if (item >= items) break;
                process(items_[item], buffers, thread);
            }
            if (stream_) execution_.kernels->end_streaming();
            thread_scratch.trim();
        });
        stop_.throw_if_raised();
    }

private:
    struct Buffers {
        T *packed, *columns, *bins, *staging;
        int64_t* offsets;
    };

    static const BlockKernels<T> (&widths(const KernelTable& table))[block_widths] {
        if constexpr (sizeof(T) == 4)
            return table.f32;
        else
            return table.f64;
    }

    bool channels_last(const Tensor& t) const { return t.channel_stride == (ptrdiff_t)sizeof(T); }

    void group_by_image() {
        order_.resize(reduction_.count());
        std::iota(order_.begin(), order_.end(), (int64_t)0);
        if (features_.images > 1)
            std::stable_sort(order_.begin(), order_.end(),
                             [&](int64_t a, int64_t b) { return reduction_.image(a) < reduction_.image(b); });
        for (int64_t i = 0; i < (int64_t)order_.size(); i++) add_to_image(i);
    }

    void add_to_image(int64_t i) {
        const int64_t roi = order_[i], image = reduction_.image(roi);
        if (images_.empty() || images_.back().image != image)
            images_.push_back({image, i, i, {0, 0}, {0, 0}, 0, Access::direct});
        ImageRois& rois = images_.back();
        rois.end = i + 1;
        if (is_empty(reduction_.rows(roi)) || is_empty(reduction_.columns(roi))) return;
        rois.rows = hull_of(rois.rows, reduction_.rows(roi));
        rois.columns = hull_of(rois.columns, reduction_.columns(roi));
        rois.touched_cells += touched_cells(roi);
    }

    int64_t touched_cells(int64_t roi) const { return length(reduction_.rows(roi)) * length(reduction_.columns(roi)); }

    void cut() {
        const bool direct = channels_last(features_) && features_.channels >= widths(*execution_.kernels)[0].lanes;
        const int widest = direct ? execution_.kernels->direct_width : execution_.kernels->packed_width;
        blocks_ = cut_channels<T>(features_.channels, widths(*execution_.kernels), widest);
        for (const ChannelBlock<T>& block : blocks_) block_lanes_ = std::max(block_lanes_, block.kernels->lanes);
        int64_t touched = 0;
        for (ImageRois& rois : images_) {
            choose_access(rois, direct);
            touched += rois.touched_cells;
        }
        const int64_t bytes = (touched + (int64_t)order_.size() * bins_per_roi()) * features_.channels * (int64_t)sizeof(T);
        threads_ = usable_threads((int)std::min<int64_t>(execution_.threads, 1 + bytes / bytes_per_thread));
        stream_ = (int64_t)order_.size() * features_.channels * bins_per_roi() * (int64_t)sizeof(T) > stream_threshold;
        for (int64_t i = 0; i < (int64_t)images_.size(); i++) cut_image(i);
    }

    int64_t bins_per_roi() const { return out_.rows * out_.columns; }
    int64_t block_bytes() const { return block_lanes_ * (int64_t)sizeof(T); }

    void choose_access(ImageRois& rois, bool direct) {
        const int64_t map_bytes = rois.hull_cells() * block_bytes();
        rois.access = direct                                                                  ? Access::direct
                      : rois.touched_cells < rois.hull_cells() || map_bytes > pack_limit ? Access::packed_roi
                                                                                         : Access::packed_map;
        if (rois.access == Access::packed_map && map_bytes > cached_block_bytes)
            std::sort(order_.begin() + rois.first, order_.begin() + rois.end, [&](int64_t a, int64_t b) {
                const int32_t ya = reduction_.rows(a).start, yb = reduction_.rows(b).start;
                return ya < yb || (ya == yb && a < b);
            });
    }

    // A packed map serves all RoIs of an item, so items are few there and divide the channels; elsewhere they divide the RoIs.
    void cut_image(int64_t index) {
        const ImageRois& rois = images_[index];
        const int64_t blocks = (int64_t)blocks_.size(), count = rois.end - rois.first;
        const int64_t wanted = 4 * threads_;
        const bool packed = rois.access == Access::packed_map;
        int64_t chunks = std::min(count, packed ? (wanted + blocks - 1) / blocks : 4 * wanted);
        if (packed) chunks = std::min(chunks, 1 + rois.touched_cells / (2 * rois.hull_cells() + 1));
        const int64_t blocks_per_item = packed || count < wanted ? 1 : blocks;
        if (threads_ == 1) chunks = 1;
        for (int64_t b = 0; b < blocks; b += blocks_per_item)
            for (int64_t chunk = 0; chunk < chunks; chunk++)
                items_.push_back({index, rois.first + count * chunk / chunks, rois.first + count * (chunk + 1) / chunks, b,
                                  std::min(b + blocks_per_item, blocks)});
    }

    void plan_scratch() {
        bin_rows_ = std::max<int64_t>(1, std::min(out_.rows, bins_limit / (out_.columns * block_bytes())));
        int64_t packed_cells = 0, column_cells = 0;
        for (const ImageRois& rois : images_) {
            if (rois.access == Access::packed_map) packed_cells = std::max(packed_cells, rois.hull_cells());
            for (int64_t i = rois.first; i < rois.end; i++) {
                if (rois.access == Access::packed_roi)
                    packed_cells = std::max(packed_cells, tallest_rows(order_[i]) * length(reduction_.columns(order_[i])));
                column_cells = std::max(column_cells, reduction_.scratch_cells(order_[i]));
            }
        }
        const int64_t bins = product(bin_rows_, out_.columns, "output_size");
        packed_bytes_ = round_up(product(packed_cells, block_bytes(), "features"));
        columns_bytes_ = round_up(product(column_cells, block_bytes(), "features"));
        bins_bytes_ = round_up(product(bins + block_lanes_, block_bytes(), "output_size"));
        offsets_bytes_ = argmax_.data ? round_up(product(bins * block_lanes_, 8, "output_size")) : 0;
        scratch_bytes_ = packed_bytes_ + columns_bytes_ + 2 * bins_bytes_ + offsets_bytes_;
    }

    // Rows that the tallest group of bin rows of a RoI touches.
    int64_t tallest_rows(int64_t roi) const {
        int64_t tallest = 0;
        for (int64_t ph = 0; ph < out_.rows; ph += bin_rows_)
            tallest = std::max(tallest, length(reduction_.rows(roi, ph, std::min(ph + bin_rows_, out_.rows))));
        return tallest;
    }

    Buffers lay_out(unsigned char* memory) const {
        Buffers b;
        b.packed = (T*)memory;
        b.columns = (T*)(memory += packed_bytes_);
        b.bins = (T*)(memory += columns_bytes_);
        b.staging = (T*)(memory += bins_bytes_);
        b.offsets = (int64_t*)(memory += bins_bytes_);
        return b;
    }

    void process(const WorkItem& item, const Buffers& buffers, int thread) {
        const ImageRois& rois = images_[item.image_rois];
        for (int64_t b = item.first_block; b < item.end_block; b++) {
            const ChannelBlock<T>& block = blocks_[b];
            MapTile map{};
            if (rois.access == Access::direct) map = tile_in_place(block, rois.image);
            if (rois.access == Access::packed_map) map = pack(block, rois.image, rois.rows, rois.columns, buffers.packed);
            for (int64_t i = item.first; i < item.end && !stop_.raised(); i++) {
                process_roi(block, rois, order_[i], map, buffers);
                stop_.worked(thread, touched_cells(order_[i]) + bins_per_roi());
            }
        }
    }

    const unsigned char* first_cell(const ChannelBlock<T>& block, int64_t image) const {
        return features_.data + image * features_.image_stride + block.first_channel * features_.channel_stride;
    }

    MapTile tile_in_place(const ChannelBlock<T>& block, int64_t image) const {
        return {first_cell(block, image), features_.row_stride, features_.column_stride};
    }

    // The returned origin is where cell (0, 0) would lie: the kernels address cells by their place on the whole map.
    MapTile pack(const ChannelBlock<T>& block, int64_t image, Range rows, Range columns, T* dst) const {
        const PlanarBlock planes{first_cell(block, image), features_.channel_stride, features_.row_stride,
                                 features_.column_stride, block.channels};
        block.kernels->pack(planes, rows, columns, dst);
        const ptrdiff_t column_stride = block.kernels->lanes * (ptrdiff_t)sizeof(T);
        const ptrdiff_t row_stride = length(columns) * column_stride;
        const uintptr_t origin = (uintptr_t)dst - rows.start * row_stride - columns.start * column_stride;
        return {(const unsigned char*)origin, row_stride, column_stride};
    }

    void process_roi(const ChannelBlock<T>& block, const ImageRois& rois, int64_t roi, const MapTile& map,
                     const Buffers& buffers) {
        unsigned char* const out = out_.data + reduction_.output(roi) * out_.image_stride +
                                   (block.first_channel) * out_.channel_stride;
        const bool in_place = channels_last(out_) && block.first_lane == 0 && block.end_lane == block.kernels->lanes;
        const int64_t step = in_place && rois.access != Access::packed_roi && !argmax_.data ? out_.rows : bin_rows_;
        for (int64_t ph = 0; ph < out_.rows; ph += step) {
            const int64_t end = std::min(ph + step, out_.rows);
            const MapTile tile = rois.access == Access::packed_roi
                                     ? pack(block, rois.image, reduction_.rows(roi, ph, end), reduction_.columns(roi), buffers.packed)
                                     : map;
            const BinTile bins = in_place ? BinTile{out + ph * out_.row_stride, out_.row_stride, out_.column_stride}
                                          : dense_bins(block, buffers.bins);
            reduction_.reduce(*block.kernels, tile, roi, ph, end, bins, buffers.columns);
            if (!in_place) {
                const PlanarBins planes{out + ph * out_.row_stride, out_.channel_stride, out_.row_stride, out_.column_stride,
                                        block.first_lane, block.end_lane, stream_};
                block.kernels->unpack(bins, end - ph, out_.columns, planes, buffers.staging);
            }
            if (argmax_.data) write_argmax(block, tile, roi, ph, end, bins, buffers.offsets);
        }
    }

    BinTile dense_bins(const ChannelBlock<T>& block, T* bins) const {
        const ptrdiff_t column_stride = block.kernels->lanes * (ptrdiff_t)sizeof(T);
        return {(unsigned char*)bins, out_.columns * column_stride, column_stride};
    }

    void write_argmax(const ChannelBlock<T>& block, const MapTile& map, int64_t roi, int64_t first_bin, int64_t end_bin,
                      const BinTile& bins, int64_t* offsets) const {
        reduction_.argmax(*block.kernels, map, roi, first_bin, end_bin, bins, offsets);
        unsigned char* const plane = argmax_.data + reduction_.output(roi) * argmax_.image_stride +
                                     block.first_channel * argmax_.channel_stride;
        for (int64_t ph = first_bin; ph < end_bin; ph++)
            for (int64_t pw = 0; pw < out_.columns; pw++, offsets += block.kernels->lanes)
                for (int64_t lane = block.first_lane; lane < block.end_lane; lane++)
                    memcpy(plane + lane * argmax_.channel_stride + ph * argmax_.row_stride + pw * argmax_.column_stride,
                           offsets + lane, sizeof *offsets);
    }

    const Reduction& reduction_;
    const Tensor features_, out_, argmax_;
    const Execution execution_;
    StopSign stop_;
    std::vector<int64_t> order_;
    std::vector<ImageRois> images_;
    std::vector<ChannelBlock<T>> blocks_;
    std::vector<WorkItem> items_;
    int threads_ = 1;
    bool stream_ = false;
    int64_t block_lanes_ = 1, bin_rows_ = 1;
    int64_t packed_bytes_ = 0, columns_bytes_ = 0, bins_bytes_ = 0, offsets_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace

template <class T>
void run_max_ranges(const RangePlan& plan, const Tensor& features, const Tensor& out, const Tensor& argmax,
                    const Execution& execution) {
    const MaxOverRanges<T> reduction{plan, features.columns};
    Run<T, MaxOverRanges<T>>(reduction, features, out, argmax, execution)();
}

template void run_max_ranges<float>(const RangePlan&, const Tensor&, const Tensor&, const Tensor&, const Execution&);
template void run_max_ranges<double>(const RangePlan&, const Tensor&, const Tensor&, const Tensor&, const Execution&);

}  // namespace fastroi
