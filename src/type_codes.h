// From the codes of types to types.
#pragma once
#include "../fastroi/include/fastroi.h"

namespace fastroi {

inline bool is_integer(int32_t dtype) { return dtype >= FASTROI_INT8 && dtype <= FASTROI_UINT64; }

// Calls body with a value of the arithmetic that features of a dtype are computed in.
template <class Body>
void with_arithmetic_of(int32_t dtype, const Body& body) {
    if (dtype == FASTROI_FLOAT64)
        body(double{});
    else
        body(float{});
}

// Calls body with a value of the type that a rule computes in.
template <class Body>
void with_arithmetic(int32_t arithmetic, const Body& body) {
    with_arithmetic_of(arithmetic == FASTROI_ARITHMETIC_F32 ? FASTROI_FLOAT32 : FASTROI_FLOAT64, body);
}

}  // namespace fastroi
