// Memory for the variable-length parts of a plan: grows in chunks, never moves what it has given out, freed as a whole.
#pragma once
#include <stddef.h>

#include <memory>
#include <utility>
#include <vector>

namespace fastroi {

class Arena {
public:
    template <class Item>
    Item* allocate(size_t count) {
        return static_cast<Item*>(bytes((count * sizeof(Item) + alignment - 1) / alignment * alignment));
    }

private:
    static constexpr size_t alignment = 16, smallest_chunk = 16 << 10, largest_chunk = 1 << 20;

    void* bytes(size_t size) {
        if (size > left_) add_chunk(size);
        void* const result = next_;
        next_ += size;
        left_ -= size;
        return result;
    }
    void add_chunk(size_t size) {
        if (chunk_ < largest_chunk && !chunks_.empty()) chunk_ *= 2;
        const size_t length = size > chunk_ ? size : chunk_;
        std::unique_ptr<unsigned char[]> chunk(new unsigned char[length]);
        chunks_.push_back(std::move(chunk));  // may itself fail: the chunk has an owner already
        next_ = chunks_.back().get();
        left_ = length;
    }

    std::vector<std::unique_ptr<unsigned char[]>> chunks_;
    unsigned char* next_ = nullptr;
    size_t left_ = 0, chunk_ = smallest_chunk;
};

}  // namespace fastroi
