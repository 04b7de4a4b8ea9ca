// Memory for the variable-length parts of a plan: grows in chunks, never moves what it has given out, freed as a whole.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace fastroi {

constexpr size_t smallest_chunk = 16 << 10, largest_chunk = 1 << 20;
constexpr size_t kept_chunks = 8 << 20;  // bytes that wait for the next call

// Chunks that plans have left, by size. A heap gives such memory back to the system and gets it anew, page by page, in every
// call: 13 % of G ps_roi_pool. Who finds the store taken goes on without it: after a fork it may be so for ever.
class ChunkStore {
public:
    void* take(size_t bytes) {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock() || !is_kept(bytes)) return nullptr;
        Free*& first = first_[size_class(bytes)];
        Free* const chunk = first;
        if (!chunk) return nullptr;
        first = chunk->next;
        bytes_ -= bytes;
        return chunk;
    }
    // Says whether the chunk now belongs to the store.
    bool give(void* memory, size_t bytes) {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock() || !is_kept(bytes) || bytes_ + bytes > kept_chunks) return false;
        Free*& first = first_[size_class(bytes)];
        first = new (memory) Free{first};
        bytes_ += bytes;
        return true;
    }

private:
    struct Free {
        Free* next;
    };
    static constexpr int size_classes = 7;
    static_assert(smallest_chunk << (size_classes - 1) == largest_chunk);

    static int size_class(size_t bytes) { return __builtin_ctzll(bytes / smallest_chunk); }
    static bool is_kept(size_t bytes) {
        return bytes >= smallest_chunk && bytes <= largest_chunk && (bytes & (bytes - 1)) == 0;
    }

    std::mutex mutex_;
    Free* first_[size_classes] = {};
    size_t bytes_ = 0;
};

// Never destroyed: calls may outlive static objects.
inline ChunkStore& chunk_store() {
    static ChunkStore& store = *new ChunkStore;
    return store;
}

struct ReturnChunk {
    size_t bytes;
    void operator()(unsigned char* memory) const {
        if (!chunk_store().give(memory, bytes)) ::operator delete(memory);
    }
};
using Chunk = std::unique_ptr<unsigned char, ReturnChunk>;

inline Chunk new_chunk(size_t bytes) {
    void* const kept = chunk_store().take(bytes);
    return {static_cast<unsigned char*>(kept ? kept : ::operator new(bytes)), ReturnChunk{bytes}};
}

class Arena {
public:
    template <class Item>
    Item* allocate(size_t count) {
        if (count > most_bytes / sizeof(Item)) throw std::bad_alloc();
        return static_cast<Item*>(bytes((count * sizeof(Item) + alignment - 1) / alignment * alignment));
    }
    template <class Item>
    const Item* keep(const Item& item) {
        Item* const kept = allocate<Item>(1);
        *kept = item;
        return kept;
    }

private:
    static constexpr size_t alignment = 16, most_bytes = (size_t)PTRDIFF_MAX - alignment;

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
        Chunk chunk = new_chunk(length);
        chunks_.push_back(std::move(chunk));  // may itself fail: the chunk has an owner already
        next_ = chunks_.back().get();
        left_ = length;
    }

    std::vector<Chunk> chunks_;
    unsigned char* next_ = nullptr;
    size_t left_ = 0, chunk_ = smallest_chunk;
    // Threads fill arenas that lie side by side, but never on one pair of cache lines. Alignment would do too, and cost 600
    // instructions of every small call.
    [[maybe_unused]] unsigned char apart_[128];
};

}  // namespace fastroi
