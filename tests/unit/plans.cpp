// What plans are made of: the arena that holds them, axes of ranges, taps, samples and gathered cells, and covers by runs, each
// beside what its header promises.
//
//   plans [--seed=N] [--trials=N]
#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "../../src/plan/gather_plan.h"
#include "../../src/plan/range_plan.h"
#include "../../src/plan/run_cover.h"
#include "../../src/plan/tap_plan.h"
#include "check.h"

namespace unit {
namespace {

using namespace fastroi;

// --- the arena ---------------------------------------------------------------------------------------------------------

struct Piece {
    unsigned char* memory;
    size_t bytes;
    unsigned char fill;
};

size_t random_size(Random& random) {
    switch (random.below(8)) {
        case 0: return 0;
        case 1: return (size_t)random.between(1, 2 * (int64_t)largest_chunk);
        case 2: return (size_t)random.between(1, 2 * (int64_t)smallest_chunk);
        default: return (size_t)random.between(1, 300);
    }
}

// Pieces are aligned, keep what is written into them while others come, and never overlap.
void check_arena(Random& random) {
    Arena arena;
    std::vector<Piece> pieces;
    for (int64_t count = random.between(1, 60); count > 0; count--) {
        const size_t bytes = random_size(random);
        const Piece piece{arena.allocate<unsigned char>(bytes), bytes, (unsigned char)random.below(256)};
        if (bytes == 0) continue;
        memset(piece.memory, piece.fill, bytes);
        pieces.push_back(piece);
    }
    for (const Piece& piece : pieces) {
        CHECK_THAT((uintptr_t)piece.memory % 16, ==, 0u);
        CHECK(std::all_of(piece.memory, piece.memory + piece.bytes,
                          [&](unsigned char byte) { return byte == piece.fill; }));
    }
    std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.memory < b.memory; });
    for (size_t i = 1; i < pieces.size(); i++) CHECK(pieces[i - 1].memory + pieces[i - 1].bytes <= pieces[i].memory);
}

// Chunks double up to the largest: small pieces seldom begin a new one.
void check_arena_growth() {
    constexpr size_t total = 16 << 20, piece = 64;
    Arena arena;
    int64_t chunks = 0;
    const unsigned char* end = nullptr;
    for (size_t bytes = 0; bytes < total; bytes += piece) {
        const unsigned char* const next = arena.allocate<unsigned char>(piece);
        chunks += next != end;
        end = next + piece;
    }
    int64_t doublings = 0;
    for (size_t chunk = smallest_chunk; chunk < largest_chunk; chunk *= 2) doublings++;
    CHECK_THAT(chunks, <=, doublings + (int64_t)(total / largest_chunk) + 1);
}

// The store gives back the chunks that it was given, and takes no more than its share and no odd sizes.
void check_chunk_store() {
    ChunkStore store;
    std::vector<std::vector<unsigned char>> memory;
    const auto give = [&](size_t bytes) {
        memory.emplace_back(bytes);
        return store.give(memory.back().data(), bytes);
    };
    CHECK(!store.take(smallest_chunk));
    CHECK(!give(smallest_chunk / 2) && !give(3 * smallest_chunk) && !give(2 * largest_chunk));
    CHECK(give(smallest_chunk) && give(2 * smallest_chunk));
    CHECK(store.take(2 * smallest_chunk) == memory.back().data());
    CHECK(!store.take(2 * smallest_chunk));
    CHECK(store.take(smallest_chunk) == memory[memory.size() - 2].data());
    for (size_t kept = 0; kept < kept_chunks; kept += largest_chunk) CHECK(give(largest_chunk));
    CHECK(!give(smallest_chunk));
    CHECK(store.take(largest_chunk));
    CHECK(give(smallest_chunk));
}

// --- ranges ------------------------------------------------------------------------------------------------------------

Range random_range(Random& random, int32_t extent) {
    const int32_t start = (int32_t)random.below(extent);
    if (random.one_in(6)) return {start, start - (int32_t)random.below(3)};
    return {start, (int32_t)random.between(start + 1, extent)};
}

void check_range_axis(Random& random) {
    std::vector<Range> cells((size_t)random.between(1, 12)), bins(cells.size());
    for (Range& r : cells) r = random_range(random, 100);
    Pace pace;
    const RangeAxis axis = range_axis((int64_t)cells.size(), [&](int64_t p) { return cells[p]; }, bins.data(), pace);
    CHECK_THAT(axis.count, ==, (int64_t)cells.size());
    CHECK(axis.bins == bins.data());
    int64_t longest = 0, start = 1000, end = -1;
    for (size_t p = 0; p < cells.size(); p++) {
        CHECK(bins[p].start == cells[p].start && bins[p].end == cells[p].end);
        if (is_empty(cells[p])) continue;
        longest = std::max<int64_t>(longest, cells[p].end - cells[p].start);
        start = std::min<int64_t>(start, cells[p].start), end = std::max<int64_t>(end, cells[p].end);
    }
    CHECK_THAT(axis.longest, ==, longest);
    if (end < 0) start = end = 0;
    CHECK_THAT(axis.hull.start, ==, start);
    CHECK_THAT(axis.hull.end, ==, end);
}

// --- taps and samples --------------------------------------------------------------------------------------------------

// The touched cells of an axis, once each, ascending, and their hull.
template <class Axis>
void check_cells(const Axis& axis, std::vector<int32_t> touched) {
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    CHECK_THAT(axis.cell_count, ==, (int64_t)touched.size());
    for (size_t i = 0; i < touched.size(); i++) CHECK_THAT(axis.cells[i], ==, touched[i]);
    CHECK_THAT(axis.hull.start, ==, touched.empty() ? 0 : touched.front());
    CHECK_THAT(axis.hull.end, ==, touched.empty() ? 0 : touched.back() + 1);
}

struct Tap {
    int64_t index;
    double weight;
};

// Bins in any order, some far apart, some mirrored; weights that are nothing, or nothing as T.
std::vector<std::vector<Tap>> random_bins(Random& random) {
    std::vector<std::vector<Tap>> bins((size_t)random.between(1, 9));
    const int64_t extent = random.between(1, 40), step = random.between(-4, 4);
    for (size_t p = 0; p < bins.size(); p++) {
        int64_t index = random.one_in(4) ? random.below(extent) : std::max<int64_t>(0, 20 + step * (int64_t)p);
        for (int64_t i = random.below(5); i > 0; i--, index += random.between(1, 3))
            bins[p].push_back({index, random.one_in(8) ? 0.0 : random.one_in(8) ? 1e-60 : random.symmetric()});
    }
    return bins;
}

template <class T>
void check_collector(Random& random) {
    Collector<T> collector;
    Arena arena;
    for (int roi = 0; roi < 3; roi++) {
        const auto bins = random_bins(random);
        const bool mean = random.one_in(2);
        const TapAxis<T> axis = collector.collect(
            arena, (int64_t)bins.size(),
            [&](int64_t p, auto&& sink) {
                for (const Tap& tap : bins[p]) sink(tap.index, tap.weight);
            },
            mean);
        CHECK_THAT(axis.count, ==, (int64_t)bins.size());
        CHECK_THAT(axis.mean, ==, mean);
        std::vector<int32_t> touched;
        for (size_t p = 0; p < bins.size(); p++) {
            CHECK_THAT(axis.first[p], ==, (int32_t)touched.size());
            for (const Tap& tap : bins[p]) {
                if ((T)tap.weight == 0) continue;
                CHECK_THAT(axis.index[touched.size()], ==, tap.index);
                CHECK_THAT(axis.weight[touched.size()], ==, (T)tap.weight);
                touched.push_back((int32_t)tap.index);
            }
        }
        CHECK_THAT(axis.first[bins.size()], ==, (int32_t)touched.size());
        check_cells(axis, touched);
    }
}

// Any rule's taps: on the map, ascending, merged, none of weight zero. Those of a mean over points on the map add up to one.
template <class T, class BinTaps>
void check_taps(int64_t bins, int64_t extent, const BinTaps& taps, double greatest_sum) {
    Collector<T> collector;
    Arena arena;
    const TapAxis<T> axis = collector.collect(arena, bins, taps);
    CHECK_THAT(axis.first[0], ==, 0);
    std::vector<int32_t> touched;
    for (int64_t p = 0; p < bins; p++) {
        CHECK_THAT(axis.first[p], <=, axis.first[p + 1]);
        double sum = 0;
        for (int32_t i = axis.first[p]; i < axis.first[p + 1]; i++) {
            CHECK_THAT(axis.index[i], >=, 0);
            CHECK_THAT(axis.index[i], <, extent);
            CHECK(i == axis.first[p] || axis.index[i - 1] < axis.index[i]);
            CHECK(axis.weight[i] != 0);
            touched.push_back(axis.index[i]);
            sum += (double)axis.weight[i];
        }
        CHECK_THAT(sum, <=, greatest_sum * (1 + 1e-5));
    }
    check_cells(axis, touched);
}

template <class T, class Real>
void check_rules(Random& random) {
    const int64_t bins = random.between(1, 9), extent = random.between(1, 50);
    const double scale = random.one_in(2) ? 1 : random.uniform();
    const double lo = random.symmetric() * 40 + 10,
                 length = random.one_in(8) ? 0 : random.symmetric() * (random.one_in(8) ? 1e9 : 60);
    const double hi = lo + length;
    for (int32_t coordinates = 0; coordinates < align_rule_count; coordinates++) {
        const AlignAxis<Real> axis = align_axis<Real>(align_rule(coordinates), lo, hi, scale, bins, random.below(6));
        check_taps<T>(bins, extent, [&](int64_t p, auto&& sink) { align_taps(axis, p, extent, sink); }, 1);
    }
    const WarpAxis warp = warp_axis(lo, hi, scale, bins);
    check_taps<T>(bins, extent, [&](int64_t p, auto&& sink) { warp_taps(warp, p, extent, sink); }, 1);
    const PreciseAxis precise = precise_axis(lo, hi, scale, bins);
    check_taps<T>(bins, extent, [&](int64_t p, auto&& sink) { precise_taps(precise, p, extent, sink); }, 1);
    for (const CropEnd end : {CropEnd::tensorflow, CropEnd::exact}) {
        const CropAxis crop = crop_axis(lo / 40, hi / 40, bins, extent, end);
        check_taps<T>(bins, extent, [&](int64_t p, auto&& sink) { crop_bilinear_taps(crop, p, extent, sink); }, 1);
        check_taps<T>(bins, extent, [&](int64_t p, auto&& sink) { crop_nearest_taps(crop, p, extent, sink); }, 1);
    }
    const Range range = random_range(random, (int32_t)extent);
    check_taps<T>(bins, extent, [&](int64_t, auto&& sink) { range_mean_taps(range, sink); }, (double)extent);
}

template <class T>
void check_samples(Random& random) {
    const int64_t bins = random.between(1, 9), extent = random.between(1, 50);
    const double lo = random.symmetric() * 40 + 10, hi = lo + random.symmetric() * 60;
    const AlignAxis<double> rule =
        align_axis<double>(align_rule((int32_t)random.below(align_rule_count)), lo, hi, 1, bins, random.below(4));
    Collector<T> collector;
    Arena arena;
    const auto points = [&](int64_t p, auto&& visit) { return visit_align_points(rule, p, extent, visit); };
    const SampleAxis<T> axis = collector.collect_samples(arena, bins, points);
    CHECK_THAT(axis.count, ==, bins);
    std::vector<int32_t> touched;
    int32_t at = 0;
    for (int64_t p = 0; p < bins; p++) {
        CHECK_THAT(axis.first[p], ==, at);
        const bool absent = visit_align_points(rule, p, extent, [&](const AlignPoint<double>& point) {
            const Sample<T>& sample = axis.samples[at++];
            CHECK_THAT(sample.low, ==, point.low);
            CHECK_THAT(sample.weight, ==, (T)point.weight);
            CHECK_THAT(sample.high_weight, ==, (T)point.high_weight);
            for (int high = 0; high < 2; high++)
                if ((high ? sample.high_weight : sample.weight) != 0) touched.push_back(sample.low + high);
        });
        CHECK_THAT((bool)axis.absent[p], ==, absent);
    }
    CHECK_THAT(axis.first[bins], ==, at);
    for (int32_t cell : touched) CHECK(cell >= 0 && cell < extent);
    check_cells(axis, touched);
}

// However many threads plan: RoI i is box first + i.
void check_axis_plan(Random& random) {
    std::vector<Box> boxes((size_t)random.between(1, 150));
    for (size_t i = 0; i < boxes.size(); i++) boxes[i] = {{(double)i, 0, 0, 0, 0}, random.below(5)};
    const int64_t first = random.below((int64_t)boxes.size()), count = (int64_t)boxes.size() - first;
    const auto plan = TapPlan<float>::build<float>(
        boxes.data(), first, count, (int)random.between(1, 5),
        [&](Collector<float>& collector, Arena& arena, const Box& box) {
            TapAxis<float>* const axes = arena.allocate<TapAxis<float>>(2);
            for (int i = 0; i < 2; i++)
                axes[i] =
                    collector.collect(arena, 1, [&](int64_t, auto&& sink) { sink((int64_t)box.coordinate[0] + i, 1); });
            return std::make_pair(axes, axes + 1);
        });
    CHECK_THAT((int64_t)plan.rois().size(), ==, count);
    for (int64_t i = 0; i < count; i++) {
        const auto& roi = plan.rois()[i];
        CHECK_THAT(roi.image, ==, boxes[first + i].image);
        CHECK_THAT(roi.output, ==, first + i);
        CHECK_THAT(roi.y->index[0], ==, first + i);
        CHECK_THAT(roi.x->index[0], ==, first + i + 1);
    }
}

// --- gathered cells ----------------------------------------------------------------------------------------------------

void widen(Range& hull, int32_t cell) {
    if (is_empty(hull)) hull = {cell, cell + 1};
    hull = {std::min(hull.start, cell), std::max(hull.end, cell + 1)};
}

template <class T>
struct GatheredBins {
    std::vector<std::vector<WeightedCell<T>>> bins;
    Range named_rows{0, 0}, named_columns{0, 0};

    void begin() { bins.emplace_back(); }
    void keep(int32_t row, int32_t column, double weight) {
        widen(named_rows, row), widen(named_columns, column);
        if ((T)weight != 0) bins.back().push_back({row, column, (T)weight});
    }
};

void check_hull(Range hull, Range kept, Range named) {
    if (!is_empty(kept)) CHECK(hull.start <= kept.start && kept.end <= hull.end);
    if (!is_empty(hull)) CHECK(named.start <= hull.start && hull.end <= named.end);
}

// A bin's cells in the order in which they were first named, each with the sum of its weights.
template <class T>
void gather_merged(Random& random, CellCollector<T>& collector, GatheredBins<T>& expected) {
    const bool few = random.one_in(2);
    const int64_t names = few ? random.below(17) : random.below(random.one_in(4) ? 2000 : 40),
                  spread = random.between(1, few ? 4 : 40);
    const double scale = random.one_in(9) ? 0 : random.symmetric();
    std::vector<std::pair<int32_t, int32_t>> order;
    std::map<std::pair<int32_t, int32_t>, double> sums;
    collector.begin_merging(few);
    for (int64_t i = 0; i < names; i++) {
        const std::pair<int32_t, int32_t> cell{(int32_t)(1000000 + random.below(spread)),
                                               (int32_t)random.below(spread)};
        const double weight = random.one_in(6) ? 0 : (double)random.between(-2, 2) * 0.25;  // some cancel
        collector.add(cell.first, cell.second, weight);
        if (weight == 0) continue;
        if (sums.emplace(cell, 0).second) order.push_back(cell);
        sums[cell] += weight;
    }
    collector.finish_bin(scale);
    for (const auto& cell : order) expected.keep(cell.first, cell.second, sums[cell] * scale);
}

template <class T>
void gather_product(Random& random, CellCollector<T>& collector, GatheredBins<T>& expected) {
    for (auto* taps : {&collector.row_taps(), &collector.column_taps()}) {
        taps->clear();
        for (int64_t i = random.below(5); i > 0; i--)
            taps->push_back({(int32_t)random.below(100), random.one_in(6) ? 1e-200 : random.symmetric()});
    }
    collector.add_product(collector.row_taps(), collector.column_taps());
    for (const auto& row : collector.row_taps())
        for (const auto& column : collector.column_taps())
            expected.keep(row.first, column.first, row.second * column.second);
}

template <class T>
void check_cell_collector(Random& random) {
    CellCollector<T> collector;
    Arena arena;
    for (int roi = 0; roi < 3; roi++) {
        const int64_t rows = random.between(1, 4), columns = random.between(1, 4);
        GatheredBins<T> expected;
        collector.begin();
        for (int64_t bin = 0; bin < rows * columns; bin++) {
            collector.begin_bin();
            expected.begin();
            if (random.one_in(3))
                gather_product(random, collector, expected);
            else if (!random.one_in(6))
                gather_merged(random, collector, expected);
        }
        const auto [y, x] = collector.axes(arena, columns);
        CHECK_THAT(y.count, ==, rows);
        CHECK_THAT(y.columns, ==, columns);
        CHECK_THAT(x.count, ==, columns);
        Range row_hull{0, 0}, column_hull{0, 0};
        int32_t at = 0;
        for (size_t bin = 0; bin < expected.bins.size(); bin++) {
            CHECK_THAT(y.first[bin], ==, at);
            for (const WeightedCell<T>& cell : expected.bins[bin]) {
                CHECK_THAT(y.cells[at].row, ==, cell.row);
                CHECK_THAT(y.cells[at].column, ==, cell.column);
                CHECK_THAT(y.cells[at].weight, ==, cell.weight);
                widen(row_hull, cell.row), widen(column_hull, cell.column), at++;
            }
        }
        CHECK_THAT(y.first[expected.bins.size()], ==, at);
        // Of four points a cell may count whose weights cancel.
        check_hull(y.hull, row_hull, expected.named_rows);
        check_hull(x.hull, column_hull, expected.named_columns);
    }
}

// --- covers ------------------------------------------------------------------------------------------------------------

// Every bin, clipped to the window, is in one cover, and is the union of its runs, cell by cell.
void check_run_cover(Random& random) {
    const int32_t extent = (int32_t)(random.one_in(4) ? 700 : 60);
    std::vector<Range> bins((size_t)random.between(1, 12));
    for (Range& r : bins) r = random_range(random, random.one_in(2) ? extent : 1 + extent / 8);
    std::vector<Range> kept(bins.size());
    Pace pace;
    const RangeAxis axis = range_axis((int64_t)bins.size(), [&](int64_t p) { return bins[p]; }, kept.data(), pace);
    const Range window = random.one_in(2) ? axis.hull : random_range(random, extent);
    const int limit = (int)random.below(9);
    struct Group {
        int level;
        int64_t count, runs;
    };
    std::vector<Group> groups;
    RunCoverer coverer;
    coverer.group(axis, window, limit,
                  [&](int level, int64_t count, int64_t runs) { groups.push_back({level, count, runs}); });
    Arena arena;
    std::vector<int> covered(bins.size());
    size_t group = 0;
    coverer.cover(arena, axis, window, limit, [&](const RunCover& cover) {
        CHECK(group < groups.size());
        CHECK_THAT(cover.level, ==, groups[group].level);
        CHECK_THAT(cover.count, ==, groups[group].count);
        CHECK_THAT(cover.runs, ==, groups[group].runs);
        CHECK_THAT(cover.level, <=, limit);
        CHECK(group == 0 || groups[group - 1].level < cover.level);
        group++;
        bool all_needed = false;
        for (int64_t i = 0; i < cover.count; i++) {
            const Range piece = intersection(bins[cover.bins[i]], window);
            CHECK(!is_empty(piece));
            covered[cover.bins[i]]++;
            std::vector<int> cells(extent);
            for (int64_t r = 0; r < cover.runs; r++) {
                const int32_t start = cover.starts[i * cover.runs + r];
                CHECK_THAT(start, >=, piece.start);
                CHECK_THAT(start + (1 << cover.level), <=, piece.end);
                for (int32_t cell = start; cell < start + (1 << cover.level); cell++) cells[cell] = 1;
            }
            CHECK_THAT(std::count(cells.begin(), cells.end(), 1), ==, piece.end - piece.start);
            all_needed = all_needed || cover.runs << cover.level < piece.end - piece.start + (1 << cover.level);
        }
        CHECK(all_needed);  // by the longest of its bins
        CHECK(cover.level == limit || cover.runs <= 2);
    });
    CHECK_THAT(group, ==, groups.size());
    for (size_t p = 0; p < bins.size(); p++)
        CHECK_THAT(covered[p], ==, is_empty(intersection(bins[p], window)) ? 0 : 1);
}

// --- all of it ---------------------------------------------------------------------------------------------------------

struct Row {
    const char* name;
    void (*check)(Random&);
};

void check_rules_of_both(Random& random) {
    check_rules<float, float>(random);
    check_rules<float, double>(random);
    check_rules<double, double>(random);
}

constexpr Row rows[] = {
    {"arena", check_arena},
    {"range_axis", check_range_axis},
    {"collector float", check_collector<float>},
    {"collector double", check_collector<double>},
    {"rules", check_rules_of_both},
    {"samples float", check_samples<float>},
    {"samples double", check_samples<double>},
    {"axis_plan", check_axis_plan},
    {"cell_collector float", check_cell_collector<float>},
    {"cell_collector double", check_cell_collector<double>},
    {"run_cover", check_run_cover},
};

}  // namespace
}  // namespace unit

int main(int count, char** arguments) {
    const unit::SeedAndTrials given(count, arguments, 200);
    unit::now_checking("plans");
    unit::check_arena_growth();
    unit::check_chunk_store();
    for (const unit::Row& row : unit::rows) {
        unit::each_trial("plans", row.name, given, row.check);
        printf("%s\n", row.name);
    }
}
