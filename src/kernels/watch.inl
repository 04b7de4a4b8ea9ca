// Long reductions say how far they have come, and may be stopped; short ones are compiled without a word about it.
#pragma once
#include "kernel_table.h"

namespace fastroi {
namespace {

struct Unwatched {
    void read(int64_t) const {}
};

class Watched {
public:
    explicit Watched(Watch* watch) : watch_(watch) {}

    // After so many more cells, or products of numbers.
    void read(int64_t cells) {
        cells_ += cells;
        if (cells_ < cells_between_looks) return;
        watch_->look(*watch_, cells_);
        cells_ = 0;
    }

private:
    static constexpr int64_t cells_between_looks = 1 << 18;

    Watch* watch_;
    int64_t cells_ = 0;
};

constexpr int64_t watched_piece = 1 << 16;  // cells that are reduced between two words to a watch

template <class Body>
[[gnu::noinline]] void reduce_watched(Watch* watch, const Body& body) {
    Watched watched(watch);
    body(watched);
}

// body(watch) reduces, twice compiled.
template <class Map, class Body>
inline void reduce_with(const Map& map, const Body& body) {
    if (__builtin_expect(map.watch != nullptr, 0)) return reduce_watched(map.watch, body);
    Unwatched nobody;
    body(nobody);
}

}  // namespace
}  // namespace fastroi
