// Results as numbers, and how far two ways of summing them may lie apart.
#pragma once
#include <vector>

#include "call.h"

namespace fuzz {

inline double number_at(const unsigned char* p, int32_t dtype) {
    double number = 0;
    const auto read = [&](auto stored, auto widen) {
        memcpy(&stored, p, sizeof stored);
        number = (double)widen(stored);
    };
    if (dtype == FASTROI_INT64)
        read((int64_t)0, [](int64_t place) { return place; });
    else
        fastroi::with_element((fastroi::Element)dtype,
                              [&](auto element) { read(typename decltype(element)::Stored{}, element.widen); });
    return number;
}

inline std::vector<double> numbers_of(const Array& array) {
    std::vector<double> numbers;
    if (!array.is_empty())
        array.for_each([&](const unsigned char* p) { numbers.push_back(number_at(p, array.tensor.dtype)); });
    return numbers;
}

inline bool is_same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// Of sums of finite values in any order; values are at most 4.
class Tolerance {
public:
    explicit Tolerance(const Call& call) {
        const int64_t cells = std::min<int64_t>(4096, call.maps[0].tensor.shape[2] * call.maps[0].tensor.shape[3]);
        const double unit = call.maps[0].tensor.dtype == FASTROI_FLOAT64 ? 0x1p-53 : 0x1p-24;
        relative_ = unit * 8 * (double)(cells + 64);
        absolute_ = relative_ * (adds_areas(call) ? (double)cells : 1);
        relative_ += step_of(call.out.tensor.dtype);
        absolute_ += is_whole(call.out.tensor.dtype) ? 1 : call.out.tensor.dtype == FASTROI_FLOAT16 ? 0x1p-24 : 0;
    }
    bool allows(double a, double b) const {
        return is_same(a, b) || std::fabs(a - b) <= absolute_ + relative_ * std::fabs(a);
    }

private:
    // Sums that differ in their last bits may be rounded to neighbours.
    static double step_of(int32_t dtype) {
        return dtype == FASTROI_BFLOAT16  ? 0x1p-7
               : dtype == FASTROI_FLOAT16 ? 0x1p-10
               : dtype == FASTROI_FLOAT32 ? 0x1p-23
                                          : 0;
    }
    static bool is_whole(int32_t dtype) { return dtype >= FASTROI_INT8 && dtype <= FASTROI_UINT64; }
    static bool adds_areas(const Call& call) {
        const fastroi_field* const reduce = call.op->reduce;
        return reduce && strcmp(reduce->of, "area_reduce") == 0 && call.get<int32_t>(reduce, 0) == FASTROI_AREA_SUM;
    }
    double absolute_, relative_;
};

}  // namespace fuzz
