// What a kernel is called with: random maps, axes and outputs. All reads outside of a map or of scratch are faults, and all
// writes outside of an output are found.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "../../src/kernels/kernel_table.h"
#include "check.h"

namespace unit {

using namespace fastroi;

// --- memory ------------------------------------------------------------------------------------------------------------

// Pages between two that nobody may touch, given out again for each trial.
class GuardedPages {
public:
    GuardedPages() {
        pages_ = (unsigned char*)mmap(nullptr, size + 2 * margin, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(pages_ != MAP_FAILED && mprotect(pages_ + margin, size, PROT_READ | PROT_WRITE) == 0);
    }
    unsigned char* place(int64_t bytes, bool at_end) {
        CHECK_THAT(bytes, <=, size);
        return pages_ + margin + (at_end ? size - bytes : 0);
    }

private:
    static constexpr int64_t size = 8 << 20, margin = 64 << 10;
    unsigned char* pages_;
};

class Memory {
public:
    void reset() { used_ = 0; }
    unsigned char* guarded(int64_t bytes, bool at_end) {
        if (used_ == pages_.size()) pages_.push_back(std::make_unique<GuardedPages>());
        return pages_[used_++]->place(bytes, at_end);
    }

private:
    std::vector<std::unique_ptr<GuardedPages>> pages_;
    size_t used_ = 0;
};

template <class Item>
Item read(const unsigned char* p) {
    Item item;
    memcpy(&item, p, sizeof item);
    return item;
}

template <class Item>
void write(unsigned char* p, Item item) {
    memcpy(p, &item, sizeof item);
}

// --- values ------------------------------------------------------------------------------------------------------------

// How the cells of one map are drawn: what a maximum has to tell apart, or what rounds.
enum class Values { uniform, ties, many_nan, extremes, magnitudes };

template <class Item>
Item random_value(Random& random, Values values) {
    const auto special = [&] {
        const double all[] = {NAN,
                              INFINITY,
                              -INFINITY,
                              0.0,
                              -0.0,
                              1,
                              std::numeric_limits<Item>::lowest(),
                              std::numeric_limits<Item>::denorm_min()};
        return (Item)all[random.below(sizeof all / sizeof all[0])];
    };
    switch (values) {
        case Values::ties: return (Item)random.between(-2, 2);
        case Values::many_nan: return random.one_in(8) ? (Item)random.symmetric() : (Item)NAN;
        case Values::extremes: return special();
        case Values::magnitudes:
            return random.one_in(200) ? special() : (Item)std::ldexp(random.symmetric(), (int)random.between(-8, 8));
        default: return (Item)random.symmetric();
    }
}

// --- strides -----------------------------------------------------------------------------------------------------------

// Strides of three axes: any nesting, gaps between, some backwards. `origin`: the element (0, 0, 0), in bytes from the lowest.
struct Layout {
    ptrdiff_t stride[3];
    int64_t bytes;
    ptrdiff_t origin;
};

// order[0] is the innermost axis.
inline Layout layout_of(const int64_t (&extents)[3], const int (&order)[3], int64_t item, const int64_t (&gaps)[3],
                        const bool (&backwards)[3]) {
    Layout layout{{}, 0, 0};
    int64_t pitch = item;
    for (int axis : order) {
        layout.stride[axis] = pitch;
        pitch = pitch * std::max<int64_t>(1, extents[axis]) + gaps[axis];
    }
    layout.bytes = std::min({extents[0], extents[1], extents[2]}) > 0 ? item : 0;
    for (int axis = 0; axis < 3 && layout.bytes; axis++) layout.bytes += (extents[axis] - 1) * layout.stride[axis];
    for (int axis = 0; axis < 3; axis++) {
        if (!backwards[axis]) continue;
        layout.origin += std::max<int64_t>(0, extents[axis] - 1) * layout.stride[axis];
        layout.stride[axis] = -layout.stride[axis];
    }
    return layout;
}

constexpr int channels_axis = 0, rows_axis = 1, columns_axis = 2;

// `step`: gaps are multiples of it.
inline Layout random_layout(Random& random, const int64_t (&extents)[3], bool channels_innermost, int64_t item,
                            int64_t step) {
    static constexpr int orders[6][3] = {{0, 2, 1}, {0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}, {1, 0, 2}};
    const auto& order = orders[random.below(channels_innermost ? 2 : 6)];
    int64_t gaps[3] = {};
    bool backwards[3] = {};
    for (int axis = 0; axis < 3; axis++) {
        if (random.one_in(3)) gaps[axis] = step * random.between(1, 9);
        backwards[axis] = random.one_in(4) && !(channels_innermost && axis == channels_axis);
    }
    return layout_of(extents, order, item, gaps, backwards);
}

inline Layout dense_layout(const int64_t (&extents)[3], bool channels_innermost, int64_t item) {
    return channels_innermost ? layout_of(extents, {0, 2, 1}, item, {}, {})
                              : layout_of(extents, {2, 1, 0}, item, {}, {});
}

// --- one call of a kernel ----------------------------------------------------------------------------------------------

struct Timing {
    std::string unit;
    double ticks = -1;
};

// Where a kernel is tried: an instruction set, a block width, random numbers. `timing`: typical sizes, and the time is taken.
struct Place {
    const KernelTable& isa;
    Random random;
    Memory& memory;
    Timing* timing;
    bool spoil;  // outputs are changed before they are compared: each comparison must notice

    bool fused() const { return strcmp(isa.name, "baseline") != 0; }
    int64_t size(int64_t least, int64_t most, int64_t typical) {
        return timing ? typical : random.between(least, most);
    }
    bool sometimes(int64_t n) { return !timing && random.one_in(n); }
};

template <class T>
struct Trial : Place {
    const BlockKernels<T>& kernels;

    Trial(const Place& place, const BlockKernels<T>& block_kernels) : Place(place), kernels(block_kernels) {}

    int64_t lanes() const { return kernels.lanes; }
    Values values_of_maxima() { return timing ? Values::uniform : (Values)random.below(5); }
    Values values_of_sums() { return sometimes(2) ? Values::magnitudes : Values::uniform; }
    T multiply_add(T a, T b, T c) const { return fused() ? std::fma(a, b, c) : (T)(a * b) + c; }
    T* scratch(int64_t count) { return (T*)memory.guarded(count * (int64_t)sizeof(T), true); }

    // The kernel's maximum: what is no number, and what is not larger, leaves `best`.
    static T larger(T candidate, T best) { return candidate > best ? candidate : best; }

    // Times `call` in the ticks that each of `count` units takes; `prepare` goes before each call and is not timed.
    template <class Call, class Prepare>
    void time(const char* unit, int64_t count, const Call& call, const Prepare& prepare);
    template <class Call>
    void time(const char* unit, int64_t count, const Call& call) {
        time(unit, count, call, [] {});
    }
};

// --- outputs -----------------------------------------------------------------------------------------------------------

// What a kernel writes into, filled with random items, and a twin of it for the reference. All of both is compared, so that
// what is left untouched is, gaps and the zones around included. `misaligned`: begins at any byte.
template <class Item>
class Output {
public:
    template <class T>
    Output(Trial<T>& t, int64_t bytes, bool misaligned = false)
        : items_(bytes / (int64_t)sizeof(Item) + 2 * zone),
          shift_(misaligned ? t.random.below(64) : t.random.below(8) * (int64_t)sizeof(Item)) {
        if (t.timing) shift_ = 0;
        CHECK_THAT(bytes % (int64_t)sizeof(Item), ==, 0);
        for (auto* buffer : {&actual_, &expected_, &before_}) buffer->resize(items_ * sizeof(Item) + 128);
        for (int64_t i = 0; i < items_; i++) {
            const Item item = (Item)(int64_t)(1000 * t.random.symmetric());
            for (auto* buffer : {&actual_, &expected_, &before_}) unit::write(first(*buffer) + i * sizeof(Item), item);
        }
    }
    unsigned char* data() { return first(actual_) + zone * sizeof(Item); }
    void expect(ptrdiff_t at, Item item) { unit::write(first(expected_) + zone * sizeof(Item) + at, item); }
    Item expected(ptrdiff_t at) { return read<Item>(first(expected_) + zone * sizeof(Item) + at); }
    void restore() { memcpy(first(actual_), first(before_), items_ * sizeof(Item)); }

    template <class T>
    void compare(Trial<T>& t) {
        if (t.spoil) first(actual_)[t.random.below(items_ * (int64_t)sizeof(Item))] ^= 0x10;
        if (memcmp(first(actual_), first(expected_), items_ * sizeof(Item)) == 0) return;
        for (int64_t i = 0; i < items_; i++) compare_item(i);
    }

private:
    static constexpr int64_t zone = 64;

    unsigned char* first(std::vector<unsigned char>& buffer) const {
        return (unsigned char*)(((uintptr_t)buffer.data() + 63) / 64 * 64) + shift_;
    }
    void compare_item(int64_t i) {
        const Item actual = read<Item>(first(actual_) + i * sizeof(Item)),
                   expected = read<Item>(first(expected_) + i * sizeof(Item));
        const bool both_nan = actual != actual && expected != expected;
        if (both_nan || memcmp(&actual, &expected, sizeof(Item)) == 0) return;
        const bool inside = i >= zone && i < items_ - zone;
        fail(__FILE__, __LINE__,
             (inside ? "item " : "outside of the output, item ") + text((double)(i - zone)) + " of " +
                 text((double)(items_ - 2 * zone)) + " is " + text((double)actual) + " instead of " +
                 text((double)expected));
    }

    std::vector<unsigned char> actual_, expected_, before_;
    int64_t items_, shift_;
};

// Bins of `channels` lanes.
template <class T>
class Bins {
public:
    Bins(Trial<T>& t, int64_t rows, int64_t columns, int64_t channels, bool misaligned = false)
        : layout_(t.timing ? dense_layout({channels, rows, columns}, true, sizeof(T))
                           : random_layout(t.random, {channels, rows, columns}, true, sizeof(T), sizeof(T))),
          output_(t, layout_.bytes, misaligned),
          rows_(rows),
          columns_(columns),
          channels_(channels) {}

    BinTile tile() {
        return {output_.data() + layout_.origin, layout_.stride[rows_axis], layout_.stride[columns_axis]};
    }
    int64_t count() const { return rows_ * columns_; }
    void restore() { output_.restore(); }
    T expected(int64_t ph, int64_t pw, int64_t lane) { return output_.expected(at(ph, pw, lane)); }
    void expect(int64_t ph, int64_t pw, int64_t lane, T value) { output_.expect(at(ph, pw, lane), value); }

    // expected_bin(ph, pw, lane) for all.
    template <class ExpectedBin>
    void expect_all(const ExpectedBin& expected_bin) {
        each([&](int64_t ph, int64_t pw, int64_t lane) { expect(ph, pw, lane, expected_bin(ph, pw, lane)); });
    }
    template <class Visit>
    void each(const Visit& visit) const {
        for (int64_t ph = 0; ph < rows_; ph++)
            for (int64_t pw = 0; pw < columns_; pw++)
                for (int64_t lane = 0; lane < channels_; lane++) visit(ph, pw, lane);
    }
    void compare(Trial<T>& t) { output_.compare(t); }

private:
    ptrdiff_t at(int64_t ph, int64_t pw, int64_t lane) const {
        return layout_.origin + ph * layout_.stride[rows_axis] + pw * layout_.stride[columns_axis] +
               lane * layout_.stride[channels_axis];
    }

    Layout layout_;
    Output<T> output_;
    int64_t rows_, columns_, channels_;
};

// --- inputs ------------------------------------------------------------------------------------------------------------

inline int64_t length_of(Range r) { return r.end - r.start; }

// The cells of rows x columns, and nothing else, of a map of Items whose lanes are contiguous or, if `planar`, anywhere.
template <class Item>
class Map {
public:
    template <class T>
    Map(Trial<T>& t, Range rows, Range columns, int64_t channels, Values values, bool planar = false,
        bool dense = false) {
        const int64_t extents[3] = {channels, length_of(rows), length_of(columns)};
        watch_ = !t.timing && t.random.one_in(2) ? patient() : nullptr;
        layout_ = dense || t.timing || t.random.one_in(3)
                      ? dense_layout(extents, !planar, sizeof(Item))
                      : random_layout(t.random, extents, !planar, sizeof(Item), t.random.one_in(4) ? 1 : sizeof(Item));
        unsigned char* const memory = t.memory.guarded(layout_.bytes, t.timing || t.random.one_in(2));
        const ptrdiff_t before = rows.start * layout_.stride[rows_axis] + columns.start * layout_.stride[columns_axis];
        origin_ = (uintptr_t)memory + layout_.origin - before;
        for (int64_t y = rows.start; y < rows.end; y++)
            for (int64_t x = columns.start; x < columns.end; x++)
                for (int64_t c = 0; c < channels; c++)
                    unit::write(address(y, x, c), random_value<Item>(t.random, values));
    }

    const unsigned char* origin() const { return (const unsigned char*)origin_; }
    ptrdiff_t stride(int axis) const { return layout_.stride[axis]; }
    // Of a dense one: planes, or one plane of so many interleaved channels.
    LineMap lines(int64_t interleaved) const {
        return {origin(), stride(channels_axis), stride(rows_axis), interleaved, watch_};
    }
    MapTile tile() const { return {origin(), stride(rows_axis), stride(columns_axis), watch_}; }
    BinTile bins() const { return {(unsigned char*)origin_, stride(rows_axis), stride(columns_axis)}; }
    Item at(int64_t y, int64_t x, int64_t lane) const { return read<Item>(address(y, x, lane)); }
    void set(int64_t y, int64_t x, int64_t lane, Item item) { unit::write(address(y, x, lane), item); }

private:
    unsigned char* address(int64_t y, int64_t x, int64_t lane) const {
        return (unsigned char*)(origin_ + y * stride(rows_axis) + x * stride(columns_axis) +
                                lane * stride(channels_axis));
    }

    // Kernels are compiled twice, for watched reductions and for others: nothing may differ.
    static Watch* patient() {
        static Watch watch{[](Watch&, int64_t) {}};
        return &watch;
    }

    Watch* watch_;
    Layout layout_;
    uintptr_t origin_;  // of cell (0, 0), which need not exist
};

// --- axes --------------------------------------------------------------------------------------------------------------

inline void widen(Range& hull, Range r) {
    if (is_empty(r)) return;
    if (is_empty(hull)) hull = r;
    hull = {std::min(hull.start, r.start), std::max(hull.end, r.end)};
}

// Where an axis lies and how far its bins are apart; a timed one has seven bins, two cells apart.
struct Extent {
    int64_t bins;
    int32_t start, cells;
};

template <class T>
Extent random_extent(Trial<T>& t) {
    const int64_t bins = t.size(1, t.random.one_in(8) ? 20 : 7, 7);
    return {bins, (int32_t)t.random.below(1000), (int32_t)t.size(1, t.random.one_in(8) ? 60 : 12, 14)};
}

struct Ranges {
    std::vector<Range> bins;
    RangeAxis axis{nullptr, 0, {0, 0}, 0};

    template <class T>
    explicit Ranges(Trial<T>& t) {
        const Extent extent = random_extent(t);
        const int64_t longest = t.size(1, 9, 3), empty_in = t.sometimes(12) ? 1 : 8;
        for (int64_t p = 0; p < extent.bins; p++) {
            const int32_t start = extent.start + (int32_t)(t.timing ? 2 * p : t.random.below(extent.cells));
            const int32_t cells = (int32_t)(t.timing ? longest : t.random.between(1, longest));
            bins.push_back(t.sometimes(empty_in) ? empty(t.random) : Range{start, start + cells});
            widen(axis.hull, bins.back());
            axis.longest = std::max<int64_t>(axis.longest, length_of(bins.back()));
        }
        axis.bins = bins.data();
        axis.count = (int64_t)bins.size();
        if (t.sometimes(4)) axis.longest += t.random.below(3);  // of a RoI, whose bins may be another's
    }
    Ranges(const Ranges&) = delete;

private:
    static Range empty(Random& random) {
        return random.one_in(2) ? Range{5, 5} : Range{std::numeric_limits<int32_t>::max(), 0};
    }
};

// Taps, mean or weighted. `part`: some bins of an axis that has more, as a group of bin rows is.
template <class T>
struct Taps {
    std::vector<int32_t> first, index, cells;
    std::vector<T> weight;
    TapAxis<T> axis;

    Taps(Trial<T>& t, bool mean, bool part) {
        const Extent extent = random_extent(t);
        const int64_t before = part && t.sometimes(3) ? t.random.between(1, 3) : 0,
                      after = part && t.sometimes(3) ? 2 : 0;
        const int64_t empty_in = t.sometimes(12) ? 1 : 8, most = t.random.one_in(2) ? 4 : 12;
        for (int64_t p = 0; p < before + extent.bins + after; p++) {
            first.push_back((int32_t)index.size());
            if (!t.sometimes(empty_in)) add_bin(t, extent, p, t.size(1, most, 3), mean);
        }
        first.push_back((int32_t)index.size());
        cells = index;
        std::sort(cells.begin(), cells.end());
        cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
        const Range hull = cells.empty() ? Range{0, 0} : Range{cells.front(), cells.back() + 1};
        axis = {first.data() + before, index.data(),          weight.data(), cells.data(),
                extent.bins,           (int64_t)cells.size(), hull,          mean};
    }
    Taps(const Taps&) = delete;

private:
    void add_bin(Trial<T>& t, const Extent& extent, int64_t bin, int64_t taps, bool mean) {
        std::vector<int32_t> own;
        for (int64_t i = 0; i < taps; i++)
            own.push_back(extent.start + (int32_t)(t.timing ? 2 * bin + i : t.random.below(extent.cells)));
        std::sort(own.begin(), own.end());
        own.erase(std::unique(own.begin(), own.end()), own.end());
        for (int32_t cell : own) {
            index.push_back(cell);
            weight.push_back(mean ? (T)1 : (T)(t.random.symmetric() + 1.5));
        }
    }
};

template <class T>
struct Samples {
    std::vector<int32_t> first, cells;
    std::vector<Sample<T>> samples;
    std::vector<unsigned char> absent;
    SampleAxis<T> axis;

    explicit Samples(Trial<T>& t) {
        const Extent extent = random_extent(t);
        const int64_t empty_in = t.sometimes(12) ? 1 : 8;
        for (int64_t p = 0; p < extent.bins; p++) {
            first.push_back((int32_t)samples.size());
            absent.push_back(t.sometimes(3));
            const int64_t points = t.sometimes(empty_in) ? 0 : t.size(1, 4, 2);
            for (int64_t i = 0; i < points; i++)
                add(t, extent.start + (int32_t)(t.timing ? 2 * p + i : t.random.below(extent.cells)));
        }
        first.push_back((int32_t)samples.size());
        std::sort(cells.begin(), cells.end());
        cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
        const Range hull = cells.empty() ? Range{0, 0} : Range{cells.front(), cells.back() + 1};
        axis = {first.data(), samples.data(), absent.data(), cells.data(), extent.bins, (int64_t)cells.size(), hull};
    }
    Samples(const Samples&) = delete;

private:
    void add(Trial<T>& t, int32_t low) {
        const T weight = t.sometimes(6) ? 0 : (T)(t.random.uniform() + 0.1),
                high = t.sometimes(4) ? 0 : (T)(t.random.uniform() + 0.1);
        samples.push_back({low, weight, high});
        if (weight != 0) cells.push_back(low);
        if (high != 0) cells.push_back(low + 1);
    }
};

// Some bins of `total`, each the union of `runs` runs.
struct Cover {
    std::vector<int32_t> bins, starts;
    RunCover cover;
    Range hull{0, 0};

    template <class T>
    Cover(Trial<T>& t, int64_t total) {
        const int64_t runs = t.size(1, t.random.one_in(2) ? 2 : 4, 2);
        const int32_t start = (int32_t)t.random.below(1000);
        for (int64_t p = 0; p < total; p++) {
            if (t.sometimes(3)) continue;
            bins.push_back((int32_t)p);
            for (int64_t r = 0; r < runs; r++) {
                starts.push_back(start + (int32_t)(t.timing ? 2 * p + r : t.random.below(20)));
                widen(hull, {starts.back(), starts.back() + 1});
            }
        }
        for (int64_t i = (int64_t)bins.size() - 1; i > 0; i--)
            std::swap(bins[i], bins[t.timing ? i : t.random.below(i + 1)]);
        cover = {bins.data(), starts.data(), (int64_t)bins.size(), runs, 0};
    }
    Cover(const Cover&) = delete;
};

}  // namespace unit
