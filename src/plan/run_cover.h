// How the bins of a range axis are covered by runs of a power of two cells, so that their maxima come out of tables.
// A maximum does not mind a cell read twice: two runs of 2^k cells cover any bin of 2^k to 2^(k+1) cells.
#pragma once
#include <algorithm>
#include <vector>

#include "arena.h"
#include "axis_plan.h"

namespace fastroi {

inline int floor_log2(int64_t n) { return 63 - __builtin_clzll((unsigned long long)n); }

inline Range intersection(Range a, Range b) {
    const Range r = {std::max(a.start, b.start), std::min(a.end, b.end)};
    return is_empty(r) ? Range{0, 0} : r;
}

class RunCoverer {
public:
    // Covers what lies in `window` of all bins, by runs of at most 2^level_limit cells: emit(level, number of bins, runs a bin)
    // for each set of bins that share a level, the shortest first.
    template <class Emit>
    void group(const RangeAxis& axis, Range window, int level_limit, const Emit& emit) {
        group_pieces(axis, window, level_limit,
                     [&](int level, const Piece*, int64_t count, int64_t runs) { emit(level, count, runs); });
    }

    // The same, with the covers themselves in the arena: take(cover).
    template <class Take>
    void cover(Arena& arena, const RangeAxis& axis, Range window, int level_limit, const Take& take) {
        group_pieces(axis, window, level_limit, [&](int level, const Piece* pieces, int64_t count, int64_t runs) {
            take(build(arena, pieces, level, count, runs));
        });
    }

private:
    struct Piece {
        int32_t bin, start, length;
    };

    static int64_t runs_of(int64_t length, int level) { return (length + ((int64_t)1 << level) - 1) >> level; }

    template <class Emit>
    void group_pieces(const RangeAxis& axis, Range window, int level_limit, const Emit& emit) {
        Piece* first = storage(axis.count);
        Piece* const end = list_pieces(axis, window, first);
        while (first != end) {
            int32_t shortest = first->length, longest = first->length;
            for (const Piece* piece = first; piece != end; ++piece) {
                shortest = std::min(shortest, piece->length);
                longest = std::max(longest, piece->length);
            }
            const int level = std::min(floor_log2(shortest), level_limit);
            const int64_t longest_of_level = level == level_limit ? INT64_MAX : (int64_t)2 << level;
            Piece* rest = end;
            if (longest > longest_of_level) {
                rest = std::stable_partition(first, end,
                                             [&](const Piece& piece) { return piece.length <= longest_of_level; });
                longest = std::max_element(first, rest, [](const Piece& a, const Piece& b) {
                              return a.length < b.length;
                          })->length;
            }
            emit(level, first, (int64_t)(rest - first), runs_of(longest, level));
            first = rest;
        }
    }

    Piece* storage(int64_t count) {
        if (count <= few) return few_;
        if ((int64_t)many_.size() < count) many_.resize(count);
        return many_.data();
    }

    // Returns the end of what it wrote.
    static Piece* list_pieces(const RangeAxis& axis, Range window, Piece* to) {
        for (int64_t p = 0; p < axis.count; p++) {
            const Range r = intersection(axis.bins[p], window);
            if (!is_empty(r)) *to++ = {(int32_t)p, r.start, r.end - r.start};
        }
        return to;
    }

    // The last run ends with the bin; those of a shorter bin that would pass it repeat it.
    static RunCover build(Arena& arena, const Piece* pieces, int level, int64_t count, int64_t runs) {
        int32_t* const bins = arena.allocate<int32_t>(count);
        int32_t* const starts = arena.allocate<int32_t>(count * runs);
        for (int64_t i = 0; i < count; i++) {
            const Piece& piece = pieces[i];
            const int32_t last = piece.length - (1 << level);
            bins[i] = piece.bin;
            for (int64_t r = 0; r < runs; r++)
                starts[i * runs + r] = piece.start + (int32_t)std::min<int64_t>(r << level, last);
        }
        return {bins, starts, count, runs, level};
    }

    // The usual numbers of bins need no allocation, which would cost a small call more than its pieces.
    static constexpr int64_t few = 16;
    Piece few_[few];
    std::vector<Piece> many_;
};

}  // namespace fastroi
