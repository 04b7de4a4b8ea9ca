// The floor of every workload: the output written once, the map read once, memory resident.
//
//   floor THREADS MAP_BYTES OUTPUT_BYTES [REPEATS]   one measurement, printed as JSON
//   floor THREADS --serve                            a line "MAP_BYTES OUTPUT_BYTES REPEATS" on
//                                                    stdin gives a line of JSON on stdout
//
// Writing is done with regular and with non-temporal stores; the better median counts. Buffers
// are kept between measurements and touched beforehand by the threads that use them.

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#if defined(__AVX512F__) || defined(__AVX__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

constexpr std::size_t kLine = 64;

struct Share {
    char* begin;
    std::size_t bytes;
};

// The part of `bytes` that one thread handles, in whole cache lines.
Share share_of(char* base, std::size_t bytes) {
    const std::size_t lines = (bytes + kLine - 1) / kLine;
    const std::size_t threads = static_cast<std::size_t>(omp_get_num_threads());
    const std::size_t id = static_cast<std::size_t>(omp_get_thread_num());
    const std::size_t first = lines * id / threads, last = lines * (id + 1) / threads;
    return {base + first * kLine, (last - first) * kLine};
}

void write_regular(Share part, char value) {
#if defined(__AVX512F__)
    const __m512i v = _mm512_set1_epi8(value);
    for (std::size_t i = 0; i < part.bytes; i += kLine) _mm512_store_si512(part.begin + i, v);
#elif defined(__SSE2__)
    const __m128i v = _mm_set1_epi8(value);
    for (std::size_t i = 0; i < part.bytes; i += 16) _mm_store_si128(reinterpret_cast<__m128i*>(part.begin + i), v);
#else
    std::memset(part.begin, value, part.bytes);
#endif
}

void write_streamed(Share part, char value) {
#if defined(__AVX512F__)
    const __m512i v = _mm512_set1_epi8(value);
    for (std::size_t i = 0; i < part.bytes; i += kLine)
        _mm512_stream_si512(reinterpret_cast<__m512i*>(part.begin + i), v);
    _mm_sfence();
#elif defined(__SSE2__)
    const __m128i v = _mm_set1_epi8(value);
    for (std::size_t i = 0; i < part.bytes; i += 16) _mm_stream_si128(reinterpret_cast<__m128i*>(part.begin + i), v);
    _mm_sfence();
#else
    write_regular(part, value);
#endif
}

std::uint64_t read_all(Share part) {
    // Eight independent sums: one chain of additions would measure latency, not bandwidth.
    std::uint64_t sums[8] = {};
    for (std::size_t i = 0; i < part.bytes; i += kLine) {
        std::uint64_t words[8];
        std::memcpy(words, part.begin + i, kLine);
        for (int lane = 0; lane < 8; ++lane) sums[lane] += words[lane];
    }
    std::uint64_t total = 0;
    for (std::uint64_t sum : sums) total += sum;
    return total;
}

class Buffer {
public:
    char* reserve(std::size_t bytes) {
        const std::size_t padded = (bytes + 4095) / 4096 * 4096;
        if (padded > size_) {
            memory_.reset(static_cast<char*>(std::aligned_alloc(4096, padded)));
            if (!memory_) {
                std::fprintf(stderr, "floor: cannot allocate %zu bytes\n", padded);
                std::exit(2);
            }
            size_ = padded;
#pragma omp parallel
            write_regular(share_of(memory_.get(), padded), 1);
        }
        return memory_.get();
    }

private:
    struct Free {
        void operator()(char* p) const { std::free(p); }
    };
    std::unique_ptr<char, Free> memory_;
    std::size_t size_ = 0;
};

template <class Work>
double milliseconds(Work work) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel
    work();
    const auto stop = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(stop - start).count();
}

std::string list(const std::vector<double>& values) {
    std::string text = "[";
    char number[32];
    for (double value : values) {
        std::snprintf(number, sizeof number, "%s%.6f", text.size() > 1 ? ", " : "", value);
        text += number;
    }
    return text + "]";
}

void measure(Buffer& map, Buffer& output, std::size_t map_bytes, std::size_t output_bytes, int repeats, int threads) {
    char* source = map.reserve(map_bytes);
    char* target = output.reserve(output_bytes);
    std::vector<double> regular, streamed, read;
    volatile std::uint64_t sink = 0;
    const auto read_map = [&] {
        const std::uint64_t sum = read_all(share_of(source, map_bytes));
#pragma omp critical
        sink = sink + sum;
    };
    for (int i = 0; i <= repeats; ++i) {
        const char value = static_cast<char>(i + 1);
        const double a = milliseconds([&] { write_regular(share_of(target, output_bytes), value); });
        const double b = milliseconds(read_map);
        const double c = milliseconds([&] { write_streamed(share_of(target, output_bytes), value); });
        const double d = milliseconds(read_map);
        if (i == 0) continue;  // the first round finds the caches as another program left them
        regular.push_back(a);
        streamed.push_back(c);
        read.push_back(b);
        read.push_back(d);
    }
    std::printf(
        "{\"threads\": %d, \"map_bytes\": %zu, \"output_bytes\": %zu, \"regular\": %s, "
        "\"streamed\": %s, \"read\": %s}\n",
        threads, map_bytes, output_bytes, list(regular).c_str(), list(streamed).c_str(), list(read).c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: floor THREADS --serve | THREADS MAP_BYTES OUTPUT_BYTES [REPEATS]\n");
        return 2;
    }
    const int threads = std::atoi(argv[1]);
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    Buffer map, output;
    if (std::string(argv[2]) != "--serve") {
        if (argc < 4) return 2;
        measure(map, output, std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10),
                argc > 4 ? std::atoi(argv[4]) : 30, threads);
        return 0;
    }
    std::size_t map_bytes, output_bytes;
    int repeats;
    while (std::scanf("%zu %zu %d", &map_bytes, &output_bytes, &repeats) == 3)
        measure(map, output, map_bytes, output_bytes, repeats, threads);
    return 0;
}
