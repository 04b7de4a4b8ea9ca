#include "range_tables.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "../size.h"

namespace fastroi {
namespace {

// Fitted on 2-core Zen 4 and Zen 5 machines; docs/performance.md says how.
constexpr int64_t table_bytes = 8 << 20;        // the two tables of a strip stay in the last-level cache
constexpr int64_t near_bytes = 1 << 20;         // what stays in the second-level cache
constexpr int64_t far_bytes = 16 << 20;         // and in the last
constexpr int64_t narrowest_strip = 16;         // columns: below it, bins fall into too many pieces
constexpr int64_t most_table_bytes = 48 << 20;  // of a narrowest strip: one of a map of more rows is narrower
constexpr int highest_level = 8;                // runs of 256 cells
constexpr int64_t sampled_rois = 24;            // a few tell the cost of all
constexpr int64_t visits_at_once = 1 << 17;     // listed before any is made: some 100 ms, 16 MiB
constexpr int64_t rois_per_thread = 64;         // visits of fewer are not worth a thread

// Cycles a 64-byte vector of channels.
struct CellCost {
    double near, far, memory;
    double of(int64_t bytes) const { return bytes <= near_bytes ? near : bytes <= far_bytes ? far : memory; }
};
constexpr CellCost scanned_cell_cost = {1.2, 2, 4};    // a cell read beside its neighbours
constexpr CellCost table_cell_cost = {1.7, 3.5, 3.5};  // a cell read out of a table
constexpr CellCost packing_cost = {3, 6, 20};          // a cell packed
constexpr double reduced_cost = 3;                     // a column or a bin written
constexpr double doubling_cost = 2.5;                  // a cell of a table, a level
constexpr double visit_cost = 60;                      // a RoI at a table
constexpr double scan_cost = 100;                      // a RoI without tables

template <class Visit>
void for_each_strip(Range columns, int64_t width, Range hull, const Visit& visit) {
    for (int64_t start = columns.start; start < columns.end; start += width) {
        const Range strip = {(int32_t)start, (int32_t)std::min<int64_t>(start + width, columns.end)};
        if (!is_empty(intersection(strip, hull))) visit(strip, (start - columns.start) / width);
    }
}

// What a RoI's bins on one axis read under each limit of the level.
struct AxisCost {
    double cells[highest_level + 1] = {}, groups[highest_level + 1] = {};
    uint32_t levels[highest_level + 1] = {};  // bit k: level k is read
};

void add_cost(RunCoverer& coverer, const RangeAxis& axis, Range window, int limits, AxisCost& cost) {
    for (int limit = 0; limit <= limits; limit++)
        coverer.group(axis, window, limit, [&](int level, int64_t count, int64_t runs) {
            cost.cells[limit] += (double)(count * runs);
            cost.groups[limit] += 1;
            cost.levels[limit] |= 1u << level;
        });
}

double cost_of_scan(const RangeAxis& y, const RangeAxis& x, double cell_cost) {
    const double width = (double)length(x.hull), bins = (double)(y.count * x.count);
    const double columns = width * (double)y.count * ((double)y.longest * cell_cost + reduced_cost);
    return scan_cost + columns + bins * ((double)x.longest * scanned_cell_cost.near + reduced_cost);
}

// Costs are estimated on a few RoIs, spread over the order.
struct SampledRoi {
    const RangeAxis *y, *x;
    const ImageRois* image;
    AxisCost y_cost, x_cost;

    double bins() const { return (double)(y->count * x->count); }
};

std::vector<SampledRoi> sample(const RangeRois& rois, const std::vector<int64_t>& order,
                               const std::vector<ImageRois>& images) {
    const int64_t count = (int64_t)order.size();
    std::vector<SampledRoi> samples(std::min(count, sampled_rois));
    for (size_t s = 0; s < samples.size(); s++) {
        const int64_t index = count * (int64_t)s / (int64_t)samples.size();
        const auto& roi = rois[order[index]];
        const auto image = std::upper_bound(images.begin(), images.end(), index,
                                            [](int64_t i, const ImageRois& rois) { return i < rois.end; });
        samples[s] = {roi.y, roi.x, &*image, {}, {}};
    }
    return samples;
}

// RoIs are scanned in the order of their rows, so a RoI finds the rows of the map near that the one before it has touched.
double cost_of_scans(const std::vector<SampledRoi>& samples, int64_t cell_bytes) {
    double cost = 0;
    for (const SampledRoi& s : samples) {
        const int64_t touched_rows_bytes = estimated_product(length(s.y->hull) * length(s.image->columns), cell_bytes);
        cost += cost_of_scan(*s.y, *s.x, scanned_cell_cost.of(touched_rows_bytes));
    }
    return cost;
}

int levels_worth_considering(const std::vector<SampledRoi>& samples) {
    int64_t longest = 1;
    for (const SampledRoi& s : samples) longest = std::max({longest, s.y->longest, s.x->longest});
    return std::min(highest_level, floor_log2(longest));
}

double cost_of_visits(const std::vector<SampledRoi>& samples, int row_limit, int column_limit, double cell_cost) {
    double cost = 0;
    for (const SampledRoi& s : samples)
        cost += s.y_cost.cells[row_limit] * s.x_cost.cells[column_limit] * cell_cost + s.bins() * reduced_cost +
                s.y_cost.groups[row_limit] * s.x_cost.groups[column_limit] * visit_cost;
    return cost;
}

// Doublings a cell: one a row level, and for each row level that is read one a column level, whose first one leaves the first
// table as it is and takes half as much again for touching the other.
double doublings(const std::vector<SampledRoi>& samples, int row_limit, int column_limit) {
    uint32_t rows = 0, columns = 0;
    for (const SampledRoi& s : samples) rows |= s.y_cost.levels[row_limit], columns |= s.x_cost.levels[column_limit];
    if (rows == 0 || columns == 0) return 0;
    const double in_other_table = columns > 1 ? 0.5 + floor_log2(columns) : 0;
    return floor_log2(rows) + __builtin_popcount(rows) * in_other_table;
}

int64_t strip_columns(int64_t rows, int64_t block_bytes) {
    const int64_t column_bytes = 2 * block_bytes * std::max<int64_t>(1, rows);
    return std::max(
        {(int64_t)1, std::min(narrowest_strip, most_table_bytes / column_bytes), table_bytes / column_bytes});
}

}  // namespace

int64_t rois_listed_at_once(const RangeRois& rois, int64_t map_rows) {
    const int64_t strip = strip_columns(map_rows, 64);
    int64_t widest = 0;
    for (const auto& roi : rois) widest = std::max(widest, length(roi.x->hull));
    return std::max<int64_t>(1, visits_at_once / (2 + widest / strip));
}

int64_t table_strip_columns(const ImageRois& rois, int64_t block_bytes) {
    if (estimated_product(2 * block_bytes, rois.hull_cells()) <= table_bytes)
        return std::max<int64_t>(1, length(rois.columns));
    return std::min(length(rois.columns), strip_columns(length(rois.rows), block_bytes));
}

TableChoice choose_tables(const RangeRois& rois, const std::vector<int64_t>& order,
                          const std::vector<ImageRois>& images, int64_t wide_block_bytes, int64_t narrow_block_bytes,
                          const Scan& scan) {
    TableChoice choice{false, true, 0, 0, 0};
    int64_t cells = 0, most_cells = 0;
    for (const ImageRois& image : images) {
        choice.one_strip = choice.one_strip && table_strip_columns(image, wide_block_bytes) >= length(image.columns);
        cells = estimated_sum(cells, image.hull_cells());
        most_cells = std::max(most_cells, image.hull_cells());
    }
    std::vector<SampledRoi> samples = sample(rois, order, images);
    if (samples.empty()) return choice;
    const int64_t block_bytes = choice.one_strip ? wide_block_bytes : narrow_block_bytes;
    const double share = (double)order.size() / (double)samples.size();
    const double packing = packing_cost.of(estimated_product(most_cells, scan.map_cell_bytes));
    double best = std::numeric_limits<double>::infinity();
    if (scan.fits) best = cost_of_scans(samples, scan.read_cell_bytes) * share + packing * scan.packed_cells;
    const double pieces = scan.streaming_saves * samples[0].bins() * (double)order.size();
    const double fixed = packing * (double)cells + pieces, level = doubling_cost * (double)cells;
    choice.cost = best;
    if (best < fixed + level) return choice;

    const int limits = levels_worth_considering(samples);
    RunCoverer coverer;
    for (SampledRoi& s : samples) {
        add_cost(coverer, *s.y, s.y->hull, limits, s.y_cost);
        const int64_t width = table_strip_columns(*s.image, block_bytes);
        for_each_strip(s.image->columns, width, s.x->hull,
                       [&](Range strip, int64_t) { add_cost(coverer, *s.x, strip, limits, s.x_cost); });
    }
    const double cell_cost = table_cell_cost.of(std::min(table_bytes, estimated_product(2 * block_bytes, most_cells)));
    for (int r = 0; r <= limits; r++)
        for (int c = 0; c <= limits; c++) {
            const double cost =
                fixed + cost_of_visits(samples, r, c, cell_cost) * share + level * doublings(samples, r, c);
            if (cost >= best) continue;
            best = choice.cost = cost;
            choice.pays = true, choice.row_levels = r, choice.column_levels = c;
        }
    return choice;
}

constexpr int64_t steps_of_a_visit = 16;  // bins of a plan that take as long

struct RangeTables::PlacedVisit {
    TableKey table;
    TableVisit visit;
};

// All threads place and sort; what is left to the calling thread goes through groups and not visits.
RangeTables::RangeTables(const RangeRois& rois, const std::vector<int64_t>& order, const std::vector<ImageRois>& images,
                         const TableChoice& choice, int64_t block_bytes, const Planners& planners)
    : readings_(images.size()), waiting_(order.size() + 1) {
    const int64_t count = (int64_t)order.size();
    const int parts = (int)std::max<int64_t>(1, std::min<int64_t>(planners.threads, count / rois_per_thread));
    parts_.resize(parts);
    plan_on_threads(planners, parts, [&](int part, Pace& pace) {
        const Part own = {count * part / parts, count * (part + 1) / parts};
        sort_by_table(place_visits(rois, order, images, choice, block_bytes, own, parts_[part].arena, pace),
                      parts_[part]);
    });
    std::partial_sum(waiting_.begin(), waiting_.end(), waiting_.begin());
    list_readings(images, block_bytes);
}

std::vector<RangeTables::PlacedVisit> RangeTables::place_visits(const RangeRois& rois,
                                                                const std::vector<int64_t>& order,
                                                                const std::vector<ImageRois>& images,
                                                                const TableChoice& choice, int64_t block_bytes,
                                                                Part part, Arena& arena, Pace& pace) {
    std::vector<PlacedVisit> placed;
    placed.reserve((size_t)(part.end - part.first));
    RunCoverer coverer;
    std::vector<RunCover> rows;
    int64_t image = 0;
    for (int64_t i = part.first; i < part.end; i++) {
        while (images[image].end <= i) image++;
        const RangeAxis &y = *rois[order[i]].y, &x = *rois[order[i]].x;
        const size_t before = placed.size();
        rows.clear();
        coverer.cover(arena, y, y.hull, choice.row_levels, [&](const RunCover& cover) { rows.push_back(cover); });
        const int64_t width = table_strip_columns(images[image], block_bytes);
        for_each_strip(images[image].columns, width, x.hull, [&](Range strip, int64_t s) {
            pace.worked(steps_of_a_visit * (int64_t)rows.size());
            coverer.cover(arena, x, strip, choice.column_levels, [&](const RunCover& columns) {
                for (const RunCover& row : rows)
                    placed.push_back({{image, s, row.level, columns.level}, {i, row, columns, false}});
            });
        });
        const bool alone = placed.size() == before + 1;
        if (alone) placed.back().visit.alone = true;
        waiting_[i + 1] = !alone;
    }
    return placed;
}

void RangeTables::sort_by_table(const std::vector<PlacedVisit>& placed, PlacedPart& part) {
    std::vector<std::pair<uint64_t, size_t>> sorted;
    sorted.reserve(placed.size());
    for (size_t i = 0; i < placed.size(); i++) sorted.emplace_back(placed[i].table.number(), i);
    std::sort(sorted.begin(), sorted.end());
    part.visits.resize(placed.size());
    for (size_t i = 0; i < sorted.size(); i++) {
        const TableVisit* const visit = &(part.visits[i] = placed[sorted[i].second].visit);
        if (i == 0 || sorted[i - 1].first != sorted[i].first)
            part.groups.push_back({placed[sorted[i].second].table, {visit, visit}});
        part.groups.back().visits.last = visit + 1;
    }
}

void RangeTables::list_readings(const std::vector<ImageRois>& images, int64_t block_bytes) {
    std::vector<Group> groups;
    for (const PlacedPart& part : parts_) groups.insert(groups.end(), part.groups.begin(), part.groups.end());
    if (parts_.size() > 1)  // each part is in order already
        std::stable_sort(groups.begin(), groups.end(),
                         [](const Group& a, const Group& b) { return a.table.number() < b.table.number(); });
    spans_.reserve(groups.size());
    for (size_t g = 0; g < groups.size(); g++) {
        const TableKey& table = groups[g].table;
        std::vector<TableReading>& readings = readings_[table.image_rois];
        const int64_t span = (int64_t)g;
        if (g == 0 || groups[g - 1].table.number() != table.number()) {
            const Range columns = images[table.image_rois].columns;
            const int64_t width = table_strip_columns(images[table.image_rois], block_bytes),
                          start = columns.start + table.strip * width;
            const Range strip = {(int32_t)start, (int32_t)std::min<int64_t>(start + width, columns.end)};
            readings.push_back({strip, table.row_level, table.column_level, span, span});
        }
        readings.back().end_span = span + 1;
        spans_.push_back(groups[g].visits);
    }
}

VisitSpan VisitSpan::between(int64_t first_index, int64_t end_index) const {
    const auto bound = [&](int64_t index) {
        return std::lower_bound(first, last, index, [](const TableVisit& visit, int64_t i) { return visit.index < i; });
    };
    return {bound(first_index), bound(end_index)};
}

bool RangeTables::is_read_by(const TableReading& reading, int64_t first, int64_t end) const {
    const auto reads = [&](const VisitSpan& span) {
        const VisitSpan own = span.between(first, end);
        return own.first != own.last;
    };
    return std::any_of(spans_.begin() + reading.first_span, spans_.begin() + reading.end_span, reads);
}

}  // namespace fastroi
