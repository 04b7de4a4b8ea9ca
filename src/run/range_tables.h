// Maxima over ranges out of tables: which RoIs read which table, and whether tables are worth making.
//
// A table of level (j, k) holds at (y, x) the maximum over 2^j rows and 2^k columns from there on. With the right one a bin
// costs one to four cells, however large it is. Only two tables exist at a time: one of rows, doubled in place from level to
// level, and one that starts as its copy and is doubled in columns. So RoIs are visited in the order of their levels.
#pragma once
#include <stdint.h>

#include <vector>

#include "../plan/box.h"
#include "../plan/pace.h"
#include "../plan/run_cover.h"
#include "tiles.h"

namespace fastroi {

using RangeRois = std::vector<PlannedRoi<RangeAxis>>;

// Limits of the levels, and the strips of columns in which an image is taken: one strip if its two tables fit into the cache.
struct TableChoice {
    bool pays;
    bool one_strip;
    int row_levels, column_levels;  // the highest level made
    double cost = 0;                // cycles of a 64-byte vector of channels
};

// RoI order[index] reads a table at the runs of y and x; `alone` if that is all its bins need.
struct TableVisit {
    int64_t index;
    RunCover y, x;
    bool alone;
};

// Visits in the order of their index.
struct VisitSpan {
    const TableVisit *first, *last;

    const TableVisit* begin() const { return first; }
    const TableVisit* end() const { return last; }
    VisitSpan between(int64_t first_index, int64_t end_index) const;
};

// The visits to one table of one strip of one image: the spans [first_span, end_span).
struct TableReading {
    Range strip;
    int row_level, column_level;
    int64_t first_span, end_span;
};

// Visits of so many RoIs are listed in a moment and in little memory, whatever the strips.
int64_t rois_listed_at_once(const RangeRois& rois, int64_t map_rows);

// Columns of a strip of this image whose two tables fit into the cache.
int64_t table_strip_columns(const ImageRois& rois, int64_t block_bytes);

// What a scan without tables would do.
struct Scan {
    bool fits;                // into a thread's scratch
    int64_t map_cell_bytes;   // of all channels
    int64_t read_cell_bytes;  // of the channels that it reads together
    double packed_cells;      // of all images
    double streaming_saves;   // cycles a bin and 64-byte vector of channels
};

TableChoice choose_tables(const RangeRois& rois, const std::vector<int64_t>& order,
                          const std::vector<ImageRois>& images, int64_t wide_block_bytes, int64_t narrow_block_bytes,
                          const Scan& scan);

class RangeTables {
public:
    RangeTables() = default;
    RangeTables(const RangeRois& rois, const std::vector<int64_t>& order, const std::vector<ImageRois>& images,
                const TableChoice& choice, int64_t block_bytes, const Planners& planners);

    const std::vector<TableReading>& readings(int64_t image_rois) const { return readings_[image_rois]; }

    // Calls visit(v) for each visit to the table by RoIs order[first..end).
    template <class Visit>
    void for_each_visit(const TableReading& reading, int64_t first, int64_t end, const Visit& visit) const {
        for (int64_t s = reading.first_span; s < reading.end_span; s++)
            for (const TableVisit& v : spans_[s].between(first, end)) visit(v);
    }
    bool is_read_by(const TableReading& reading, int64_t first, int64_t end) const;

    // RoIs before order[index] whose bins wait for more than one visit, or have none.
    int64_t waiting_before(int64_t index) const { return waiting_[index]; }

private:
    struct PlacedVisit;
    // Which table is read: numbers ascend in the order in which tables are made. Levels need four bits, and no axis has 2^27
    // strips.
    struct TableKey {
        int64_t image_rois, strip;
        int row_level, column_level;

        uint64_t number() const {
            return (((uint64_t)image_rois << 27 | (uint64_t)strip) << 4 | (uint64_t)row_level) << 4 |
                   (uint64_t)column_level;
        }
    };
    struct Group {
        TableKey table;
        VisitSpan visits;
    };
    // What one thread places, by table.
    struct PlacedPart {
        Arena arena;
        std::vector<TableVisit> visits;
        std::vector<Group> groups;
    };

    std::vector<PlacedVisit> place_visits(const RangeRois& rois, const std::vector<int64_t>& order,
                                          const std::vector<ImageRois>& images, const TableChoice& choice,
                                          int64_t block_bytes, Part part, Arena& arena, Pace& pace);
    static void sort_by_table(const std::vector<PlacedVisit>& placed, PlacedPart& part);
    void list_readings(const std::vector<ImageRois>& images, int64_t block_bytes);

    std::vector<PlacedPart> parts_;
    std::vector<VisitSpan> spans_;
    std::vector<std::vector<TableReading>> readings_;
    std::vector<int64_t> waiting_;
};

}  // namespace fastroi
