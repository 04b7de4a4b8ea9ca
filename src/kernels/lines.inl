// Maps of few channels. A line is one bin row of one plane of the map. Its rows are reduced with the columns of the map as lanes;
// then some lines are transposed and their columns are reduced with the lines as lanes. Same products, same order, same bits as with
// channels as lanes.
#pragma once
#include <string.h>

#include "planar.inl"
#include "samples.inl"
#include "taps.inl"
#include "watch.inl"

namespace fastroi {
namespace {

// Lines that are reduced together, and numbers of each that are transposed at a time: both copies stay in the first-level cache.
template <class T>
constexpr int line_lanes = line_bytes / (int)sizeof(T);
template <class T>
constexpr int64_t strip_numbers = 1024 / (int64_t)sizeof(T);
// Room for a whole vector behind the last number, and for lines to lie in different sets of the cache.
template <class T>
constexpr int64_t line_pitch = strip_numbers<T> + line_lanes<T>;
static_assert(line_scratch_bytes >= 2 * line_bytes * (1024 + line_bytes) / 4,
              "reduced lines and their transposed copy");
// Up to so many lines are cheaper one by one than transposed.
constexpr int64_t few_lines = 2;

// --- rows to lines -------------------------------------------------------------------------------------------------------

// How the numbers of a row are loaded: some whole vectors of them, or the first numbers of one.
template <class T, int N>
struct WholeVectors {
    Block<T, N> operator()(const unsigned char* p) const { return Block<T, N>::load(p); }
};
template <class T>
struct PartOfVector {
    int64_t numbers;
    Block<T, 1> operator()(const unsigned char* p) const { return {{Vec<T>::load_part(p, numbers)}}; }
};

// Calls reduce(at, load) for pieces of a row of numbers.
template <class T, class Reduce>
[[gnu::always_inline]] inline void each_piece(int64_t numbers, const Reduce& reduce) {
    constexpr int W = Vec<T>::lanes;
    int64_t at = 0;
    for (; at + 4 * W <= numbers; at += 4 * W) reduce(at, WholeVectors<T, 4>{});
    if (at + 2 * W <= numbers) {
        reduce(at, WholeVectors<T, 2>{});
        at += 2 * W;
    }
    if (at + W <= numbers) {
        reduce(at, WholeVectors<T, 1>{});
        at += W;
    }
    if (at < numbers) reduce(at, PartOfVector<T>{numbers - at});
}

// Calls reduce(bin_row, first_row_of_the_plane, to) for each line.
template <class T, class Reduce>
[[gnu::always_inline]] inline void each_line(const LineMap& map, int64_t bin_rows, Lines lines,
                                             const unsigned char* origin, T* to, const Reduce& reduce) {
    int64_t ph = lines.first % bin_rows;
    const unsigned char* plane = origin + lines.first / bin_rows * map.plane_stride;
    for (int64_t l = lines.first; l < lines.end; l++, to += line_pitch<T>) {
        reduce(ph, plane, to);
        if (++ph == bin_rows) ph = 0, plane += map.plane_stride;
    }
}

inline const unsigned char* column_of_plane(const LineMap& map, int32_t column, int64_t number, int64_t item) {
    return map.origin + (column * map.interleaved + number) * item;
}

inline int64_t numbers_of(const LineMap& map, Range columns) {
    return ((int64_t)columns.end - columns.start) * map.interleaved;
}

template <class Block, class Load>
[[gnu::always_inline]] inline Block max_of_rows(Unwatched&, const unsigned char* row, ptrdiff_t stride, int64_t height,
                                                Block best, const Load& load) {
    for (int64_t y = 0; y < height; y++) best.raise_to(load(row + y * stride));
    return best;
}

template <class Block, class Load>
inline Block max_of_rows(Watched& watch, const unsigned char* row, ptrdiff_t stride, int64_t height, Block best,
                         const Load& load) {
    Unwatched nobody;
    for (int64_t y = 0; y < height; y += watched_piece) {
        const int64_t piece = smaller(watched_piece, height - y);
        best = max_of_rows(nobody, row + y * stride, stride, piece, best, load);
        watch.read(piece);
    }
    return best;
}

// N: no bin row is taller, and of each as many rows are read, the last one again; 0: any height. The same trip count for all bin rows
// spares the branch predictor, and a maximum does not mind.
template <int N, class Block, class W, class Load>
[[gnu::always_inline]] inline Block max_of_bin_row(W& watch, const unsigned char* row, ptrdiff_t stride, int64_t height,
                                                   Block best, const Load& load) {
    if constexpr (N == 0) return max_of_rows(watch, row, stride, height, best, load);
    for (int i = 0; i < N; i++) best.raise_to(load(row + smaller(i, height - 1) * stride));
    return best;
}

template <class T, int N, class W>
inline void max_rows_of_lines(W& watch, const LineMap& map, const RangeAxis& y, Lines lines, Range columns,
                              T* reduced) {
    each_piece<T>(numbers_of(map, columns), [&](int64_t at, const auto& load) {
        using B = decltype(load(nullptr));
        const B lowest = B::filled(minus_infinity<T>), nothing = B::filled(0);
        const auto reduce = [&](int64_t ph, const unsigned char* plane, T* to) {
            const Range rows = y.bins[ph];
            const unsigned char* const first = plane + rows.start * map.row_stride;
            const int64_t height = (int64_t)rows.end - rows.start;
            if (height <= 0) return nothing.store(to + at);
            max_of_bin_row<N>(watch, first, map.row_stride, height, lowest, load).store(to + at);
        };
        each_line<T>(map, y.count, lines, column_of_plane(map, columns.start, at, sizeof(T)), reduced, reduce);
    });
    if (N > 0) watch.read((lines.end - lines.first) * numbers_of(map, columns) / Vec<T>::lanes);
}

template <class T, class W>
inline void max_rows_of_lines(W& watch, const LineMap& map, const RangeAxis& y, Lines lines, Range columns,
                              T* reduced) {
    switch (y.longest) {
        case 1: return max_rows_of_lines<T, 1>(watch, map, y, lines, columns, reduced);
        case 2: return max_rows_of_lines<T, 2>(watch, map, y, lines, columns, reduced);
        case 3: return max_rows_of_lines<T, 3>(watch, map, y, lines, columns, reduced);
        case 4: return max_rows_of_lines<T, 4>(watch, map, y, lines, columns, reduced);
        default: return max_rows_of_lines<T, 0>(watch, map, y, lines, columns, reduced);
    }
}

// Taps [first, end) of an axis added to sum.
template <class T, class Block, class Load>
[[gnu::always_inline]] inline Block add_rows(const unsigned char* plane, ptrdiff_t stride, const TapAxis<T>& y,
                                             int32_t first, int32_t end, Block sum, const Load& load) {
    for (int32_t t = first; t < end; t++)
        sum.add_product(Vec<T>::broadcast(y.weight[t]), load(plane + y.index[t] * stride));
    return sum;
}

template <class T, class Block, class Load>
[[gnu::always_inline]] inline Block sum_of_rows(Unwatched&, const unsigned char* plane, ptrdiff_t stride,
                                                const TapAxis<T>& y, int32_t first, int32_t end, Block sum,
                                                const Load& load) {
    return add_rows(plane, stride, y, first, end, sum, load);
}

template <class T, class Block, class Load>
inline Block sum_of_rows(Watched& watch, const unsigned char* plane, ptrdiff_t stride, const TapAxis<T>& y,
                         int32_t first, int32_t end, Block sum, const Load& load) {
    while (first < end) {
        const int32_t piece = (int32_t)smaller(watched_piece, end - first);
        sum = add_rows(plane, stride, y, first, first + piece, sum, load);
        watch.read(piece);
        first += piece;
    }
    return sum;
}

template <class T, class W>
inline void sum_rows_of_lines(W& watch, const LineMap& map, const TapAxis<T>& y, Lines lines, Range columns,
                              T* reduced) {
    each_piece<T>(numbers_of(map, columns), [&](int64_t at, const auto& load) {
        using B = decltype(load(nullptr));
        const auto reduce = [&](int64_t ph, const unsigned char* plane, T* to) {
            const int32_t first = y.first[ph], end = y.first[ph + 1];
            if (first == end) return B::filled(0).store(to + at);
            const B sum = B::product(Vec<T>::broadcast(y.weight[first]), load(plane + y.index[first] * map.row_stride));
            sum_of_rows(watch, plane, map.row_stride, y, first + 1, end, sum, load).store(to + at);
        };
        each_line<T>(map, y.count, lines, column_of_plane(map, columns.start, at, sizeof(T)), reduced, reduce);
    });
}

// --- lines to bins -------------------------------------------------------------------------------------------------------

// Reduced lines side by side: number i of all of them is one block. N vectors of them are in use.
template <class T, int N>
struct TransposedLines {
    using B = Block<T, N>;
    const T* cells;

    B number(int64_t i) const { return B::load(cells + i * B::lanes); }
    TransposedLines from(int64_t i) const { return {cells + i * B::lanes}; }
    static B load(const T* bin) { return B::load(bin); }
    static void store(const B& value, T* bin) { value.store(bin); }
};

// One reduced line: its numbers, one after the other, in all lanes.
template <class T>
struct OneLine {
    using B = Block<T, 1>;
    const T* line;

    B number(int64_t i) const { return B::filled(line[i]); }
    OneLine from(int64_t i) const { return {line + i}; }
    static B load(const T* bin) { return B::filled(*bin); }
    static void store(const B& value, T* bin) {
        T lanes[B::lanes];
        value.store(lanes);
        *bin = lanes[0];
    }
};

template <class T, int N>
[[gnu::always_inline]] inline TransposedLines<T, N> transposed(const T* reduced, int64_t numbers, T* cells) {
    constexpr int W = Vec<T>::lanes, R = best_tile<Own<T>>;
    for (int v = 0; v < N; v++)
        for (int64_t at = 0; at < numbers; at += R)
            transpose_tile<Own<T>, R>((const unsigned char*)(reduced + v * W * line_pitch<T> + at),
                                      line_pitch<T> * (ptrdiff_t)sizeof(T), (unsigned char*)(cells + (at * N + v) * W),
                                      Block<T, N>::bytes);
    return {cells};
}

// Calls reduce(view, bins) with each view of the reduced lines.
template <class T, class Reduce>
inline void with_lines(const T* reduced, int64_t lines, int64_t numbers, T* cells, T* bins, const Reduce& reduce) {
    constexpr int W = Vec<T>::lanes, most = line_lanes<T> / W;
    if (lines <= few_lines) {
        for (int64_t l = 0; l < lines; l++) reduce(OneLine<T>{reduced + l * line_pitch<T>}, bins + l);
        return;
    }
    if constexpr (most >= 4) {
        if (lines > 3 * W) return reduce(transposed<T, 4>(reduced, numbers, cells), bins);
        if (lines > 2 * W) return reduce(transposed<T, 3>(reduced, numbers, cells), bins);
    }
    if constexpr (most >= 2)
        if (lines > W) return reduce(transposed<T, 2>(reduced, numbers, cells), bins);
    reduce(transposed<T, 1>(reduced, numbers, cells), bins);
}

// Part of the columns, ascending; the first and the last part of all are known as such.
struct LineStrip {
    Range columns;
    int64_t interleaved;
    bool first;
};

// Strips leave room for so many more columns.
template <class T, class Reduce>
inline void each_line_strip(Range hull, int64_t interleaved, int32_t more, const Reduce& reduce) {
    const int32_t width = (int32_t)(strip_numbers<T> / interleaved) - more;
    int32_t start = hull.start;
    do {
        const int32_t end = hull.end - start > width ? start + width : hull.end;
        reduce(LineStrip{{start, end}, interleaved, start == hull.start});
        start = end;
    } while (start < hull.end);
}

template <class T>
inline T* line_bin(T* bins, int64_t bin) {
    return bins + bin * line_lanes<T>;
}

template <class T, class View>
inline void fill_line_bins(const View&, T value, int64_t interleaved, int64_t columns, int64_t pw, T* bins) {
    for (int64_t j = 0; j < interleaved; j++) View::store(View::B::filled(value), line_bin(bins, j * columns + pw));
}

// Columns [start, end) of a strip; N as for rows.
template <class T, int N, class View>
[[gnu::always_inline]] inline auto max_of_columns(const View& view, int64_t interleaved, int64_t start, int64_t end,
                                                  typename View::B best) {
    if constexpr (N == 0)
        for (int64_t i = start; i < end; i++) best.raise_to(view.number(i * interleaved));
    else
        for (int i = 0; i < N; i++) best.raise_to(view.number(smaller(start + i, end - 1) * interleaved));
    return best;
}

template <class T, int N, class W, class View>
inline void max_columns_of_lines(W& watch, const View& view, const RangeAxis& x, const LineStrip& strip, T* bins) {
    const int64_t k = strip.interleaved;
    for (int64_t pw = 0; pw < x.count; pw++) {
        const Range bin = x.bins[pw];
        if (is_empty(bin)) {
            if (strip.first) fill_line_bins<T>(view, 0, k, x.count, pw, bins);
            continue;
        }
        const int64_t start = bin.start < strip.columns.start ? strip.columns.start : bin.start;
        const int64_t end = smaller(bin.end, strip.columns.end);
        if (start >= end) continue;
        for (int64_t j = 0; j < k; j++) {
            T* const to = line_bin(bins, j * x.count + pw);
            const auto best = start > bin.start ? View::load(to) : View::B::filled(minus_infinity<T>);
            const auto channel = view.from(j);
            View::store(max_of_columns<T, N>(channel, k, start - strip.columns.start, end - strip.columns.start, best),
                        to);
        }
        watch.read(k * (end - start));
    }
}

template <class T, class W, class View>
inline void max_columns_of_lines(W& watch, const View& view, const RangeAxis& x, const LineStrip& strip, T* bins) {
    switch (x.longest) {
        case 1: return max_columns_of_lines<T, 1>(watch, view, x, strip, bins);
        case 2: return max_columns_of_lines<T, 2>(watch, view, x, strip, bins);
        case 3: return max_columns_of_lines<T, 3>(watch, view, x, strip, bins);
        case 4: return max_columns_of_lines<T, 4>(watch, view, x, strip, bins);
        default: return max_columns_of_lines<T, 0>(watch, view, x, strip, bins);
    }
}

template <class T, class W, class View>
inline void sum_columns_of_lines(W& watch, const View& view, const TapAxis<T>& x, const LineStrip& strip, bool whole,
                                 T outside, T* bins) {
    const int64_t k = strip.interleaved;
    for (int64_t pw = 0; pw < x.count; pw++) {
        const int32_t first_tap = x.first[pw], end_tap = x.first[pw + 1];
        if (first_tap == end_tap) {
            if (strip.first) fill_line_bins<T>(view, outside, k, x.count, pw, bins);
            continue;
        }
        const int32_t first =
            whole ? first_tap : (int32_t)lower_bound(x.index, first_tap, end_tap, strip.columns.start);
        const int32_t end = whole ? end_tap : (int32_t)lower_bound(x.index, first, end_tap, strip.columns.end);
        if (first == end) continue;
        for (int64_t j = 0; j < k; j++) {
            T* const to = line_bin(bins, j * x.count + pw);
            const auto cell = [&](int32_t t) { return view.number((x.index[t] - strip.columns.start) * k + j); };
            int32_t t = first;
            auto sum =
                first > first_tap ? View::load(to) : View::B::product(Vec<T>::broadcast(x.weight[t++]), cell(first));
            for (; t < end; t++) sum.add_product(Vec<T>::broadcast(x.weight[t]), cell(t));
            View::store(sum, to);
        }
        watch.read(k * (end - first));
    }
}

// bins /= the number of taps, which differs from line to line; a bin without taps divides by 1.
template <class T>
inline void divide_line_bins(const TapAxis<T>& y, const TapAxis<T>& x, int64_t interleaved, Lines lines, T* bins) {
    int64_t rows[line_lanes<T>] = {};
    for (int64_t l = lines.first; l < lines.end; l++) {
        const int64_t ph = l % y.count;
        rows[l - lines.first] = y.first[ph + 1] - y.first[ph];
    }
    for (int64_t pw = 0; pw < x.count; pw++) {
        const int64_t columns = x.first[pw + 1] - x.first[pw];
        T taps[line_lanes<T>];
        for (int i = 0; i < line_lanes<T>; i++) taps[i] = rows[i] * columns > 1 ? (T)(rows[i] * columns) : (T)1;
        for (int64_t j = 0; j < interleaved; j++) {
            T* const bin = line_bin(bins, j * x.count + pw);
            for (int i = 0; i < line_lanes<T>; i += Vec<T>::lanes)
                Vec<T>::divide(Vec<T>::load(bin + i), Vec<T>::load(taps + i)).store(bin + i);
        }
    }
}

// The bins of lines without taps, of which the column pass knows nothing.
template <class T>
inline void fill_lines_outside(const TapAxis<T>& y, int64_t bins_of_line, Lines lines, T outside, T* bins) {
    for (int64_t l = lines.first; l < lines.end; l++)
        if (!has_taps(y, l % y.count))
            for (int64_t bin = 0; bin < bins_of_line; bin++) line_bin(bins, bin)[l - lines.first] = outside;
}

// --- both ------------------------------------------------------------------------------------------------------------------

template <class T>
void max_range_lines(const LineMap& map, const RangeAxis& y, const RangeAxis& x, Lines lines, T* bins, T* scratch) {
    T* const cells = scratch + line_lanes<T> * line_pitch<T>;
    reduce_with(map, [&](auto& watch) {
        each_line_strip<T>(x.hull, map.interleaved, 0, [&](const LineStrip& strip) {
            max_rows_of_lines(watch, map, y, lines, strip.columns, scratch);
            with_lines(scratch, lines.end - lines.first, numbers_of(map, strip.columns), cells, bins,
                       [&](const auto& view, T* to) { max_columns_of_lines(watch, view, x, strip, to); });
        });
    });
}

template <class T>
void sum_tap_lines(const LineMap& map, const TapAxis<T>& y, const TapAxis<T>& x, T outside, Lines lines, T* bins,
                   T* scratch) {
    T* const cells = scratch + line_lanes<T> * line_pitch<T>;
    reduce_with(map, [&](auto& watch) {
        each_line_strip<T>(x.hull, map.interleaved, 0, [&](const LineStrip& strip) {
            const bool whole = strip.first && strip.columns.end == x.hull.end;
            sum_rows_of_lines(watch, map, y, lines, strip.columns, scratch);
            with_lines(
                scratch, lines.end - lines.first, numbers_of(map, strip.columns), cells, bins,
                [&](const auto& view, T* to) { sum_columns_of_lines(watch, view, x, strip, whole, outside, to); });
        });
    });
    if (y.mean) divide_line_bins(y, x, map.interleaved, lines, bins);
    fill_lines_outside(y, map.interleaved * x.count, lines, outside, bins);
}

// --- maxima over samples ---------------------------------------------------------------------------------------------

// The rows of one sample of each line: number `round` of its bin row, or the last one again, which a maximum does not mind.
template <class T>
inline const Sample<T>* sample_of_round(const SampleAxis<T>& y, int64_t ph, int64_t round) {
    const int64_t count = y.first[ph + 1] - y.first[ph];
    return count == 0 ? nullptr : y.samples + y.first[ph] + smaller(round, count - 1);
}

// weight * row low + high_weight * row low + 1, where they are; a row without either is 0.
template <class T, class Load>
[[gnu::always_inline]] inline auto interpolated_numbers(const unsigned char* plane, ptrdiff_t stride,
                                                        const Sample<T>& point, const Load& load) {
    using B = decltype(load(nullptr));
    B sum = B::filled(0);
    if (point.weight != 0) sum = B::product(Vec<T>::broadcast(point.weight), load(plane + point.low * stride));
    if (point.high_weight != 0)
        sum.add_product(Vec<T>::broadcast(point.high_weight), load(plane + ((int64_t)point.low + 1) * stride));
    return sum;
}

// Of each point one of its two corners: the other one as if it were not.
template <class T>
inline Sample<T> corner_of(const Sample<T>& point, int64_t corner) {
    return corner ? Sample<T>{point.low, 0, point.high_weight} : Sample<T>{point.low, point.weight, 0};
}

template <class T, class W>
inline void sample_rows_of_lines(W& watch, const LineMap& map, const SampleAxis<T>& y, bool corners, int64_t round,
                                 Lines lines, Range columns, T* reduced) {
    each_piece<T>(numbers_of(map, columns), [&](int64_t at, const auto& load) {
        using B = decltype(load(nullptr));
        const auto reduce = [&](int64_t ph, const unsigned char* plane, T* to) {
            const Sample<T>* const point = sample_of_round(y, ph, corners ? round / 2 : round);
            if (!point) return B::filled(0).store(to + at);
            if (!corners) return interpolated_numbers(plane, map.row_stride, *point, load).store(to + at);
            const Sample<T> corner = corner_of(*point, round % 2);
            const T weight = round % 2 ? corner.high_weight : corner.weight;
            if (weight == 0) return B::filled(0).store(to + at);
            const unsigned char* const row = plane + ((int64_t)corner.low + round % 2) * map.row_stride;
            B::product(Vec<T>::broadcast(weight), load(row)).store(to + at);
        };
        each_line<T>(map, y.count, lines, column_of_plane(map, columns.start, at, sizeof(T)), reduced, reduce);
        watch.read(lines.end - lines.first);
    });
}

// A bin's maximum, raised to one point of its line, or to each corner of it; a missing corner is a 0.
template <class T, class View>
[[gnu::always_inline]] inline void raise_to_point(const View& view, const Sample<T>& point, int64_t at,
                                                  int64_t interleaved, bool corners, typename View::B& best) {
    using B = typename View::B;
    if (corners) {
        best.raise_to(point.weight == 0 ? B::filled(0) : B::product(Vec<T>::broadcast(point.weight), view.number(at)));
        best.raise_to(point.high_weight == 0
                          ? B::filled(0)
                          : B::product(Vec<T>::broadcast(point.high_weight), view.number(at + interleaved)));
        return;
    }
    B sum = B::filled(0);
    if (point.weight != 0) sum = B::product(Vec<T>::broadcast(point.weight), view.number(at));
    if (point.high_weight != 0) sum.add_product(Vec<T>::broadcast(point.high_weight), view.number(at + interleaved));
    best.raise_to(sum);
}

// A point belongs to the strip of its low cell; one whose low cell is missing may lie beside the hull.
template <class T, class W, class View>
inline void sample_columns_of_lines(W& watch, const View& view, const SampleAxis<T>& x, const LineStrip& strip,
                                    bool corners, T* bins) {
    const int64_t k = strip.interleaved;
    for (int64_t pw = 0; pw < x.count; pw++) {
        for (int64_t j = 0; j < k; j++) {
            T* const to = line_bin(bins, j * x.count + pw);
            auto best = View::load(to);
            for (int32_t s = x.first[pw]; s < x.first[pw + 1]; s++) {
                const Sample<T>& point = x.samples[s];
                const int64_t low = smaller(point.low, (int64_t)x.hull.end - 1),
                              cell = low < x.hull.start ? x.hull.start : low;
                watch.read(1);
                if (!is_empty(x.hull) && (cell < strip.columns.start || cell >= strip.columns.end)) continue;
                raise_to_point(view, point, (point.low - (int64_t)strip.columns.start) * k + j, k, corners, best);
            }
            View::store(best, to);
        }
        watch.read(k);
    }
}

// What the passes know nothing of: bins without points, and points outside the map.
template <class T>
inline void finish_sample_lines(const SampleAxis<T>& y, const SampleAxis<T>& x, SampleMaximum mode, int64_t interleaved,
                                Lines lines, T* bins) {
    for (int64_t bin = 0; bin < interleaved * x.count; bin++) {
        const int64_t pw = bin % x.count;
        for (int64_t l = lines.first; l < lines.end; l++) {
            const int64_t ph = l % y.count;
            T& best = line_bin(bins, bin)[l - lines.first];
            if (y.first[ph] == y.first[ph + 1] || x.first[pw] == x.first[pw + 1])
                best = 0;
            else if (mode.absent_is_zero && (y.absent[ph] || x.absent[pw]) && 0 > best)
                best = 0;
        }
    }
}

template <class T>
inline int64_t rounds_of_lines(const SampleAxis<T>& y, Lines lines) {
    int64_t most = 0;
    for (int64_t l = lines.first; l < lines.end; l++) {
        const int64_t samples = y.first[l % y.count + 1] - y.first[l % y.count];
        if (samples > most) most = samples;
    }
    return most;
}

template <class T>
void max_sample_lines(const LineMap& map, const SampleAxis<T>& y, const SampleAxis<T>& x, SampleMaximum mode,
                      Lines lines, T* bins, T* scratch) {
    T* const cells = scratch + line_lanes<T> * line_pitch<T>;
    const int64_t rounds = rounds_of_lines(y, lines) * (mode.corners ? 2 : 1);
    const Block<T, 1> least = Block<T, 1>::filled(mode.from_zero ? (T)0 : minus_infinity<T>);
    for (int64_t i = 0; i < map.interleaved * x.count * line_lanes<T>; i += Vec<T>::lanes) least.store(bins + i);
    reduce_with(map, [&](auto& watch) {
        each_line_strip<T>(x.hull, map.interleaved, 1, [&](const LineStrip& strip) {
            const Range loaded = {strip.columns.start, (int32_t)smaller((int64_t)strip.columns.end + 1, x.hull.end)};
            for (int64_t round = 0; round < rounds; round++) {
                sample_rows_of_lines(watch, map, y, mode.corners, round, lines, loaded, scratch);
                with_lines(
                    scratch, lines.end - lines.first, numbers_of(map, loaded), cells, bins,
                    [&](const auto& view, T* to) { sample_columns_of_lines(watch, view, x, strip, mode.corners, to); });
            }
        });
    });
    finish_sample_lines(y, x, mode, map.interleaved, lines, bins);
}

// --- places of maxima ----------------------------------------------------------------------------------------------------

// Number of the first of a row's numbers that equals `value` and is of the channel; -1 if none is.
template <class T, class W>
inline int64_t first_equal_number(W& watch, const unsigned char* row, int64_t count, Vec<T> value, int64_t channel,
                                  int64_t interleaved) {
    constexpr int lanes = Vec<T>::lanes;
    for (int64_t at = 0; at < count; at += lanes, row += sizeof(Vec<T>)) {
        const int64_t left = count - at;
        const Vec<T> numbers = left < lanes ? Vec<T>::load_part(row, left) : Vec<T>::load(row);
        uint32_t hits = Vec<T>::equal_lanes(numbers, value) & (uint32_t)(((uint64_t)1 << smaller(left, lanes)) - 1);
        for (; hits; hits &= hits - 1) {
            const int64_t number = at + __builtin_ctz(hits);
            if (interleaved == 1 || number % interleaved == channel) return number;
        }
        watch.read(lanes);
    }
    return -1;
}

template <class T>
int64_t find_in_lines(const LineMap& map, int64_t channel, Range rows, Range columns, T value, int64_t map_width) {
    int64_t found = -1;
    const Vec<T> wanted = Vec<T>::broadcast(value);
    reduce_with(map, [&](auto& watch) {
        const unsigned char* row = column_of_plane(map, columns.start, 0, sizeof(T)) + rows.start * map.row_stride;
        for (int64_t y = rows.start; y < rows.end && found < 0; y++, row += map.row_stride) {
            const int64_t number =
                first_equal_number<T>(watch, row, numbers_of(map, columns), wanted, channel, map.interleaved);
            if (number >= 0) found = y * map_width + columns.start + number / map.interleaved;
            watch.read(1);
        }
    });
    return found;
}

}  // namespace
}  // namespace fastroi
