// The CUDA kernels as C++: just enough of the built-ins to run the same text on a CPU. Blocks run one after another; the
// threads of a block are fibers that take turns, switching only in __syncthreads(), so a missing barrier shows as a wrong
// result and not as a rare one. SHIM_ORDER reverses the turns: results must not depend on them.
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

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

Dim3 blockIdx, blockDim, gridDim, threadIdx;

template <class To, class From>
To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
float __uint_as_float(uint32_t v) { return bits_as<float>(v); }
float __int_as_float(int32_t v) { return bits_as<float>(v); }
uint32_t __float_as_uint(float v) { return bits_as<uint32_t>(v); }

struct uint2 {
    uint32_t x, y;
};
struct uint4 {
    uint32_t x, y, z, w;
};
using std::memcpy;

template <class T>
T __ldg(const T* from) {
    return *from;
}
template <class T>
const T* opaque(const T* p) {
    return p;
}

float float_of_half_bits(uint16_t bits) { return (float)bits_as<_Float16>(bits); }
uint16_t half_bits_of_float(float v) { return bits_as<uint16_t>((_Float16)v); }

void atomicMin(unsigned long long* at, unsigned long long v) {
    if (v < *at) *at = v;
}

constexpr size_t stack_bytes = 64 << 10;

struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    bool finished;
};

ucontext_t scheduler;
std::vector<Fiber> fibers;
unsigned current;

void __syncthreads() { swapcontext(&fibers[current].context, &scheduler); }

}  // namespace

#include "kernels.cu"

// Shared memory of a block, poisoned before each one and guarded behind: a kernel that reads what it has not written, or
// writes past what it asked for, is found out.
alignas(16) fastroi::SharedWords fastroi::dynamic_shared[(48 << 10) / 16 + 64];

namespace {

using Kernel = void (*)(fastroi::Launch);
struct Named {
    const char* name;
    Kernel kernel;
};
#define FASTROI_ENTRY(name, threads, call) {#name, fastroi_##name},
const Named table[] = {FASTROI_KERNELS(FASTROI_ENTRY)};

const fastroi::Launch* arguments;
Kernel running;

void body() {
    running(*arguments);
    fibers[current].finished = true;
    swapcontext(&fibers[current].context, &scheduler);
}

bool run_block(size_t shared_bytes, bool reversed) {
    unsigned char* const shared = (unsigned char*)fastroi::dynamic_shared;
    std::memset(shared, 0xff, sizeof fastroi::dynamic_shared);
    for (Fiber& fiber : fibers) {
        fiber.stack.resize(stack_bytes);
        fiber.finished = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = stack_bytes;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, body, 0);
    }
    for (bool open = true; open;) {
        open = false;
        for (size_t i = 0; i < fibers.size(); i++) {
            current = (unsigned)(reversed ? fibers.size() - 1 - i : i);
            if (fibers[current].finished) continue;
            threadIdx = {current, 0, 0};
            swapcontext(&scheduler, &fibers[current].context);
            open = true;
        }
    }
    for (size_t i = shared_bytes; i < sizeof fastroi::dynamic_shared; i++)
        if (shared[i] != 0xff) return false;
    return true;
}

}  // namespace

// 0: done, 1: no such kernel, 2: it wrote past its shared memory.
extern "C" int shim_launch(const char* name, unsigned blocks, unsigned threads, size_t shared_bytes, int reversed,
                           const void* launch) {
    for (const Named& entry : table) {
        if (std::strcmp(entry.name, name) != 0) continue;
        running = entry.kernel;
        arguments = (const fastroi::Launch*)launch;
        blockDim = {threads, 1, 1};
        gridDim = {blocks, 1, 1};
        fibers.resize(threads);
        for (unsigned b = 0; b < blocks; b++) {
            blockIdx = {b, 0, 0};
            if (!run_block(shared_bytes, reversed)) return 2;
        }
        return 0;
    }
    return 1;
}

extern "C" size_t shim_launch_bytes() { return sizeof(fastroi::Launch); }
