// Memory that a thread works in, kept between calls.
#pragma once
#include <stdint.h>

#include <cstdlib>

namespace fastroi {

constexpr int64_t scratch_limit =
    64 << 20;  // a thread keeps its scratch between calls up to this size, and is to need no more
constexpr int64_t cache_line = 64, page = 4096;

inline int64_t round_up(int64_t n, int64_t step = cache_line) { return (n + step - 1) / step * step; }

// One allocation per thread, kept for the next call: fresh pages cost more than the work on small calls. It begins with a page:
// elsewhere A3 roi_pool took 2.9 ms instead of 1.9, depending on what else the heap held.
class Scratch {
public:
    ~Scratch() { std::free(memory_); }

    unsigned char* reserve(int64_t bytes) {
        if (bytes > INT64_MAX - page) return nullptr;
        if (bytes > size_) {
            std::free(memory_);
            size_ = round_up(bytes, page);
            memory_ = static_cast<unsigned char*>(std::aligned_alloc(page, size_));
            if (!memory_) size_ = 0;
        }
        return memory_;
    }
    void trim() {
        if (size_ <= scratch_limit) return;
        std::free(memory_);
        memory_ = nullptr;
        size_ = 0;
    }

private:
    unsigned char* memory_ = nullptr;
    int64_t size_ = 0;
};

inline thread_local Scratch thread_scratch;

}  // namespace fastroi
