// What the emulated device (tests/gpu/cuda_shim/shim.cpp) tells whoever counts its traffic; see gpu_traffic.cpp.
#pragma once

#include <cstddef>

extern "C" {
void __tsan_read1(void*);
void __tsan_read2(void*);
void __tsan_read4(void*);
void __tsan_read8(void*);
void __tsan_read16(void*);
void __tsan_write8(void*);
void __tsan_write16(void*);
}

namespace traffic {

void ignore(const void* first, size_t bytes);  // memory of the emulation itself
void share(const void* first, size_t bytes);   // shared memory
void begin_turn(unsigned thread, const void* own_stack, size_t bytes);
void end_turn();
void end_block();
void copy_unseen(void* to, const void* from, size_t bytes);

// One access on a device, whatever this compiler makes of it; inlined, because an instruction is known by its address.
template <class T>
[[gnu::always_inline]] inline T read(const T* from) {
    void* const at = (void*)from;
    sizeof(T) == 16  ? __tsan_read16(at)
    : sizeof(T) == 8 ? __tsan_read8(at)
    : sizeof(T) == 4 ? __tsan_read4(at)
    : sizeof(T) == 2 ? __tsan_read2(at)
                     : __tsan_read1(at);
    T value;
    copy_unseen(&value, from, sizeof value);
    return value;
}
template <class T>
[[gnu::always_inline]] inline void write(T* to, const T& value) {
    sizeof(T) == 16 ? __tsan_write16(to) : __tsan_write8(to);
    copy_unseen(to, &value, sizeof value);
}

}  // namespace traffic
