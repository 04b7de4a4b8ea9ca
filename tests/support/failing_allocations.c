// Lets the n-th allocation of a process fail: a preloaded library over glibc's own allocator.
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static atomic_long left = -1;  // the allocation that finds 0 fails; negative: none does

static int fails(void) { return atomic_load(&left) >= 0 && atomic_fetch_sub(&left, 1) == 0; }

void* malloc(size_t bytes) { return fails() ? NULL : __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) { return fails() ? NULL : __libc_calloc(count, bytes); }
void* realloc(void* old, size_t bytes) { return fails() ? NULL : __libc_realloc(old, bytes); }
void* memalign(size_t alignment, size_t bytes) { return fails() ? NULL : __libc_memalign(alignment, bytes); }
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void** block, size_t alignment, size_t bytes) {
    *block = memalign(alignment, bytes);
    return *block ? 0 : ENOMEM;
}

void let_allocation_fail(long number) { atomic_store(&left, number); }

// No allocation fails any more. How many there were to be before the failing one; negative if it has failed.
long let_none_fail(void) { return atomic_exchange(&left, -1); }
