// Bins that are ranges of rows times ranges of columns: their maximum, by a scan or out of tables, its place, and their mean.
#pragma once
#include "bin_rows.inl"
#include "watch.inl"

namespace fastroi {
namespace {

// --- max over ranges -------------------------------------------------------------------------------------------------

template <class T, int NV>
inline Block<T, NV> max_of(const unsigned char* first, ptrdiff_t step, int64_t count, Block<T, NV> best) {
    for (int64_t i = 0; i < count; i++) best.raise_to(Block<T, NV>::load(first + i * step));
    return best;
}

// Reads N rows of every column: `height` <= N of them and the last again. A maximum does not mind, and a trip count that is
// the same for all bin rows of a RoI spares the branch predictor.
template <class T, int NV, int N>
[[gnu::always_inline]] inline void column_maxima_of(const unsigned char* first, ptrdiff_t row_stride,
                                                    ptrdiff_t column_stride, int64_t height, int64_t columns,
                                                    T* scratch) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>);
    ptrdiff_t row[N];
    for (int i = 0; i < N; i++) row[i] = smaller(i, height - 1) * row_stride;
    for (int64_t x = 0; x < columns; x++, first += column_stride, scratch += Block<T, NV>::lanes) {
        Block<T, NV> best = lowest;
        for (int i = 0; i < N; i++) best.raise_to(Block<T, NV>::load(first + row[i]));
        best.store(scratch);
    }
}

template <class T, int NV>
inline void column_maxima_of_any(const unsigned char* first, ptrdiff_t row_stride, ptrdiff_t column_stride,
                                 int64_t height, int64_t columns, T* scratch, Unwatched&) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>);
    for (int64_t x = 0; x < columns; x++, first += column_stride, scratch += Block<T, NV>::lanes)
        max_of<T, NV>(first, row_stride, height, lowest).store(scratch);
}

template <class T, int NV>
inline void column_maxima_of_any(const unsigned char* first, ptrdiff_t row_stride, ptrdiff_t column_stride,
                                 int64_t height, int64_t columns, T* scratch, Watched& watch) {
    for (int64_t x = 0; x < columns; x++, first += column_stride, scratch += Block<T, NV>::lanes) {
        Block<T, NV> best = Block<T, NV>::filled(minus_infinity<T>);
        for (int64_t y = 0; y < height; y += watched_piece) {
            const int64_t piece = smaller(watched_piece, height - y);
            best = max_of<T, NV>(first + y * row_stride, row_stride, piece, best);
            watch.read(piece);
        }
        best.store(scratch);
    }
}

// `tallest`: of the RoI's bin rows.
template <class T, int NV, class W>
inline void column_maxima(const MapTile& map, Range rows, Range columns, int64_t tallest, T* scratch, W& watch) {
    const unsigned char* first = cell_address(map, rows.start, columns.start);
    const int64_t height = rows.end - rows.start, width = columns.end - columns.start;
    const ptrdiff_t row = map.row_stride, column = map.column_stride;
    switch (tallest) {
        case 1: return column_maxima_of<T, NV, 1>(first, row, column, height, width, scratch);
        case 2: return column_maxima_of<T, NV, 2>(first, row, column, height, width, scratch);
        case 3: return column_maxima_of<T, NV, 3>(first, row, column, height, width, scratch);
        case 4: return column_maxima_of<T, NV, 4>(first, row, column, height, width, scratch);
        case 5: return column_maxima_of<T, NV, 5>(first, row, column, height, width, scratch);
        case 6: return column_maxima_of<T, NV, 6>(first, row, column, height, width, scratch);
        default: return column_maxima_of_any<T, NV>(first, row, column, height, width, scratch, watch);
    }
}

// The bins of a row without cells are 0, whatever their columns.
template <class T, int NV>
inline void clear_cells(int64_t columns, T* scratch) {
    const Block<T, NV> nothing = Block<T, NV>::filled(0);
    for (int64_t x = 0; x < columns; x++) nothing.store(scratch + x * Block<T, NV>::lanes);
}

// One column of bins: its place and width are looked up once for all bin rows. N: no bin is wider; 0: any width.
template <class T, int NV, int N>
inline void bin_column_maxima_of(const ReducedRows<T>& rows, ptrdiff_t first, int64_t width, unsigned char* bin,
                                 ptrdiff_t row_stride) {
    constexpr ptrdiff_t lanes = Block<T, NV>::lanes;
    ptrdiff_t cell[N + 1];
    for (int i = 1; i < N; i++) cell[i] = smaller(i, width - 1) * lanes;
    const T* row = rows.rows + first * lanes;
    for (int64_t ph = rows.first_row; ph < rows.end_row; ph++, row += rows.pitch, bin += row_stride) {
        Block<T, NV> best = Block<T, NV>::load(row);  // a column maximum, never NaN
        for (int i = 1; i < N; i++) best.raise_to(Block<T, NV>::load(row + cell[i]));
        if (N == 0) best = max_of<T, NV>((const unsigned char*)(row + lanes), Block<T, NV>::bytes, width - 1, best);
        best.store(bin);
    }
}

template <class T, int NV>
inline void bin_column_maxima(const ReducedRows<T>& rows, const RangeAxis& x, int64_t pw, const BinTile& bins) {
    const Range r = x.bins[pw];
    if (is_empty(r)) return fill_bin_column<T, NV>(bins, rows.first_row, rows.end_row, pw, 0);
    const ptrdiff_t first = r.start - x.hull.start;
    const int64_t width = r.end - r.start;
    unsigned char* const bin = bin_address(bins, rows.first_row, pw);
    switch (x.longest) {
        case 1: return bin_column_maxima_of<T, NV, 1>(rows, first, width, bin, bins.row_stride);
        case 2: return bin_column_maxima_of<T, NV, 2>(rows, first, width, bin, bins.row_stride);
        case 3: return bin_column_maxima_of<T, NV, 3>(rows, first, width, bin, bins.row_stride);
        case 4: return bin_column_maxima_of<T, NV, 4>(rows, first, width, bin, bins.row_stride);
        default: return bin_column_maxima_of<T, NV, 0>(rows, first, width, bin, bins.row_stride);
    }
}

template <class T, int NV, class W>
inline void max_ranges_with(W& watch, const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins,
                            T* scratch) {
    const int64_t width = x.hull.end - x.hull.start, together = rows_together<T, NV>(width);
    const ptrdiff_t pitch = width * Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < y.count; ph += together) {
        const ReducedRows<T> rows = {scratch, pitch, ph, smaller(ph + together, y.count)};
        for (int64_t p = ph; p < rows.end_row; p++)
            if (is_empty(y.bins[p]))
                clear_cells<T, NV>(width, scratch + (p - ph) * pitch);
            else
                column_maxima<T, NV>(map, y.bins[p], x.hull, y.longest, scratch + (p - ph) * pitch, watch);
        watch.read(width);
        for (int64_t pw = 0; pw < x.count; pw++) {
            bin_column_maxima<T, NV>(rows, x, pw, bins);
            watch.read((rows.end_row - ph) * ((int64_t)x.bins[pw].end - x.bins[pw].start));
        }
    }
}

template <class T, int NV>
void max_ranges(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins, T* scratch) {
    reduce_with(
        map, [&map, &y, &x, &bins, scratch](auto& watch) { max_ranges_with<T, NV>(watch, map, y, x, bins, scratch); });
}

// --- max over ranges, by tables ----------------------------------------------------------------------------------------

template <class T, int NV>
void begin_maxima(const RangeAxis& y, const RangeAxis& x, const BinTile& bins) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>), nothing = Block<T, NV>::filled(0);
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++)
            (is_empty(y.bins[ph]) || is_empty(x.bins[pw]) ? nothing : lowest).store(bin_address(bins, ph, pw));
}

// A few covered bin rows: where they are, and where the rows of the table that they read begin.
template <int NY>
struct CoveredRows {
    static constexpr int most = 16;
    int64_t count;
    ptrdiff_t bin[most], row[most * NY];

    CoveredRows(const MapTile& maxima, const RunCover& y, int64_t first, const BinTile& bins)
        : count(smaller(most, y.count - first)) {
        for (int64_t j = 0; j < count; j++) bin[j] = y.bins[first + j] * bins.row_stride;
        for (int64_t r = 0; r < count * NY; r++) row[r] = y.starts[first * NY + r] * maxima.row_stride;
    }
};

// NY, NX: runs a bin on either axis.
template <class T, int NV, int NY, int NX>
inline void raise_to_few_runs(const MapTile& maxima, const RunCover& y, const RunCover& x, bool start,
                              const BinTile& bins) {
    for (int64_t first = 0; first < y.count; first += CoveredRows<NY>::most) {
        const CoveredRows<NY> rows(maxima, y, first, bins);
        const int32_t* columns = x.starts;
        for (int64_t i = 0; i < x.count; i++, columns += NX) {
            const unsigned char* column[NX];
            for (int c = 0; c < NX; c++) column[c] = maxima.origin + columns[c] * maxima.column_stride;
            unsigned char* const bin = bin_address(bins, 0, x.bins[i]);
            for (int64_t j = 0; j < rows.count; j++) {
                Block<T, NV> best = Block<T, NV>::filled(minus_infinity<T>);
                for (int r = 0; r < NY; r++)
                    for (int c = 0; c < NX; c++) best.raise_to(Block<T, NV>::load(column[c] + rows.row[j * NY + r]));
                if (!start) best.raise_to(Block<T, NV>::load(bin + rows.bin[j]));
                best.store(bin + rows.bin[j]);
            }
        }
    }
}

template <class T, int NV>
inline void raise_to_many_runs(const MapTile& maxima, const RunCover& y, const RunCover& x, bool start,
                               const BinTile& bins) {
    for (int64_t j = 0; j < y.count; j++)
        for (int64_t i = 0; i < x.count; i++) {
            unsigned char* const bin = bin_address(bins, y.bins[j], x.bins[i]);
            Block<T, NV> best = Block<T, NV>::filled(minus_infinity<T>);
            for (int64_t r = 0; r < y.runs; r++)
                for (int64_t c = 0; c < x.runs; c++)
                    best.raise_to(
                        Block<T, NV>::load(cell_address(maxima, y.starts[j * y.runs + r], x.starts[i * x.runs + c])));
            if (!start) best.raise_to(Block<T, NV>::load(bin));
            best.store(bin);
        }
}

template <class T, int NV>
void raise_to_runs(const MapTile& maxima, const RunCover& y, const RunCover& x, bool start, const BinTile& bins) {
    if (y.runs > 2 || x.runs > 2) return raise_to_many_runs<T, NV>(maxima, y, x, start, bins);
    switch (2 * y.runs + x.runs) {
        case 3: return raise_to_few_runs<T, NV, 1, 1>(maxima, y, x, start, bins);
        case 4: return raise_to_few_runs<T, NV, 1, 2>(maxima, y, x, start, bins);
        case 5: return raise_to_few_runs<T, NV, 2, 1>(maxima, y, x, start, bins);
        default: return raise_to_few_runs<T, NV, 2, 2>(maxima, y, x, start, bins);
    }
}

template <class T, int NV>
void max_cells(const T* a, const T* b, T* dst, int64_t cells) {
    const Block<T, NV> lowest = Block<T, NV>::filled(minus_infinity<T>);
    for (int64_t i = 0; i < cells * Block<T, NV>::lanes; i += Block<T, NV>::lanes) {
        Block<T, NV> best = lowest;
        best.raise_to(Block<T, NV>::load(a + i));
        best.raise_to(Block<T, NV>::load(b + i));
        best.store(dst + i);
    }
}

// --- mean over ranges --------------------------------------------------------------------------------------------------

template <class T, int NV>
inline Block<T, NV> sum_of(const unsigned char* first, ptrdiff_t step, int64_t count, Unwatched&) {
    Block<T, NV> sum = Block<T, NV>::load(first);
    for (int64_t i = 1; i < count; i++) sum.add(Block<T, NV>::load(first + i * step));
    return sum;
}

template <class T, int NV>
inline Block<T, NV> sum_of(const unsigned char* first, ptrdiff_t step, int64_t count, Watched& watch) {
    Block<T, NV> sum = Block<T, NV>::load(first);
    for (int64_t i = 1; i < count;) {
        const int64_t end = smaller(i + watched_piece, count);
        watch.read(end - i);
        for (; i < end; i++) sum.add(Block<T, NV>::load(first + i * step));
    }
    watch.read(1);
    return sum;
}

template <class T, int NV, class W>
inline Block<T, NV> mean_of(const MapTile& map, Range rows, Range columns, W& watch) {
    const int64_t height = rows.end - rows.start, width = columns.end - columns.start;
    const unsigned char* const first = cell_address(map, rows.start, columns.start);
    Block<T, NV> sum = sum_of<T, NV>(first, map.row_stride, height, watch);
    for (int64_t i = 1; i < width; i++)
        sum.add(sum_of<T, NV>(first + i * map.column_stride, map.row_stride, height, watch));
    return sum.divided_by(Vec<T>::broadcast((T)(height * width)));
}

template <class T, int NV, class W>
inline void mean_ranges_with(W& watch, const MapTile& map, const RangeAxis& y, const RangeAxis& x,
                             const BinTile& bins) {
    const Block<T, NV> nothing = Block<T, NV>::filled(0);
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++) {
            const bool empty = is_empty(y.bins[ph]) || is_empty(x.bins[pw]);
            (empty ? nothing : mean_of<T, NV>(map, y.bins[ph], x.bins[pw], watch)).store(bin_address(bins, ph, pw));
        }
}

template <class T, int NV>
void mean_ranges(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins) {
    reduce_with(map, [&map, &y, &x, &bins](auto& watch) { mean_ranges_with<T, NV>(watch, map, y, x, bins); });
}

// --- argmax ----------------------------------------------------------------------------------------------------------

// Bit i: lane i of the cell equals the maximum.
template <class T, int NV>
inline uint64_t lanes_equal(const unsigned char* cell, const unsigned char* maximum) {
    uint64_t bits = 0;
    for (int i = 0; i < NV; i++) {
        const ptrdiff_t at = i * (ptrdiff_t)sizeof(Vec<T>);
        bits |= (uint64_t)Vec<T>::equal_lanes(Vec<T>::load(cell + at), Vec<T>::load(maximum + at))
                << (i * Vec<T>::lanes);
    }
    return bits;
}

template <class T, int NV>
constexpr uint64_t all_lanes =
    Block<T, NV>::lanes == 64 ? ~(uint64_t)0 : ((uint64_t)1 << (Block<T, NV>::lanes % 64)) - 1;

// Row-major search for each lane's maximum; a lane leaves `open` at its first hit, and the search ends with the last lane. Returns who is
// left.
template <class T, int NV>
inline uint64_t first_offsets_of_rows(const MapTile& map, Range rows, Range columns, const unsigned char* maximum,
                                      int64_t map_width, int64_t* offsets, uint64_t open) {
    const unsigned char* row = cell_address(map, rows.start, columns.start);
    for (int64_t y = rows.start; y < rows.end && open; y++, row += map.row_stride) {
        const unsigned char* cell = row;
        for (int64_t x = columns.start; x < columns.end && open; x++, cell += map.column_stride) {
            uint64_t hits = open & lanes_equal<T, NV>(cell, maximum);
            open &= ~hits;
            for (; hits; hits &= hits - 1) offsets[__builtin_ctzll(hits)] = y * map_width + x;
        }
    }
    return open;
}

template <class T, int NV>
inline void first_offsets(Unwatched&, const MapTile& map, Range rows, Range columns, const unsigned char* maximum,
                          int64_t map_width, int64_t* offsets) {
    first_offsets_of_rows<T, NV>(map, rows, columns, maximum, map_width, offsets, all_lanes<T, NV>);
}

// A function of its own: inlined a second time, under -fsanitize=address,undefined, GCC 12 loses the upper half of an AVX-512 mask.
template <class T, int NV>
[[gnu::noinline]] uint64_t first_offsets_of_row(const MapTile& map, int32_t row, Range columns,
                                                const unsigned char* maximum, int64_t map_width, int64_t* offsets,
                                                uint64_t open) {
    return first_offsets_of_rows<T, NV>(map, {row, row + 1}, columns, maximum, map_width, offsets, open);
}

template <class T, int NV>
inline void first_offsets(Watched& watch, const MapTile& map, Range rows, Range columns, const unsigned char* maximum,
                          int64_t map_width, int64_t* offsets) {
    uint64_t open = all_lanes<T, NV>;
    for (int32_t y = rows.start; y < rows.end && open; y++) {
        open = first_offsets_of_row<T, NV>(map, y, columns, maximum, map_width, offsets, open);
        watch.read((int64_t)columns.end - columns.start);
    }
}

template <class T, int NV, class W>
inline void argmax_ranges_with(W& watch, const MapTile& map, const RangeAxis& y, const RangeAxis& x,
                               const BinTile& bins, int64_t map_width, int64_t* offsets) {
    constexpr int lanes = Block<T, NV>::lanes;
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < x.count; pw++, offsets += lanes) {
            for (int i = 0; i < lanes; i++) offsets[i] = -1;
            first_offsets<T, NV>(watch, map, y.bins[ph], x.bins[pw], bin_address(bins, ph, pw), map_width, offsets);
            watch.read(1);
        }
}

template <class T, int NV>
void argmax_ranges(const MapTile& map, const RangeAxis& y, const RangeAxis& x, const BinTile& bins, int64_t map_width,
                   int64_t* offsets) {
    reduce_with(map, [&map, &y, &x, &bins, map_width, offsets](auto& watch) {
        argmax_ranges_with<T, NV>(watch, map, y, x, bins, map_width, offsets);
    });
}

}  // namespace
}  // namespace fastroi
