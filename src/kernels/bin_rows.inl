// Rows of bins: a column pass reduces the rows of one for every touched column into `scratch`, and a bin pass then reduces each
// bin's columns out of it.
#pragma once
#include "block.inl"

namespace fastroi {
namespace {

template <class T, int NV>
inline void fill_bin_row(const BinTile& bins, int64_t ph, int64_t count, T value) {
    const Block<T, NV> block = Block<T, NV>::filled(value);
    for (int64_t pw = 0; pw < count; pw++) block.store(bin_address(bins, ph, pw));
}

template <class T, int NV>
inline void fill_bin_column(const BinTile& bins, int64_t first_row, int64_t end_row, int64_t pw, T value) {
    const Block<T, NV> block = Block<T, NV>::filled(value);
    for (int64_t ph = first_row; ph < end_row; ph++) block.store(bin_address(bins, ph, pw));
}

// Reduced rows of the map, for the bin rows [first_row, end_row), `pitch` elements apart.
template <class T>
struct ReducedRows {
    const T* rows;
    ptrdiff_t pitch;
    int64_t first_row, end_row;
};

// As many bin rows as the first-level cache holds, reduced at `width` columns.
template <class T, int NV>
inline int64_t rows_together(int64_t width) {
    const int64_t fitting = column_scratch_bytes / (width * Block<T, NV>::bytes + 1);
    return fitting < 1 ? 1 : fitting;
}

}  // namespace
}  // namespace fastroi
