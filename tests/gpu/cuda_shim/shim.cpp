// The CUDA kernels as C++: just enough of the built-ins to run the same text on a CPU. Blocks run one after another; the
// threads of a block are fibers that take turns, switching only at barriers, so a missing barrier shows as a wrong result and
// not as a rare one, and one that some threads never reach as an error. SHIM_ORDER reverses the turns: results must not depend
// on them.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#ifdef FASTROI_COUNTS_TRAFFIC
#include "gpu_traffic.h"
#else
namespace traffic {
inline void ignore(const void*, size_t) {}
inline void share(const void*, size_t) {}
inline void begin_turn(unsigned, const void*, size_t) {}
inline void end_turn() {}
inline void end_block() {}
template <class T>
T read(const T* from) {
    return *from;
}
template <class T>
void write(T* to, const T& value) {
    *to = value;
}
}  // namespace traffic
#endif

#define FASTROI_CUDA_SHIM
#define __global__
#define __device__
#define __host__
#define __shared__
#define __launch_bounds__(threads, blocks)

using std::fma;
using std::isnan;

namespace {

struct Dim3 {
    unsigned x, y, z;
};

Dim3 indices[4];
Dim3 &blockIdx = indices[0], &blockDim = indices[1], &gridDim = indices[2], &threadIdx = indices[3];

template <class To, class From>
To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
float __int_as_float(int32_t v) { return bits_as<float>(v); }

struct uint2 {
    uint32_t x, y;
};
struct uint4 {
    uint32_t x, y, z, w;
};
using std::memcpy;

template <class T>
[[gnu::always_inline]] inline T __ldg(const T* from) {
    return traffic::read(from);
}
[[gnu::always_inline]] inline void put(uint2* to, uint2 v) { traffic::write(to, v); }
[[gnu::always_inline]] inline void put(uint4* to, uint4 v) { traffic::write(to, v); }
template <class T>
const T* opaque(const T* p) {
    return p;
}

void atomicMin(unsigned long long* at, unsigned long long v) {
    if (v < *at) *at = v;
}

constexpr size_t stack_bytes = 64 << 10;

enum class Turn { ready, at_warp_barrier, at_block_barrier, finished };

using Place = void* [5];  // of __builtin_setjmp: unlike swapcontext(), no system call for each turn

struct Fiber {
    ucontext_t beginning;
    std::vector<char> stack;
    Place place;
    Turn turn;
    bool vote;
};

constexpr unsigned warp_size = 32;
Place scheduler;
std::vector<Fiber> fibers;
unsigned current;

// Other fibers run before these return: their callers must know nothing of them, neither which registers they leave alone nor
// which memory.
#define OPAQUE [[gnu::noinline, gnu::noipa]]

OPAQUE void jump(Place& place) { __builtin_longjmp(place, 1); }

OPAQUE void pause(Turn turn) {
    traffic::end_turn();
    fibers[current].turn = turn;
    if (!__builtin_setjmp(fibers[current].place)) jump(scheduler);
}

OPAQUE void go_on() {
    if (!__builtin_setjmp(scheduler)) jump(fibers[current].place);
}

OPAQUE void begin() {
    if (!__builtin_setjmp(scheduler)) setcontext(&fibers[current].beginning);
}
void __syncthreads() { pause(Turn::at_block_barrier); }
void __syncwarp() { pause(Turn::at_warp_barrier); }

unsigned __ballot_sync(unsigned, bool vote) {
    traffic::end_turn();
    fibers[current].vote = vote;
    __syncwarp();
    traffic::end_turn();
    unsigned votes = 0;
    const unsigned first = current / warp_size * warp_size;
    for (unsigned lane = 0; lane < warp_size && first + lane < fibers.size(); lane++)
        votes |= (unsigned)(fibers[first + lane].turn != Turn::finished && fibers[first + lane].vote) << lane;
    __syncwarp();
    return votes;
}
int __ffs(unsigned bits) { return __builtin_ffs((int)bits); }

// Lets the fibers from `first` on go if those that have not finished are all at one barrier.
void release(Turn barrier, size_t first, size_t end) {
    for (size_t i = first; i < end; i++)
        if (fibers[i].turn != barrier && fibers[i].turn != Turn::finished) return;
    for (size_t i = first; i < end; i++)
        if (fibers[i].turn == barrier) fibers[i].turn = Turn::ready;
}

void release_barriers() {
    for (size_t first = 0; first < fibers.size(); first += warp_size)
        release(Turn::at_warp_barrier, first, std::min(first + warp_size, fibers.size()));
    release(Turn::at_block_barrier, 0, fibers.size());
}

}  // namespace

#include "kernels.cu"

// Shared memory of a block, poisoned before each one and guarded behind: a kernel that reads what it has not written, or
// writes past what it asked for, is found out.
constexpr size_t guard_bytes = 1024;
alignas(16) fastroi::SharedWords fastroi::dynamic_shared[((227 << 10) + guard_bytes) / 16];

namespace {

using Kernel = void (*)(fastroi::Launch);
struct Named {
    const char* name;
    Kernel kernel;
};
#define FASTROI_ENTRY(name, threads, blocks, call) {#name, fastroi_##name},
const Named table[] = {FASTROI_KERNELS(FASTROI_ENTRY)};

const fastroi::Launch* arguments;
Kernel running;

// A thread of one block after another.
void body() {
    for (;;) {
        pause(Turn::finished);
        running(*arguments);
    }
}

// As many fibers, each waiting for its first block.
void make_fibers(size_t count) {
    if (fibers.size() == count) return;
    fibers = std::vector<Fiber>(count);
    for (current = 0; current < count; current++) {
        Fiber& fiber = fibers[current];
        fiber.stack.resize(stack_bytes);
        getcontext(&fiber.beginning);
        fiber.beginning.uc_stack.ss_sp = fiber.stack.data();
        fiber.beginning.uc_stack.ss_size = stack_bytes;
        fiber.beginning.uc_link = nullptr;
        makecontext(&fiber.beginning, body, 0);
        begin();
    }
}

// Gives every fiber that can go on a turn; whether there was one.
bool take_turns(bool reversed) {
    bool any = false;
    for (size_t i = 0; i < fibers.size(); i++) {
        current = (unsigned)(reversed ? fibers.size() - 1 - i : i);
        if (fibers[current].turn != Turn::ready) continue;
        threadIdx = {current, 0, 0};
        traffic::begin_turn(current, fibers[current].stack.data(), stack_bytes);
        go_on();
        any = true;
    }
    return any;
}

enum Status { done, no_such_kernel, wrote_past_shared_memory, stuck_at_barriers };

Status run_block(size_t shared_bytes, bool reversed) {
    unsigned char* const shared = (unsigned char*)fastroi::dynamic_shared;
    std::memset(shared, 0xff, shared_bytes + guard_bytes);
    for (Fiber& fiber : fibers) fiber.turn = Turn::ready;
    traffic::ignore(indices, sizeof indices);
    traffic::share(shared, shared_bytes);
    while (take_turns(reversed)) release_barriers();
    traffic::end_block();
    for (const Fiber& fiber : fibers)
        if (fiber.turn != Turn::finished) return stuck_at_barriers;
    for (size_t i = shared_bytes; i < shared_bytes + guard_bytes; i++)
        if (shared[i] != 0xff) return wrote_past_shared_memory;
    return done;
}

}  // namespace

// Runs every `step`-th block from `first` on. Returns a Status.
extern "C" int shim_launch(const char* name, unsigned blocks, unsigned threads, size_t shared_bytes, int reversed,
                           unsigned first, unsigned step, const void* launch) {
    for (const Named& entry : table) {
        if (std::strcmp(entry.name, name) != 0) continue;
        running = entry.kernel;
        arguments = (const fastroi::Launch*)launch;
        blockDim = {threads, 1, 1};
        gridDim = {blocks, 1, 1};
        make_fibers(threads);
        for (unsigned b = first; b < blocks; b += step) {
            blockIdx = {b, 0, 0};
            const Status status = run_block(shared_bytes, reversed);
            if (status == done) continue;
            fibers.clear();  // some may hang in the middle
            return status;
        }
        return done;
    }
    return no_such_kernel;
}

extern "C" size_t shim_launch_bytes() { return sizeof(fastroi::Launch); }
