// What a call will do, as WorkPlan decides it before any thread starts, for random jobs of every kind of plan: each RoI, window
// and channel in exactly one place, tables that hold what their readers look up, memory that suffices and keeps to the cap.
//
//   work_plans [--seed=N] [--trials=N]
#include <algorithm>
#include <memory>
#include <vector>

#include "../../src/kernels/dispatch.h"
#include "../../src/run/listed_cells.h"
#include "../../src/run/work_plan.h"
#include "check.h"

namespace unit {
namespace {

using namespace fastroi;

// What the trials came across: each of it at least once.
struct Seen {
    int64_t accesses[6] = {}, window_rows = 0, streamed = 0, listed = 0;
} seen;

// --- jobs --------------------------------------------------------------------------------------------------------------

enum class Size { small, large, huge };  // huge: a packed map would not fit into a thread's scratch

// How the maps and the output of a job lie in memory.
enum class Form { planar, channels_last, gaps };

// Nothing reads what a tensor points to: a map may be larger than the machine.
Tensor random_tensor(Random& random, Form form, int64_t images, int64_t channels, int64_t rows, int64_t columns,
                     int64_t element) {
    Tensor t{(unsigned char*)(uintptr_t)(4096 * random.between(1, 1000)), images, channels, rows, columns, 0, 0, 0, 0};
    const int64_t gap = form == Form::gaps ? element * random.between(1, 9) : 0;
    if (form == Form::planar || (form == Form::gaps && random.one_in(2))) {
        t.column_stride = element, t.row_stride = columns * element + gap;
        t.channel_stride = rows * t.row_stride, t.image_stride = channels * t.channel_stride;
    } else {
        t.channel_stride = element * (form == Form::gaps && random.one_in(3) ? 2 : 1),
        t.column_stride = channels * t.channel_stride + gap;
        t.row_stride = columns * t.column_stride, t.image_stride = rows * t.row_stride;
    }
    if (random.one_in(8)) t.data += random.below(64);
    return t;
}

const KernelTable* random_kernels(Random& random) {
    int count = 0;
    while (supported_kernels(count)) count++;
    return supported_kernels((int)random.below(count));
}

struct RandomJob {
    Job job;
    std::vector<Box> boxes;
    Size size;
    bool wide_boxes;  // as wide as the map, about
    int64_t row_groups, column_groups;

    RandomJob(Random& random, int64_t element, bool may_have_groups) {
        size = (Size)(random.one_in(5) ? 2 : random.below(2));
        const int64_t most = size == Size::small ? 40 : size == Size::large ? 400 : 6000;
        const bool grouped = may_have_groups && random.one_in(3);
        const int64_t out_rows = random_bins(random), out_columns = random_bins(random);
        row_groups = grouped ? random.between(1, 4) : 1, column_groups = grouped ? random.between(1, 7) : 1;
        const int64_t channels = random.one_in(3) ? random.between(1, 400) : random.between(1, 70);
        const int64_t images = random.between(1, 3), levels = random.one_in(4) ? 2 : 1;
        const int64_t most_rois = size == Size::huge ? 6 : random.one_in(2) ? 12 : random.one_in(3) ? 3000 : 150;
        const int64_t rois = random.one_in(10) ? 0 : random.between(1, most_rois);
        wide_boxes = random.one_in(3);
        const Form map_form = (Form)random.below(3), out_form = random.one_in(4) ? (Form)random.below(3) : map_form;
        for (int64_t level = 0; level < levels; level++) {
            const int64_t rows = random.between(1, random.one_in(4) ? 30 : most);
            const int64_t columns = random.between(1, most);
            job.maps.push_back(
                random_tensor(random, map_form, images, channels * row_groups * column_groups, rows, columns, element));
        }
        job.out = random_tensor(random, out_form, rois, channels, out_rows, out_columns, element);
        job.windows = grouped ? group_windows(random.one_in(2)) : whole_window(job.out);
        job.execution = {(int)random.between(1, 6), random_kernels(random), FASTROI_POOL, nullptr};
        for (int64_t i = 0; i < rois; i++) boxes.push_back(random_box(random, levels * images));
    }

    const Tensor& map_of(const Box& box) const { return job.maps[box.image / job.maps[0].images]; }
    Range share(int64_t group, int64_t groups, int64_t bins) const {
        return {(int32_t)((group * bins + groups - 1) / groups), (int32_t)(((group + 1) * bins + groups - 1) / groups)};
    }

private:
    static int64_t random_bins(Random& random) {
        return random.one_in(12) ? random.between(1, 60) : random.between(1, 8);
    }

    std::vector<ChannelWindow> group_windows(bool bin_major) const {
        std::vector<ChannelWindow> windows;
        for (int64_t gh = 0; gh < row_groups; gh++)
            for (int64_t gw = 0; gw < column_groups; gw++) {
                const Range rows = share(gh, row_groups, job.out.rows),
                            columns = share(gw, column_groups, job.out.columns);
                const int64_t group = gh * column_groups + gw;
                if (is_empty(rows) || is_empty(columns)) continue;
                windows.push_back({bin_major ? group * job.out.channels : group,
                                   bin_major ? 1 : row_groups * column_groups, gh, gw, rows, columns});
            }
        return windows;
    }
    Box random_box(Random& random, int64_t images) const {
        Box box{{}, random.below(images)};
        const Tensor& map = map_of(box);
        const double extents[2] = {(double)map.columns, (double)map.rows};
        const double part = random.one_in(3) ? 1.3 : random.uniform();
        for (int axis = 0; axis < 2; axis++) {
            if (wide_boxes) {
                box.coordinate[axis] = extents[axis] * (0.3 * random.uniform() - 0.2);
                box.coordinate[axis + 2] = extents[axis] * (0.8 + 0.4 * random.uniform());
                continue;
            }
            box.coordinate[axis] = extents[axis] * (1.2 * random.uniform() - 0.2);
            box.coordinate[axis + 2] = box.coordinate[axis] + extents[axis] * part * (random.uniform() - 0.05);
        }
        return box;
    }
};

// --- plans -------------------------------------------------------------------------------------------------------------

auto random_ranges(RangeRule rule, double lo, double hi, int64_t bins, int64_t extent) {
    const QuantisedAxis axis = quantise(rule, lo, hi, 1);
    return [=](int64_t p) { return axis.outside ? Range{0, 0} : clipped(range_of_bin(rule, axis, p, bins), extent); };
}

RangePlan range_plan(Random& random, const RandomJob& j) {
    const RangeRule rule = (RangeRule)random.below(range_rule_count);
    return RangePlan(j.boxes.data(), 0, (int64_t)j.boxes.size(), {j.job.out.rows, j.job.out.columns}, 1,
                     [&](const Box& b) {
                         const double* const c = b.coordinate;
                         return std::make_pair(random_ranges(rule, c[1], c[3], j.job.out.rows, j.map_of(b).rows),
                                               random_ranges(rule, c[0], c[2], j.job.out.columns, j.map_of(b).columns));
                     });
}

// One axis for each group: its share of the bins. collect(arena, first bin, bins, axis of the rule, extent) makes one.
template <class Axis, class T, class Collect>
AxisPlan<Axis> axis_plan(Random& random, const RandomJob& j, const Collect& collect) {
    const AlignRule rule = align_rule((int32_t)random.below(align_rule_count));
    const int64_t sampling = random.below(4);
    return AxisPlan<Axis>::template build<T>(
        j.boxes.data(), 0, (int64_t)j.boxes.size(), 1, [&](Collector<T>& collector, Arena& arena, const Box& b) {
            const auto axes = [&](int64_t groups, int64_t bins, int64_t extent, double lo, double hi) {
                const AlignAxis<double> whole = align_axis<double>(rule, lo, hi, 1, bins, sampling);
                Axis* const all = arena.template allocate<Axis>(groups);
                for (int64_t g = 0; g < groups; g++) {
                    const Range share = j.share(g, groups, bins);
                    all[g] = collect(collector, arena, share, whole, extent);
                }
                return all;
            };
            const Axis* const y =
                axes(j.row_groups, j.job.out.rows, j.map_of(b).rows, b.coordinate[1], b.coordinate[3]);
            return std::make_pair(
                y, axes(j.column_groups, j.job.out.columns, j.map_of(b).columns, b.coordinate[0], b.coordinate[2]));
        });
}

template <class T>
TapPlan<T> tap_plan(Random& random, const RandomJob& j) {
    using Whole = AlignAxis<double>;
    return axis_plan<TapAxis<T>, T>(
        random, j, [](Collector<T>& collector, Arena& arena, Range share, const Whole& whole, int64_t extent) {
            return collector.collect(arena, std::max(0, share.end - share.start),
                                     [&](int64_t p, auto&& sink) { align_taps(whole, share.start + p, extent, sink); });
        });
}

template <class T>
SamplePlan<T> sample_plan(Random& random, const RandomJob& j) {
    using Whole = AlignAxis<double>;
    return axis_plan<SampleAxis<T>, T>(
        random, j, [](Collector<T>& collector, Arena& arena, Range share, const Whole& whole, int64_t extent) {
            return collector.collect_samples(arena, std::max(0, share.end - share.start), [&](int64_t p, auto&& visit) {
                return visit_align_points(whole, share.start + p, extent, visit);
            });
        });
}

// A few cells near a place that each bin draws from its box.
template <class T>
GatherPlan<T> gather_plan(const RandomJob& j) {
    const auto& windows = j.job.windows;
    const auto inside = [](double v, int64_t extent) {
        return std::min<int64_t>(extent - 1, std::max<int64_t>(0, (int64_t)v));
    };
    return GatherPlan<T>(
        j.boxes.data(), 0, (int64_t)j.boxes.size(), (int64_t)windows.size(), 1,
        [&](int64_t w) { return length(windows[w].bin_columns); },
        [&](CellCollector<T>& collector, int64_t k, int64_t w) {
            const Box& b = j.boxes[k];
            Random random{(uint64_t)k};
            for (int64_t bin = length(windows[w].bin_rows) * length(windows[w].bin_columns); bin > 0; bin--) {
                collector.begin_bin();
                collector.begin_merging(true);
                for (int64_t i = random.below(5); i > 0; i--) {
                    const int64_t row = inside(b.coordinate[1] + 9 * random.uniform(), j.map_of(b).rows);
                    collector.add(row, inside(b.coordinate[0] + 9 * random.uniform(), j.map_of(b).columns), 1);
                }
                collector.finish_bin(1);
            }
        });
}

// --- checks ------------------------------------------------------------------------------------------------------------

// Every channel is written by one block, from lanes that the map has.
template <class Work>
void check_blocks(const Work& work) {
    std::vector<int> written((size_t)work.job.out.channels);
    for (const auto& block : work.blocks) {
        CHECK(0 <= block.first_lane && block.first_lane <= block.end_lane && block.end_lane <= block.channels);
        CHECK_THAT(block.channels, <=, block.kernels->lanes);
        CHECK_THAT(block.first_channel + block.channels, <=, work.job.out.channels);
        for (int64_t lane = block.first_lane; lane < block.end_lane; lane++) written[block.first_channel + lane]++;
        for (const ImageRois& rois : work.images)
            CHECK(rois.access != Access::direct || block.channels == block.kernels->lanes);
    }
    for (int count : written) CHECK_THAT(count, ==, 1);
}

// The RoIs of a part, once each, those of an image together, and the cells that each touches inside of what the image's do.
template <class Work>
void check_images(const Work& work, Part part) {
    std::vector<int64_t> order = work.order;
    std::sort(order.begin(), order.end());
    CHECK_THAT((int64_t)order.size(), ==, part.end - part.first);
    for (size_t i = 0; i < order.size(); i++) CHECK_THAT(order[i], ==, part.first + (int64_t)i);
    CHECK_THAT((int64_t)work.images.size(), ==, work.images_per_window * (int64_t)work.job.windows.size());
    std::vector<int> seen(work.job.windows.size() * order.size());
    for (const ImageRois& rois : work.images)
        for (int64_t i = rois.first; i < rois.end; i++) {
            CHECK_THAT(work.reduction.image(work.order[i]), ==, rois.image);
            seen[rois.window * order.size() + i]++;
            const Range y = work.reduction.y(work.order[i], work.window(rois)).hull,
                        x = work.reduction.x(work.order[i], work.window(rois)).hull;
            if (is_empty(y) || is_empty(x)) continue;
            CHECK(rois.rows.start <= y.start && y.end <= rois.rows.end);
            CHECK(rois.columns.start <= x.start && x.end <= rois.columns.end);
            CHECK_THAT(rois.widest, >=, length(x));
        }
    for (int count : seen) CHECK_THAT(count, ==, 1);
}

// Every RoI x window x block in exactly one item.
template <class Work>
void check_items(const Work& work) {
    const size_t rois = work.order.size(), blocks = work.blocks.size();
    std::vector<int> done(work.job.windows.size() * rois * blocks);
    for (const WorkItem& item : work.items) {
        CHECK(0 <= item.first_block && item.first_block < item.end_block && item.end_block <= (int64_t)blocks);
        CHECK_THAT(item.windows, >=, 1);
        for (int64_t w = 0; w < item.windows; w++) {
            const size_t index = (size_t)(item.image_rois + w * work.images_per_window);
            CHECK(index < work.images.size());
            const ImageRois& image = work.images[index];
            CHECK(image.first <= item.first && item.first <= item.end && item.end <= image.end);
            CHECK(item.windows == 1 || (image.access == Access::packed_map && item.end_block - item.first_block == 1));
            for (int64_t i = item.first; i < item.end; i++)
                for (int64_t b = item.first_block; b < item.end_block; b++)
                    done[(image.window * rois + i) * blocks + b]++;
        }
    }
    for (int count : done) CHECK_THAT(count, ==, 1);
    CHECK(1 <= work.threads && work.threads <= work.job.execution.threads);
}

template <class T, class Reduction>
int64_t widest_block(const WorkPlan<T, Reduction>& work) {
    int64_t lanes = 1;
    for (const auto& block : work.blocks) lanes = std::max(lanes, block.kernels->lanes);
    return lanes * (int64_t)sizeof(T);
}

// Axes that name no column of the map twice: what listed cells are renumbered to.
template <class Axis>
int64_t cells_after_packing(const Axis& y, const Axis& x) {
    if constexpr (std::is_same_v<Axis, RangeAxis>) {
        return listed_cells(y, x);
    } else {
        ListedCells<Axis> cells;
        cells.renumber(y, x);
        int64_t packed = 0;
        cells.each_run([&](int32_t row, Range columns, int64_t packed_row, int64_t packed_column) {
            CHECK(row >= 0 && columns.start >= 0 && length(columns) > 0);
            CHECK_THAT(packed, ==, packed_row * cells.columns() + packed_column);
            packed += length(columns);
        });
        return packed;
    }
}

// Where no map is packed: what the RoI packs, some bin rows at a time, and the columns that it scans.
template <class Work>
void check_scratch_of_roi(const Work& work, int64_t roi, const ImageRois& rois, int64_t block) {
    const auto& y = work.reduction.y(roi, work.window(rois));
    const auto& x = work.reduction.x(roi, work.window(rois));
    const bool listed = work.packs_listed_cells(roi, work.window(rois));
    seen.listed += listed;
    CHECK_THAT((listed ? listed_columns(x) : length(x.hull)) * block + column_scratch_bytes, <=, work.scratch.columns);
    if (!listed && rois.access == Access::direct) return;
    for (int64_t p = 0; p < y.count; p += work.bin_rows) {
        const int64_t end = std::min(p + work.bin_rows, y.count);
        const Range rows = work.bin_rows >= y.count ? y.hull : rows_of_bins(y, p, end);
        const int64_t cells = listed ? cells_after_packing(bins_of(y, p, end), x) : length(rows) * length(x.hull);
        CHECK_THAT(cells * block, <=, work.scratch.packed);
    }
}

// What ports widen for a RoI, and the bins of the lines that are reduced together.
template <class Work>
void check_scratch_of_lines(const Work& work, const WorkItem& item, const ImageRois& rois) {
    using T = typename std::decay_t<decltype(work.reduction)>::Element;
    const Tensor& map = work.map_of(rois);
    CHECK_THAT(line_scratch_bytes, <=, work.scratch.columns);
    CHECK_THAT(work.job.out.columns * work.interleaved_channels(map) * line_bytes, <=, work.scratch.bins);
    CHECK_THAT((work.job.out.columns + work.lines_together()) * line_bytes, <=, work.scratch.staging);
    if (work.lines_are_in_place(map)) return;
    for (int64_t i = item.first; i < item.end; i++) {
        const int64_t cells = work.hull_cells(work.order[i], work.window(rois));
        CHECK_THAT(cells * work.job.out.channels * (int64_t)sizeof(T), <=, work.scratch.packed);
    }
}

// What run.cpp will pack and keep fits into its part of the scratch; `capped`: jobs of which no RoI may take more than the cap.
template <class Work>
void check_scratch(const Work& work, bool capped) {
    const ScratchPlan& s = work.scratch;
    CHECK_THAT(s.packed + s.columns + s.bins + s.staging + s.rows + s.offsets, ==, s.total);
    for (int64_t bytes : {s.packed, s.columns, s.bins, s.staging, s.rows, s.offsets})
        CHECK_THAT(bytes % cache_line, ==, 0);
    if (capped) CHECK_THAT(s.total, <=, scratch_limit);
    const int64_t block = widest_block(work), bins = work.bins_per_roi();
    for (const WorkItem& item : work.items) {
        const ImageRois& rois = work.images[item.image_rois];
        if (rois.access == Access::packed_map) CHECK_THAT(rois.hull_cells() * block, <=, s.packed);
        if (rois.access == Access::strips) {
            CHECK_THAT(length(rois.rows) * work.strip_width(rois) * block, <=, s.packed);
            CHECK_THAT(work.job.out.rows * work.strip_width(rois) * block, <=, s.columns);
            CHECK_THAT((item.end - item.first) * bins * block, <=, s.bins);
            continue;
        }
        if (rois.access == Access::lines) {
            check_scratch_of_lines(work, item, rois);
            continue;
        }
        if (rois.access == Access::tables) {
            CHECK_THAT((1 + work.waiting_rois(item.first, item.end)) * bins * block, <=, s.bins);
            continue;
        }
        if (rois.access == Access::packed_map) CHECK_THAT(rois.widest * block + column_scratch_bytes, <=, s.columns);
        CHECK_THAT(work.bin_rows * work.job.out.columns * block, <=, s.staging);
        for (int64_t i = item.first; i < item.end && rois.access != Access::packed_map; i++)
            check_scratch_of_roi(work, work.order[i], rois, block);
    }
}

// --- tables ------------------------------------------------------------------------------------------------------------

// Which bins of an axis a cover reads: each is the union of its runs and nothing else, clipped to the strip.
void check_cover(const RangeAxis& axis, const RunCover& cover, Range within, int level, std::vector<int>& bins) {
    CHECK_THAT(cover.level, ==, level);
    const int64_t run = (int64_t)1 << cover.level;
    for (int64_t i = 0; i < cover.count; i++) {
        const Range piece = intersection(axis.bins[cover.bins[i]], within);
        const int32_t* const starts = cover.starts + i * cover.runs;
        CHECK_THAT(starts[0], ==, piece.start);
        CHECK_THAT(starts[cover.runs - 1] + run, ==, piece.end);
        for (int64_t r = 1; r < cover.runs; r++) CHECK(starts[r - 1] <= starts[r] && starts[r] <= starts[r - 1] + run);
        bins[cover.bins[i]]++;
    }
}

// The tables of an image are made in an order in which runs only grow, and each bin reads each strip once, through its visits.
template <class Work>
void check_tables(const Work& work, int64_t image) {
    const ImageRois& rois = work.images[image];
    const int64_t block = widest_block(work), count = rois.end - rois.first;
    const TableReading* last = nullptr;
    std::vector<int64_t> visits((size_t)count);
    struct BinRead {
        int64_t columns = 0;
        int32_t last_strip = -1;
    };
    std::vector<std::vector<BinRead>> bins((size_t)count);
    std::vector<int> alone((size_t)count);
    for (const TableReading& reading : work.tables.readings(image)) {
        CHECK(!is_empty(reading.strip) && rois.columns.start <= reading.strip.start &&
              reading.strip.end <= rois.columns.end);
        CHECK_THAT(2 * length(rois.rows) * length(reading.strip) * block, <=, work.scratch.packed);
        if (last && last->strip.start == reading.strip.start) {
            CHECK_THAT(last->strip.end, ==, reading.strip.end);
            CHECK(std::make_pair(last->row_level, last->column_level) <
                  std::make_pair(reading.row_level, reading.column_level));
        } else if (last) {
            CHECK_THAT(last->strip.end, <=, reading.strip.start);
        }
        last = &reading;
        CHECK(work.tables.is_read_by(reading, rois.first, rois.end));
        work.tables.for_each_visit(reading, rois.first, rois.end, [&](const TableVisit& visit) {
            const int64_t roi = visit.index - rois.first;
            const RangeAxis &y = *work.reduction.plan.rois()[work.order[visit.index]].y,
                            &x = *work.reduction.plan.rois()[work.order[visit.index]].x;
            std::vector<int> y_bins((size_t)y.count), x_bins((size_t)x.count);
            check_cover(y, visit.y, y.hull, reading.row_level, y_bins);
            check_cover(x, visit.x, reading.strip, reading.column_level, x_bins);
            visits[roi]++;
            alone[roi] += visit.alone;
            bins[roi].resize((size_t)(y.count * x.count));
            for (int64_t bin = 0; bin < y.count * x.count; bin++) {
                if (!y_bins[bin / x.count] || !x_bins[bin % x.count]) continue;
                CHECK_THAT(bins[roi][bin].last_strip, <, reading.strip.start);
                bins[roi][bin].last_strip = reading.strip.start;
                bins[roi][bin].columns += length(intersection(x.bins[bin % x.count], reading.strip));
            }
        });
    }
    for (int64_t i = 0; i < count; i++) {
        CHECK_THAT(alone[i], ==, visits[i] == 1 ? 1 : 0);
        CHECK_THAT(work.waiting_rois(rois.first + i, rois.first + i + 1), ==, visits[i] == 1 ? 0 : 1);
        const auto& roi = work.reduction.plan.rois()[work.order[rois.first + i]];
        const RangeAxis &y = *roi.y, &x = *roi.x;
        for (int64_t bin = 0; bin < y.count * x.count; bin++) {
            const Range rows = y.bins[bin / x.count], columns = x.bins[bin % x.count];
            const int64_t expected = is_empty(rows) || is_empty(columns) ? 0 : length(columns);
            CHECK_THAT(bins[i].empty() ? 0 : bins[i][bin].columns, ==, expected);
        }
    }
}

// --- all of it ---------------------------------------------------------------------------------------------------------

template <class T, class Reduction>
void check_work(const Reduction& reduction, RandomJob& j, bool argmax, Part part) {
    if (argmax) j.job.argmax = j.job.out;
    const WorkPlan<T, Reduction> work(reduction, j.job, part);
    check_blocks(work);
    check_images(work, part);
    check_items(work);
    const bool in_pieces = (Reduction::tables && !argmax) || Reduction::strips;
    const bool few_bins = j.job.windows.size() == 1 && work.bins_per_roi() <= max_strip_bins;
    check_scratch(work, j.size == Size::small || (in_pieces && few_bins));
    for (size_t i = 0; i < work.images.size(); i++) {
        seen.accesses[(int)work.images[i].access]++;
        if constexpr (Reduction::tables)
            if (work.images[i].access == Access::tables) check_tables(work, (int64_t)i);
    }
    for (const WorkItem& item : work.items) seen.window_rows += item.windows > 1;
    seen.streamed += work.streams_rows();
}

Part random_part(Random& random, int64_t count) {
    if (count == 0 || random.one_in(2)) return {0, count};
    const int64_t first = random.below(count);
    return {first, random.between(first, count)};
}

template <class T>
void check_max_ranges(Random& random) {
    RandomJob j(random, sizeof(T), false);
    check_work<T>(MaxOverRanges<T>{{range_plan(random, j)}, j.job.maps[0].columns}, j, random.one_in(4),
                  random_part(random, (int64_t)j.boxes.size()));
}

template <class T>
void check_mean_ranges(Random& random) {
    RandomJob j(random, sizeof(T), true);
    check_work<T>(MeanOverRanges<T>{{range_plan(random, j)}}, j, false, {0, (int64_t)j.boxes.size()});
}

template <class T>
void check_sum_taps(Random& random) {
    RandomJob j(random, sizeof(T), true);
    check_work<T>(SumOverTaps<T>{{tap_plan<T>(random, j)}, 0}, j, false, {0, (int64_t)j.boxes.size()});
}

template <class T>
void check_max_samples(Random& random) {
    RandomJob j(random, sizeof(T), false);
    check_work<T>(MaxOverSamples<T>{{sample_plan<T>(random, j)}, {false, false, false}}, j, false,
                  {0, (int64_t)j.boxes.size()});
}

template <class T>
void check_gather(Random& random) {
    RandomJob j(random, sizeof(T), true);
    for (size_t w = 0; w < j.job.windows.size(); w++)
        j.job.windows[w].y_window = j.job.windows[w].x_window = (int64_t)w;
    check_work<T>(SumOverCells<T>{{gather_plan<T>(j)}}, j, false, {0, (int64_t)j.boxes.size()});
}

struct Row {
    const char* name;
    void (*check)(Random&);
};

constexpr Row rows[] = {
    {"max_ranges", check_max_ranges<float>},    {"mean_ranges", check_mean_ranges<double>},
    {"sum_taps float", check_sum_taps<float>},  {"sum_taps double", check_sum_taps<double>},
    {"max_samples", check_max_samples<double>}, {"gather", check_gather<float>},
};

}  // namespace
}  // namespace unit

int main(int count, char** arguments) {
    const unit::SeedAndTrials given(count, arguments, 120);
    for (const unit::Row& row : unit::rows) {
        unit::each_trial("work_plans", row.name, given, row.check);
        printf("%s\n", row.name);
    }
    const char* const names[] = {"direct", "packed_map", "packed_roi", "strips", "lines", "tables"};
    for (int i = 0; i < 6; i++) printf("%s %lld\n", names[i], (long long)unit::seen.accesses[i]);
    printf("window_rows %lld\nstreamed %lld\n", (long long)unit::seen.window_rows, (long long)unit::seen.streamed);
    printf("listed %lld\n", (long long)unit::seen.listed);
}
