/*
 * For `python -m benchmarks.scaling`: marks the call that callgrind counts, and, preloaded, takes the CPU time that the calling
 * thread spends inside parallel regions.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

#include <valgrind/callgrind.h>

/* Only the thread that asks could be dumped here: callgrind writes what it counted of all when the program ends. */
void count_begin(void) { CALLGRIND_START_INSTRUMENTATION; }
void count_end(void) { CALLGRIND_STOP_INSTRUMENTATION; }

static double inside_seconds;

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double seconds_in_regions(void) { return inside_seconds; }

/* libgomp's entry to a parallel region: it runs the body on the team, the caller included, and joins. */
void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags) {
    static void (*real)(void (*)(void*), void*, unsigned, unsigned);
    if (!real) real = (void (*)(void (*)(void*), void*, unsigned, unsigned))dlsym(RTLD_NEXT, "GOMP_parallel");
    const double start = thread_seconds();
    real(body, data, threads, flags);
    inside_seconds += thread_seconds() - start;
}
