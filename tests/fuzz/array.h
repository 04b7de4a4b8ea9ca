// Memory of a tensor, as large as its elements reach and not a byte more, so that AddressSanitizer sees what goes beyond.
#pragma once
#include "../../fastroi/include/fastroi.h"
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "bytes.h"
#include "numbers.h"

namespace fuzz {

class Memory {
public:
    explicit Memory(int64_t bytes = 0)
        : bytes_(bytes), data_((unsigned char*)malloc((size_t)std::max<int64_t>(bytes, 0))) {}
    unsigned char* data() const { return data_.get(); }
    int64_t bytes() const { return bytes_; }

private:
    struct Free {
        void operator()(unsigned char* p) const { free(p); }
    };
    int64_t bytes_;
    std::unique_ptr<unsigned char, Free> data_;
};

// Whether several elements may share a byte: those of an input may.
enum class Sharing { none, allowed };

class Array {
public:
    fastroi_tensor tensor{};

    Array() = default;
    Array(int32_t dtype, const int64_t (&shape)[4], Sharing sharing, Bytes& bytes) : item_(item_of(dtype)) {
        tensor.dtype = dtype;
        std::copy(shape, shape + 4, tensor.shape);
        const int64_t first = choose_strides(sharing, bytes);
        memory_ = Memory(is_empty() ? 0 : first + item_ + reach());
        tensor.data = memory_.data() + (is_empty() ? 0 : first);
    }

    bool is_empty() const { return std::count(tensor.shape, tensor.shape + 4, 0) > 0; }
    unsigned char* at(int64_t a, int64_t b, int64_t c, int64_t d) const {
        const int64_t* const s = tensor.strides;
        return (unsigned char*)tensor.data + a * s[0] + b * s[1] + c * s[2] + d * s[3];
    }
    template <class Value>
    Value get(int64_t a, int64_t b, int64_t c, int64_t d) const {
        Value value;
        memcpy(&value, at(a, b, c, d), sizeof value);
        return value;
    }

    // Calls body(element's place) for each, in logical order; an axis whose elements are one is walked once.
    template <class Body>
    void for_each(const Body& body) const {
        int64_t n[4];
        for (int i = 0; i < 4; i++)
            n[i] = tensor.strides[i] == 0 ? std::min<int64_t>(tensor.shape[i], 1) : tensor.shape[i];
        for (int64_t a = 0; a < n[0]; a++)
            for (int64_t b = 0; b < n[1]; b++)
                for (int64_t c = 0; c < n[2]; c++)
                    for (int64_t d = 0; d < n[3]; d++) body(at(a, b, c, d));
    }

    void fill_bytes(unsigned char value) const {
        if (memory_.bytes() > 0) memset(memory_.data(), value, memory_.bytes());
    }
    bool all_bytes_are(unsigned char value) const {
        const unsigned char *const data = memory_.data(), *const end = data + memory_.bytes();
        return data == end || (*data == value && memcmp(data, data + 1, memory_.bytes() - 1) == 0);
    }
    // Elements all of whose bytes are this value.
    std::vector<const unsigned char*> elements_of(unsigned char value) const {
        unsigned char bytes[8];
        memset(bytes, value, sizeof bytes);
        std::vector<const unsigned char*> found;
        for_each([&](const unsigned char* p) {
            if (memcmp(p, bytes, item_) == 0) found.push_back(p);
        });
        return found;
    }
    // Fills the elements as the bytes between them were, and looks at all.
    bool gaps_are(unsigned char value) const {
        for_each([&](unsigned char* p) { memset(p, value, item_); });
        return all_bytes_are(value);
    }

private:
    // NCHW, NHWC, or axes in any order, with gaps, backwards, of any alignment. Returns how far below the first element others lie.
    int64_t choose_strides(Sharing sharing, Bytes& bytes) {
        static constexpr int orders[][4] = {{0, 1, 2, 3}, {0, 2, 3, 1}, {1, 0, 3, 2}, {3, 2, 1, 0}, {2, 0, 1, 3}};
        const int64_t layout = bytes.below(7);
        const int(&order)[4] = orders[std::min<int64_t>(layout, 4)];
        const bool irregular = layout >= 4;
        int64_t stride = item_, below = 0;
        for (int i = 3; i >= 0; i--) {
            const int axis = order[i];
            const int64_t extent = tensor.shape[axis];
            if (irregular && bytes.one_in(3)) stride += bytes.one_in(3) ? bytes.between(1, 9) : item_ * bytes.below(3);
            const bool shared = sharing == Sharing::allowed && (extent > most_walked || (irregular && bytes.one_in(5)));
            const bool backwards = irregular && !shared && bytes.one_in(4);
            tensor.strides[axis] = shared ? 0 : backwards ? -stride : stride;
            if (shared || extent == 0) continue;
            if (backwards) below += stride * (extent - 1);
            stride *= extent;
        }
        return below;
    }
    int64_t reach() const {
        int64_t last = 0;
        for (int i = 0; i < 4; i++)
            if (tensor.strides[i] > 0) last += tensor.strides[i] * (tensor.shape[i] - 1);
        return last;
    }

    static constexpr int64_t most_walked = 4096;  // elements of an axis that have memory of their own
    int64_t item_ = 1;
    Memory memory_;
};

}  // namespace fuzz
