// Sums over the cells that each bin lists.
#pragma once
#include "block.inl"
#include "watch.inl"

namespace fastroi {
namespace {

template <class T, int NV>
inline Block<T, NV> weighted_cells(const MapTile& map, const WeightedCell<T>* cells, int32_t count) {
    Block<T, NV> sum = Block<T, NV>::product(Vec<T>::broadcast(cells->weight),
                                             Block<T, NV>::load(cell_address(map, cells->row, cells->column)));
    for (int32_t t = 1; t < count; t++)
        sum.add_product(Vec<T>::broadcast(cells[t].weight),
                        Block<T, NV>::load(cell_address(map, cells[t].row, cells[t].column)));
    return sum;
}

template <class T, int NV, class W>
inline void gather_with(W& watch, const MapTile& map, const GatherAxis<T>& y, const BinTile& bins) {
    const int32_t* first = y.first;
    for (int64_t ph = 0; ph < y.count; ph++)
        for (int64_t pw = 0; pw < y.columns; pw++, first++) {
            unsigned char* const bin = bin_address(bins, ph, pw);
            if (first[0] == first[1])
                Block<T, NV>::filled(0).store(bin);
            else
                weighted_cells<T, NV>(map, y.cells + first[0], first[1] - first[0]).store(bin);
            watch.read((int64_t)1 + first[1] - first[0]);
        }
}

template <class T, int NV>
void gather(const MapTile& map, const GatherAxis<T>& y, const BinTile& bins) {
    reduce_with(map, [&map, &y, &bins](auto& watch) { gather_with<T, NV>(watch, map, y, bins); });
}

}  // namespace
}  // namespace fastroi
