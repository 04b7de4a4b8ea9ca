// The bytes of an input as decisions. Past their end every byte is 0, and 0 always decides for the ordinary: any bytes are an
// input, and short ones are simple.
#pragma once
#include <stdint.h>
#include <string.h>

#include <cmath>
#include <limits>

namespace fuzz {

class Bytes {
public:
    Bytes(const uint8_t* data, size_t size) : next_(data), end_(data + size) {}

    uint8_t byte() { return next_ < end_ ? *next_++ : 0; }
    int64_t below(int64_t n) { return byte() % n; }  // n <= 256
    int64_t between(int64_t least, int64_t most) { return least + below(most - least + 1); }
    bool one_in(int64_t n) { return below(n) == n - 1; }
    template <class Value>
    Value raw() {
        unsigned char bytes[sizeof(Value)];
        for (unsigned char& b : bytes) b = byte();
        Value value;
        memcpy(&value, bytes, sizeof value);
        return value;
    }
    template <class Value, size_t count>
    Value one_of(const Value (&values)[count]) {
        return values[below(count)];
    }

    // Numbers that no caller means.
    double hostile_double() {
        constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
        static constexpr double values[] = {
            nan,          inf,     -inf,   1e308,   -1e308,        -0.0,     5e-324,     2.3e-308,
            1e-45,        1.2e-38, 3.5e38, 1e25,    16777217,      33554435, 2147483647, 2147483648,
            4294967296.0, 9.1e15,  9.3e18, -9.3e18, -2147483649.0, 1e-9,
        };
        return one_in(3) ? raw<double>() : one_of(values);
    }
    int64_t hostile_int64() {
        static constexpr int64_t values[] = {
            -1, INT64_MIN, INT64_MAX, INT32_MAX, INT32_MIN, (int64_t)INT32_MAX + 1, 1025, (1 << 20) + 1, 1LL << 62,
        };
        return one_in(3) ? raw<int64_t>() : one_of(values);
    }

private:
    const uint8_t *next_, *end_;
};

}  // namespace fuzz
