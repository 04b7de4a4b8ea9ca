/*
 * Counts what a process allocates, for `python -m benchmarks.memory`: a preloaded library over glibc's own allocator. Blocks
 * asked for by alignment are counted apart: in a call of fastroi those are the threads' scratch memory, and nothing else is.
 * Thread stacks and mappings that do not come from malloc are not seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

enum { kPlain, kAligned, kKinds, kMostAligned = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t current[kKinds], peak[kKinds], before[kKinds];
static void* aligned[kMostAligned];
static int aligned_count;

static void add(int kind, int64_t bytes) {
    current[kind] += bytes;
    if (current[kind] > peak[kind]) peak[kind] = current[kind];
}

static void taken(void* block, int kind) {
    if (!block) return;
    pthread_mutex_lock(&lock);
    if (kind == kAligned) {
        if (aligned_count == kMostAligned) abort();
        aligned[aligned_count++] = block;
    }
    add(kind, (int64_t)malloc_usable_size(block));
    pthread_mutex_unlock(&lock);
}

static void given_back(void* block) {
    if (!block) return;
    pthread_mutex_lock(&lock);
    int kind = kPlain;
    for (int i = 0; i < aligned_count && kind == kPlain; i++) {
        if (aligned[i] != block) continue;
        aligned[i] = aligned[--aligned_count];
        kind = kAligned;
    }
    add(kind, -(int64_t)malloc_usable_size(block));
    pthread_mutex_unlock(&lock);
}

void* malloc(size_t bytes) {
    void* const block = __libc_malloc(bytes);
    taken(block, kPlain);
    return block;
}

void* calloc(size_t count, size_t bytes) {
    void* const block = __libc_calloc(count, bytes);
    taken(block, kPlain);
    return block;
}

void* realloc(void* old, size_t bytes) {
    given_back(old);
    void* const block = __libc_realloc(old, bytes);
    taken(block ? block : bytes ? old : NULL, kPlain);
    return block;
}

void* memalign(size_t alignment, size_t bytes) {
    void* const block = __libc_memalign(alignment, bytes);
    taken(block, kAligned);
    return block;
}

void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void** block, size_t alignment, size_t bytes) {
    *block = memalign(alignment, bytes);
    return *block ? 0 : ENOMEM;
}

void free(void* block) {
    given_back(block);
    __libc_free(block);
}

void allocations_start(void) {
    pthread_mutex_lock(&lock);
    for (int kind = 0; kind < kKinds; kind++) before[kind] = peak[kind] = current[kind];
    pthread_mutex_unlock(&lock);
}

/* Since the start, the most bytes at once: of plain blocks beyond those of the start, of aligned blocks altogether. */
void allocations_peak(int64_t most[kKinds]) {
    pthread_mutex_lock(&lock);
    most[kPlain] = peak[kPlain] - before[kPlain];
    most[kAligned] = peak[kAligned];
    pthread_mutex_unlock(&lock);
}
