// One axis of one box, as explanations ask for it: any numbers are listed within the capacity given, or refused before a byte is
// written.
#include <vector>

#include "target.h"

namespace fuzz {
namespace {

struct Side {
    double lo, hi, scale;
    int64_t bins, extent;

    explicit Side(Bytes& bytes) {
        static constexpr double scales[] = {1, 1 / 16.0, 0.3, 1.7, 30};
        static constexpr int64_t odd[] = {0, -1, INT64_MIN, (int64_t)INT32_MAX + 1, INT64_MAX};
        scale = bytes.one_in(16) ? bytes.hostile_double() : bytes.one_of(scales);
        bins = bytes.one_in(30) ? bytes.one_of(odd) : bytes.between(1, 40);
        extent = bytes.one_in(30) ? bytes.one_of(odd) : bytes.between(1, 100);
        lo = end(bytes), hi = end(bytes);
    }

private:
    static double end(Bytes& bytes) {
        return bytes.one_in(8) ? bytes.hostile_double() : (double)(int8_t)bytes.byte() + bytes.below(8) / 8.0;
    }
};

// Results of exactly so many numbers, and how they looked before.
template <class Value>
struct Numbers {
    Memory memory;
    explicit Numbers(int64_t count) : memory(count * (int64_t)sizeof(Value)) {
        memset(memory.data(), untouched, memory.bytes());
    }
    Value* values() const { return (Value*)memory.data(); }
    bool are_untouched() const {
        for (int64_t i = 0; i < memory.bytes(); i++)
            if (memory.data()[i] != untouched) return false;
        return true;
    }
    static constexpr unsigned char untouched = 0xa5;
};

void list_ranges(Bytes& bytes) {
    const Side side(bytes);
    const int32_t rule =
        bytes.one_in(30) ? bytes.raw<int32_t>() : (int32_t)bytes.below(FASTROI_COUNT(FASTROI_ROI_POOL_RULES));
    const Numbers<double> interval(2);
    const Numbers<int64_t> edges(side.bins > 0 && side.bins <= 40 ? 2 * side.bins : 0);
    const int64_t without = bytes.one_in(30) ? bytes.below(3) : 0;
    fastroi_error error;
    const fastroi_status status = fastroi_axis_ranges(rule, side.lo, side.hi, side.scale, side.bins, side.extent,
                                                      without == 1 ? nullptr : interval.values(),
                                                      without == 2 ? nullptr : edges.values(), &error);
    check_error(error, status);
    if (status != FASTROI_OK && (!interval.are_untouched() || !edges.are_untouched()))
        fail("a refused axis was written");
    if (status != FASTROI_OK || side.extent < 0) return;
    for (int64_t p = 0; p < side.bins; p++) {
        const int64_t start = edges.values()[2 * p], end = edges.values()[2 * p + 1];
        if (start < end && (start < 0 || end > side.extent)) fail("a range leaves its map");
    }
}

void list_points(Bytes& bytes) {
    const Side side(bytes);
    static constexpr int64_t samplings[] = {0, 1, 2, 3, -1, 7, 100};
    const int32_t op = bytes.one_in(30) ? bytes.raw<int32_t>() : (int32_t)bytes.below(FASTROI_POINTS_CROP_EXACT + 1);
    int64_t sampling = bytes.one_in(20) ? bytes.hostile_int64() : bytes.one_of(samplings);
    if (sampling > 1000 && sampling <= 1 << 20) sampling = 1000;
    const int64_t capacity = bytes.one_in(30) ? -1 : bytes.byte() * bytes.between(0, 3),
                  room = std::max<int64_t>(0, capacity);
    const Numbers<double> interval(2), coordinates(room), weights(room);
    const Numbers<int64_t> bins(room), grid(1), count(1);
    fastroi_error error;
    const fastroi_status status = fastroi_axis_points(
        op, side.lo, side.hi, side.scale, sampling, side.bins, side.extent, capacity, interval.values(), grid.values(),
        bins.values(), coordinates.values(), weights.values(), count.values(), &error);
    check_error(error, status);
    if (status != FASTROI_OK) {
        if (!bins.are_untouched() || !coordinates.are_untouched() || !weights.are_untouched())
            fail("a refused axis was written");
        return;
    }
    for (int64_t i = 0; i < std::min(capacity, count.values()[0]); i++)
        if (bins.values()[i] < 0 || bins.values()[i] >= side.bins || !(weights.values()[i] >= 0))
            fail("a point of no bin");
}

}  // namespace

void run(Bytes& bytes) { bytes.byte() % 2 ? list_ranges(bytes) : list_points(bytes); }

}  // namespace fuzz
