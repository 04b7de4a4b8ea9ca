// Numbers of every type that the ABI knows, written to memory of any alignment.
#pragma once
#include "../../fastroi/include/fastroi.h"
#include <stdint.h>
#include <string.h>

#include "../../src/element.h"

#include <cmath>

namespace fuzz {

inline int64_t item_of(int32_t dtype) {
    static constexpr int64_t items[] = {4, 8, 2, 1, 2, 4, 8, 1, 2, 4, 8, 2};
    return items[dtype];
}

template <class Number>
void store_as(unsigned char* p, Number number) {
    memcpy(p, &number, sizeof number);
}

// Towards zero, without subnormal numbers.
inline uint16_t float16_bits(double value) {
    if (std::isnan(value)) return 0x7e00;
    int exponent;
    const double fraction = std::frexp(std::fabs(value), &exponent);
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    if (exponent > 16 || std::isinf(value)) return sign | 0x7c00;
    if (exponent < -13) return sign;
    return (uint16_t)(sign | ((exponent + 14) << 10) | ((int)(fraction * 2048) & 1023));
}

// Whole numbers keep the lowest bits of what they cannot hold.
inline void store(unsigned char* p, int32_t dtype, double value) {
    const int64_t whole = value > -9e18 && value < 9e18 ? (int64_t)value : 0;
    switch (dtype) {
        case FASTROI_FLOAT32:
            return store_as(
                p, std::fabs(value) > 3e38 ? std::copysign(HUGE_VALF, (float)std::copysign(1, value)) : (float)value);
        case FASTROI_FLOAT64: return store_as(p, value);
        case FASTROI_FLOAT16: return store_as(p, float16_bits(value));
        case FASTROI_INT8:
        case FASTROI_UINT8: return store_as(p, (uint8_t)whole);
        case FASTROI_INT16:
        case FASTROI_UINT16: return store_as(p, (uint16_t)whole);
        case FASTROI_INT32:
        case FASTROI_UINT32: return store_as(p, (uint32_t)whole);
        case FASTROI_BFLOAT16:
            return store_as(p, fastroi::Bfloat16::round((float)std::fmax(std::fmin(value, 1e38), -1e38)));
        default: return store_as(p, (uint64_t)whole);
    }
}

}  // namespace fuzz
