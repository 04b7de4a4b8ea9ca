// What the emulated kernels move. tests/gpu/cuda_shim/shim.cpp is compiled with -fsanitize=thread, which has the compiler announce
// every access to memory; these are the functions that it announces them to. The accesses of the 32 threads of a warp at one
// instruction, the first of each thread, the second and so on, are one request, as they would be on a device.
#include "gpu_traffic.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace {

constexpr uintptr_t sector_bytes = 32, word_bytes = 4, banks = 32;

struct Region {
    uintptr_t first = 0, end = 0;

    bool holds(uintptr_t address) const { return address >= first && address < end; }
};

struct Access {
    uintptr_t instruction, address;
    unsigned bytes;
    bool is_write;
};

// In the order of gpu_traffic.py.
struct Counts {
    uint64_t requests[2], sectors[2], bytes[2];  // of global memory: read, written
    uint64_t shared_requests, shared_wavefronts;
};

Region shared, stack, host;
std::vector<std::vector<Access>> threads;
unsigned current;
bool is_counting = false;
Counts counts;

Region region(const void* first, size_t bytes) { return {(uintptr_t)first, (uintptr_t)first + bytes}; }

void record(void* instruction, const void* at, unsigned bytes, bool is_write) {
    const uintptr_t address = (uintptr_t)at;
    if (!is_counting || stack.holds(address) || (host.holds(address) && !shared.holds(address))) return;
    threads[current].push_back({(uintptr_t)instruction, address, bytes, is_write});
}

void add_units(const Access& access, uintptr_t unit, std::set<uintptr_t>& units) {
    for (uintptr_t u = access.address / unit; u <= (access.address + access.bytes - 1) / unit; u++) units.insert(u);
}

// The threads that one pass serves have 128 bytes together; words of one bank take turns.
void count_shared(const std::vector<Access>& request) {
    counts.shared_requests++;
    const size_t at_once = std::max<size_t>(1, std::min<size_t>(32, 128 / request[0].bytes));
    for (size_t first = 0; first < request.size(); first += at_once) {
        std::set<uintptr_t> words;
        for (size_t i = first; i < std::min(request.size(), first + at_once); i++)
            add_units(request[i], word_bytes, words);
        int of_bank[banks] = {}, most = 0;
        for (const uintptr_t word : words) most = std::max(most, ++of_bank[word % banks]);
        counts.shared_wavefronts += (uint64_t)most;
    }
}

void count_global(const std::vector<Access>& request) {
    const bool is_write = request[0].is_write;
    std::set<uintptr_t> sectors;
    for (const Access& access : request) {
        add_units(access, sector_bytes, sectors);
        counts.bytes[is_write] += access.bytes;
    }
    counts.requests[is_write]++;
    counts.sectors[is_write] += sectors.size();
}

void count_warp(size_t first, size_t end) {
    std::map<std::pair<uintptr_t, unsigned>, std::vector<Access>> requests;
    for (size_t t = first; t < end; t++) {
        std::unordered_map<uintptr_t, unsigned> times;
        for (const Access& access : threads[t])
            requests[{access.instruction, times[access.instruction]++}].push_back(access);
    }
    for (const auto& [key, request] : requests)
        shared.holds(request[0].address) ? count_shared(request) : count_global(request);
}

}  // namespace

namespace traffic {

void ignore(const void* first, size_t bytes) { host = region(first, bytes); }
void share(const void* first, size_t bytes) { shared = region(first, bytes); }

void begin_turn(unsigned thread, const void* own_stack, size_t bytes) {
    if (threads.size() <= thread) threads.resize(thread + 1);
    current = thread;
    stack = region(own_stack, bytes);
    is_counting = true;
}
void end_turn() { is_counting = false; }

void end_block() {
    for (size_t first = 0; first < threads.size(); first += 32) count_warp(first, std::min(first + 32, threads.size()));
    threads.clear();
}

void copy_unseen(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

}  // namespace traffic

extern "C" {

void traffic_take(Counts* taken) {
    *taken = counts;
    counts = {};
}

#define FASTROI_ANNOUNCED(bytes)                                                                           \
    void __tsan_read##bytes(void* at) { record(__builtin_return_address(0), at, bytes, false); }           \
    void __tsan_write##bytes(void* at) { record(__builtin_return_address(0), at, bytes, true); }           \
    void __tsan_unaligned_read##bytes(void* at) { record(__builtin_return_address(0), at, bytes, false); } \
    void __tsan_unaligned_write##bytes(void* at) { record(__builtin_return_address(0), at, bytes, true); }
FASTROI_ANNOUNCED(1)
FASTROI_ANNOUNCED(2)
FASTROI_ANNOUNCED(4)
FASTROI_ANNOUNCED(8)
FASTROI_ANNOUNCED(16)
void __tsan_read_range(void* at, size_t bytes) { record(__builtin_return_address(0), at, (unsigned)bytes, false); }
void __tsan_write_range(void* at, size_t bytes) { record(__builtin_return_address(0), at, (unsigned)bytes, true); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
void __tsan_vptr_update(void**, void*) {}
}
