// Sizes that are counted exactly or refused, and amounts of work that only decide something and may stop at the largest number.
#pragma once
#include <stdint.h>

#include "refusal.h"

namespace fastroi {

// A count or a number of bytes, never negative, and what it is of. A product or sum that does not fit is FASTROI_OVERFLOW.
class Size {
public:
    Size(int64_t count, const char* what) : count_(count), what_(what) {}

    [[gnu::always_inline]] Size operator*(int64_t factor) const {
        int64_t result;
        if (__builtin_mul_overflow(count_, factor, &result)) refuse_more("x", factor);
        return {result, what_};
    }
    [[gnu::always_inline]] Size operator+(int64_t more) const {
        int64_t result;
        if (__builtin_add_overflow(count_, more, &result)) refuse_more("+", more);
        return {result, what_};
    }
    [[gnu::always_inline]] Size rounded_up(int64_t step) const {
        return {(*this + (step - 1)).count_ / step * step, what_};
    }

    int64_t count() const { return count_; }

private:
    [[noreturn, gnu::cold, gnu::noinline]] void refuse_more(const char* sign, int64_t other) const {
        refuse(FASTROI_OVERFLOW, -1, "%s: %lld %s %lld exceeds int64", what_, (long long)count_, sign,
               (long long)other);
    }

    int64_t count_;
    const char* what_;
};

inline int64_t product(int64_t a, int64_t b, const char* what) { return (Size(a, what) * b).count(); }

// Work and memory as estimates; neither is negative.
inline int64_t estimated_product(int64_t a, int64_t b) {
    int64_t result;
    return __builtin_mul_overflow(a, b, &result) ? INT64_MAX : result;
}
inline int64_t estimated_sum(int64_t a, int64_t b) {
    int64_t result;
    return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

}  // namespace fastroi
