// Every kernel beside a plain loop written from its comment in kernel_table.h: each element, block width and instruction set of
// this machine, random calls, all bits of what is written and of what is not. The lines that check a kernel also time it.
//
//   kernels [KERNEL] [--seed=N] [--trials=N] [--isa=NAME] [--spoil] [--list]
//   kernels --bench [KERNEL]
//
// A new kernel is a check and a row of `rows`; a new element of an existing one is a row.
#include <algorithm>
#include <chrono>
#include <string>
#include <type_traits>
#include <vector>

#include "../../src/kernels/dispatch.h"
#include "kernel_inputs.h"

namespace unit {
namespace {

// --- time --------------------------------------------------------------------------------------------------------------

#if defined(__x86_64__)
constexpr const char* tick_name = "cycles of the time stamp counter";
double ticks() {
    __builtin_ia32_lfence();
    const double now = (double)__builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return now;
}
#else
constexpr const char* tick_name = "nanoseconds";
double ticks() {
    return (double)std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}
#endif

template <class Call, class Prepare>
double median_ticks(const Call& call, const Prepare& prepare) {
    std::vector<double> readings(401);
    for (double& reading : readings) {
        prepare();
        const double start = ticks();
        call();
        reading = ticks() - start;
    }
    std::nth_element(readings.begin(), readings.begin() + readings.size() / 2, readings.end());
    return readings[readings.size() / 2];
}

}  // namespace

template <class T>
template <class Call, class Prepare>
void Trial<T>::time(const char* unit, int64_t count, const Call& call, const Prepare& prepare) {
    if (!timing) return;
    const double nothing = median_ticks([] {}, prepare), all = median_ticks(call, prepare);
    *timing = {unit, std::max(0.0, all - nothing) / (double)count};
}

namespace {

// --- maps and bins -----------------------------------------------------------------------------------------------------

template <class T, class Stored>
void check_pack(Trial<T>& t) {
    const int64_t lanes = t.lanes(), channels = t.sometimes(2) ? t.random.between(1, lanes) : lanes;
    const auto some = [&](int64_t most) {
        const int32_t start = (int32_t)t.random.below(100);
        return Range{start, start + (int32_t)(t.sometimes(30) ? 0 : t.size(1, most, 32))};
    };
    const Range rows = some(5), columns = some(40);
    const Map<Stored> map(t, rows, columns, channels, Values::extremes, t.timing || t.random.one_in(2));
    const PlanarBlock block{map.origin(), map.stride(channels_axis), map.stride(rows_axis), map.stride(columns_axis),
                            channels};
    const int64_t cells = length_of(rows) * length_of(columns);
    Output<T> packed(t, cells * lanes * (int64_t)sizeof(T));
    const auto call = [&] { t.kernels.port(own_element<Stored>).pack(block, rows, columns, (T*)packed.data()); };
    call();
    int64_t at = 0;
    for (int64_t y = rows.start; y < rows.end; y++)
        for (int64_t x = columns.start; x < columns.end; x++)
            for (int64_t lane = 0; lane < lanes; lane++, at += sizeof(T))
                packed.expect(at, lane < channels ? (T)map.at(y, x, lane) : (T)0);
    packed.compare(t);
    t.time("cell", cells, call);
}

template <class T, class Stored>
void check_unpack(Trial<T>& t) {
    const int64_t rows = t.size(1, 8, 7), columns = t.size(1, 9, 7), lanes = t.lanes();
    const int64_t first_lane = t.sometimes(3) ? t.random.below(lanes) : 0;
    const int64_t end_lane = t.sometimes(3) ? t.random.between(first_lane + 1, lanes) : lanes;
    // Dense, as scratch is, and with a block for each lane behind them: bins are transposed by whole vectors.
    T* const bins = t.scratch((rows * columns + lanes) * lanes);
    for (int64_t i = 0; i < (rows * columns + lanes) * lanes; i++)
        bins[i] = random_value<T>(t.random, Values::extremes);
    const int64_t extents[3] = {lanes, rows, columns};
    const bool channels_innermost = t.sometimes(3);
    const Layout layout = t.timing || t.random.one_in(3)
                              ? dense_layout(extents, channels_innermost, sizeof(Stored))
                              : random_layout(t.random, extents, channels_innermost, sizeof(Stored), sizeof(Stored));
    Output<Stored> out(t, layout.bytes, t.sometimes(4));
    const ptrdiff_t cell = lanes * (ptrdiff_t)sizeof(T);
    const BinTile tile{(unsigned char*)bins, columns * cell, cell};
    const PlanarBins planes{out.data() + layout.origin,
                            layout.stride[channels_axis],
                            layout.stride[rows_axis],
                            layout.stride[columns_axis],
                            first_lane,
                            end_lane,
                            t.sometimes(2)};
    T* const staging = t.scratch((rows * columns + 1) * lanes);
    const auto call = [&] { t.kernels.port(own_element<Stored>).unpack(tile, rows, columns, planes, staging); };
    call();
    t.isa.end_streaming();
    for (int64_t bin = 0; bin < rows * columns; bin++)
        for (int64_t lane = first_lane; lane < end_lane; lane++)
            out.expect(layout.origin + bin / columns * planes.row_stride + bin % columns * planes.column_stride +
                           lane * planes.channel_stride,
                       (Stored)bins[bin * lanes + lane]);
    out.compare(t);
    t.time("bin", rows * columns, call);
}

template <class T, class Stored>
void check_load_line(Trial<T>& t) {
    const int64_t count = t.size(0, 70, 32), step = t.sometimes(2) ? t.random.between(-3, 3) : 1;
    const int64_t reach = std::abs(step) * std::max<int64_t>(0, count - 1);
    const int64_t items = count ? reach + 1 : 0, first = step < 0 ? reach : 0;
    unsigned char* const from = t.memory.guarded(items * (int64_t)sizeof(Stored), t.random.one_in(2));
    for (int64_t i = 0; i < items; i++)
        unit::write(from + i * sizeof(Stored), random_value<Stored>(t.random, Values::extremes));
    Output<T> out(t, count * (int64_t)sizeof(T));
    const auto at = [&](int64_t i) { return from + (first + i * step) * (int64_t)sizeof(Stored); };
    const auto call = [&] {
        t.kernels.port(own_element<Stored>).load_line(at(0), step * (ptrdiff_t)sizeof(Stored), count, (T*)out.data());
    };
    call();
    for (int64_t i = 0; i < count; i++) out.expect(i * (ptrdiff_t)sizeof(T), (T)read<Stored>(at(i)));
    out.compare(t);
    t.time("cell", std::max<int64_t>(1, count), call);
}

template <class T>
void check_stream(Trial<T>& t) {
    const int64_t count = t.size(0, 400, 4096);
    Output<T> out(t, count * (int64_t)sizeof(T), true);
    T* const source = t.scratch(count);
    for (int64_t i = 0; i < count; i++) source[i] = random_value<T>(t.random, Values::extremes);
    const auto call = [&] {
        t.kernels.port(own_element<T>).stream(source, out.data(), count);
        t.isa.end_streaming();
    };
    call();
    for (int64_t i = 0; i < count; i++) out.expect(i * (ptrdiff_t)sizeof(T), source[i]);
    out.compare(t);
    t.time("cell", std::max<int64_t>(1, count / t.lanes()), call);
}

// --- maxima ------------------------------------------------------------------------------------------------------------

constexpr double lowest = -std::numeric_limits<double>::infinity();

// Columns first, as the kernel does: of +0 and -0 the one that comes first is kept.
template <class T>
T maximum(const Map<T>& map, Range rows, Range columns, int64_t lane) {
    T best = (T)lowest;
    for (int64_t x = columns.start; x < columns.end; x++) {
        T column = (T)lowest;
        for (int64_t y = rows.start; y < rows.end; y++) column = Trial<T>::larger(map.at(y, x, lane), column);
        best = x == columns.start ? column : Trial<T>::larger(column, best);
    }
    return best;
}

template <class T>
T maximum_or_nothing(const Map<T>& map, Range rows, Range columns, int64_t lane) {
    return is_empty(rows) || is_empty(columns) ? 0 : maximum(map, rows, columns, lane);
}

template <class T>
void check_max_ranges(Trial<T>& t) {
    const Ranges y(t), x(t);
    const Map<T> map(t, y.axis.hull, x.axis.hull, t.lanes(), t.values_of_maxima());
    Bins<T> bins(t, y.axis.count, x.axis.count, t.lanes());
    T* const scratch = t.scratch(length_of(x.axis.hull) * t.lanes() + column_scratch_bytes / (int64_t)sizeof(T));
    const auto call = [&] { t.kernels.max_ranges(map.tile(), y.axis, x.axis, bins.tile(), scratch); };
    call();
    bins.expect_all(
        [&](int64_t ph, int64_t pw, int64_t lane) { return maximum_or_nothing(map, y.bins[ph], x.bins[pw], lane); });
    bins.compare(t);
    t.time("bin", bins.count(), call);
}

template <class T>
void check_begin_maxima(Trial<T>& t) {
    const Ranges y(t), x(t);
    Bins<T> bins(t, y.axis.count, x.axis.count, t.lanes());
    const auto call = [&] { t.kernels.begin_maxima(y.axis, x.axis, bins.tile()); };
    call();
    bins.expect_all([&](int64_t ph, int64_t pw, int64_t) {
        return is_empty(y.bins[ph]) || is_empty(x.bins[pw]) ? (T)0 : (T)lowest;
    });
    bins.compare(t);
    t.time("bin", bins.count(), call);
}

template <class T>
void check_raise_to_runs(Trial<T>& t) {
    const int64_t rows = t.size(1, t.random.one_in(2) ? 40 : 8, 7), columns = t.size(1, 8, 7);
    const Cover y(t, rows), x(t, columns);
    const Map<T> map(t, y.hull, x.hull, t.lanes(), t.values_of_maxima());
    const bool start = t.sometimes(2);
    Bins<T> bins(t, rows, columns, t.lanes());
    const auto call = [&] { t.kernels.raise_to_runs(map.tile(), y.cover, x.cover, start, bins.tile()); };
    call();
    const auto expected = [&](int64_t i, int64_t j, int64_t lane) {
        T best = (T)lowest;
        for (int64_t r = 0; r < y.cover.runs; r++)
            for (int64_t c = 0; c < x.cover.runs; c++)
                best = t.larger(map.at(y.starts[i * y.cover.runs + r], x.starts[j * x.cover.runs + c], lane), best);
        return start ? best : t.larger(bins.expected(y.bins[i], x.bins[j], lane), best);
    };
    for (int64_t i = 0; i < y.cover.count; i++)
        for (int64_t j = 0; j < x.cover.count; j++)
            for (int64_t lane = 0; lane < t.lanes(); lane++)
                bins.expect(y.bins[i], x.bins[j], lane, expected(i, j, lane));
    bins.compare(t);
    t.time("bin", bins.count(), call);
}

// Within one table, as one of runs of 2^(j+1) cells is made of that of 2^j, or out of two.
template <class T>
void check_max_cells(Trial<T>& t) {
    const int64_t cells = t.size(0, 30, 1024), items = cells * t.lanes(), reach = t.random.below(8) * t.lanes();
    const bool in_place = t.sometimes(2);
    T* const other = t.scratch(items);
    Output<T> table(t, (items + reach) * (int64_t)sizeof(T));
    const Values values = t.values_of_maxima();
    for (int64_t i = 0; i < items; i++) other[i] = random_value<T>(t.random, values);
    T* const dst = (T*)table.data();
    const T* const a = in_place ? dst : other;
    const auto call = [&] { t.kernels.max_cells(a, dst + reach, dst, cells); };
    for (int64_t i = 0; i < items; i++) {
        const T before = in_place ? dst[i] : other[i];
        table.expect(i * (ptrdiff_t)sizeof(T), t.larger(dst[i + reach], t.larger(before, (T)lowest)));
    }
    call();
    table.compare(t);
    t.time("cell", cells, call);
}

template <class T>
void check_argmax_ranges(Trial<T>& t) {
    const Ranges y(t), x(t);
    const Values values = t.values_of_maxima();
    const Map<T> map(t, y.axis.hull, x.axis.hull, t.lanes(), values);
    Map<T> maxima(t, {0, (int32_t)y.axis.count}, {0, (int32_t)x.axis.count}, t.lanes(), values);
    const int64_t map_width = x.axis.hull.end + t.random.below(9), lanes = t.lanes(),
                  count = y.axis.count * x.axis.count;
    Output<int64_t> offsets(t, count * lanes * (int64_t)sizeof(int64_t));
    const auto first_offset = [&](int64_t ph, int64_t pw, int64_t lane) {
        if (!t.sometimes(16)) maxima.set(ph, pw, lane, maximum_or_nothing(map, y.bins[ph], x.bins[pw], lane));
        for (int64_t row = y.bins[ph].start; row < y.bins[ph].end; row++)
            for (int64_t column = x.bins[pw].start; column < x.bins[pw].end; column++)
                if (map.at(row, column, lane) == maxima.at(ph, pw, lane)) return row * map_width + column;
        return (int64_t)-1;
    };
    for (int64_t bin = 0; bin < count; bin++)
        for (int64_t lane = 0; lane < lanes; lane++)
            offsets.expect((bin * lanes + lane) * (int64_t)sizeof(int64_t),
                           first_offset(bin / x.axis.count, bin % x.axis.count, lane));
    const auto call = [&] {
        t.kernels.argmax_ranges(map.tile(), y.axis, x.axis, maxima.bins(), map_width, (int64_t*)offsets.data());
    };
    call();
    offsets.compare(t);
    t.time("bin", count, call);
}

template <class T>
T interpolated(Trial<T>& t, const Sample<T>& point, T low, T high) {
    const T sum = point.weight != 0 ? point.weight * low : 0;
    return point.high_weight != 0 ? t.multiply_add(point.high_weight, high, sum) : sum;
}

// The candidates of one bin: points, rows outside, or their corners, of which a missing one is a zero.
template <class T, class Visit>
void each_candidate(Trial<T>& t, const Map<T>& map, const Sample<T>& y, const Sample<T>& x, bool corners, int64_t lane,
                    const Visit& visit) {
    const auto cell = [&](int row, int column) {
        const T row_weight = row ? y.high_weight : y.weight, column_weight = column ? x.high_weight : x.weight;
        return row_weight != 0 && column_weight != 0 ? map.at(y.low + row, x.low + column, lane) : 0;
    };
    if (!corners) {
        const T low = interpolated(t, y, cell(0, 0), cell(1, 0)), high = interpolated(t, y, cell(0, 1), cell(1, 1));
        return visit(interpolated(t, x, low, high));
    }
    for (int row = 0; row < 2; row++)
        for (int column = 0; column < 2; column++) {
            const T row_weight = row ? y.high_weight : y.weight, column_weight = column ? x.high_weight : x.weight;
            visit(row_weight != 0 && column_weight != 0 ? column_weight * (row_weight * cell(row, column)) : 0);
        }
}

template <class T>
T maximum_of_samples(Trial<T>& t, const Map<T>& map, const Samples<T>& y, const Samples<T>& x, SampleMaximum mode,
                     int64_t ph, int64_t pw, int64_t lane) {
    if (y.first[ph] == y.first[ph + 1] || x.first[pw] == x.first[pw + 1]) return 0;
    T best = mode.from_zero ? (T)0 : (T)lowest;
    for (int32_t i = y.first[ph]; i < y.first[ph + 1]; i++) {
        // By corners: all points of a row of corners come before the next row's.
        for (int row = 0; row < (mode.corners ? 2 : 1); row++)
            for (int32_t j = x.first[pw]; j < x.first[pw + 1]; j++) {
                int corner = 0;
                each_candidate(t, map, y.samples[i], x.samples[j], mode.corners, lane, [&](T candidate) {
                    if (!mode.corners || corner++ / 2 == row) best = t.larger(candidate, best);
                });
            }
    }
    return mode.absent_is_zero && (y.absent[ph] || x.absent[pw]) ? t.larger(0, best) : best;
}

template <class T>
void check_max_samples(Trial<T>& t) {
    const Samples<T> y(t), x(t);
    const SampleMaximum mode{t.sometimes(2), t.sometimes(2), t.sometimes(2)};
    const Map<T> map(t, y.axis.hull, x.axis.hull, t.lanes(), t.values_of_maxima());
    Bins<T> bins(t, y.axis.count, x.axis.count, t.lanes());
    T* const scratch = t.scratch(length_of(x.axis.hull) * t.lanes());
    const auto call = [&] { t.kernels.max_samples(map.tile(), y.axis, x.axis, mode, bins.tile(), scratch); };
    call();
    bins.expect_all(
        [&](int64_t ph, int64_t pw, int64_t lane) { return maximum_of_samples(t, map, y, x, mode, ph, pw, lane); });
    bins.compare(t);
    t.time("bin", bins.count(), call);
}

// --- sums --------------------------------------------------------------------------------------------------------------

template <class T>
void check_mean_ranges(Trial<T>& t) {
    const Ranges y(t), x(t);
    const Map<T> map(t, y.axis.hull, x.axis.hull, t.lanes(), t.values_of_sums());
    Bins<T> bins(t, y.axis.count, x.axis.count, t.lanes());
    const auto call = [&] { t.kernels.mean_ranges(map.tile(), y.axis, x.axis, bins.tile()); };
    call();
    const auto column = [&](Range rows, int64_t at, int64_t lane) {
        T sum = map.at(rows.start, at, lane);
        for (int64_t row = rows.start + 1; row < rows.end; row++) sum += map.at(row, at, lane);
        return sum;
    };
    bins.expect_all([&](int64_t ph, int64_t pw, int64_t lane) -> T {
        const Range rows = y.bins[ph], columns = x.bins[pw];
        if (is_empty(rows) || is_empty(columns)) return 0;
        T sum = column(rows, columns.start, lane);
        for (int64_t at = columns.start + 1; at < columns.end; at++) sum += column(rows, at, lane);
        return sum / (T)(length_of(rows) * length_of(columns));
    });
    bins.compare(t);
    t.time("bin", bins.count(), call);
}

// Axes, a map and bins of a sum over taps, and its reference: weighted rows of each column first, then weighted columns.
template <class T>
struct TapSum {
    Trial<T>& t;
    const bool mean = t.sometimes(3);
    const T outside = t.sometimes(2) ? (T)t.random.symmetric() : 0;
    const Taps<T> rows{t, mean, true}, columns{t, mean, false};
    const TapAxis<T>&y = rows.axis, &x = columns.axis;
    const int64_t channels;
    const Map<T> map{t, y.hull, x.hull, channels, t.values_of_sums()};
    Bins<T> bins;

    TapSum(Trial<T>& trial, int64_t channels_of_map, bool misaligned = false)
        : t(trial), channels(channels_of_map), bins(t, y.count, x.count, channels, misaligned) {}

    bool has_taps(int64_t ph, int64_t pw) const {
        return y.first[ph] < y.first[ph + 1] && x.first[pw] < x.first[pw + 1];
    }
    static T column_sum(const TapSum& s, const Map<T>& map, int64_t ph, int64_t column, int64_t lane) {
        const Trial<T>& t = s.t;
        const TapAxis<T>& y = s.y;
        T sum = y.weight[y.first[ph]] * map.at(y.index[y.first[ph]], column, lane);
        for (int32_t i = y.first[ph] + 1; i < y.first[ph + 1]; i++)
            sum = t.multiply_add(y.weight[i], map.at(y.index[i], column, lane), sum);
        return sum;
    }
    T sum_in(const Map<T>& other, int64_t ph, int64_t pw, int64_t lane) const {
        const auto column = [&](int32_t tap) { return column_sum(*this, other, ph, x.index[tap], lane); };
        T sum = x.weight[x.first[pw]] * column(x.first[pw]);
        for (int32_t i = x.first[pw] + 1; i < x.first[pw + 1]; i++) sum = t.multiply_add(x.weight[i], column(i), sum);
        return sum;
    }
    T sum(int64_t ph, int64_t pw, int64_t lane) const { return sum_in(map, ph, pw, lane); }
    T divided(int64_t ph, int64_t pw, T sum) const {
        return sum / (T)((y.first[ph + 1] - y.first[ph]) * (x.first[pw + 1] - x.first[pw]));
    }

    // `divide`: whether the kernel also makes a mean of it.
    void compare(bool divide) {
        bins.expect_all([&](int64_t ph, int64_t pw, int64_t lane) {
            if (!has_taps(ph, pw)) return outside;
            return mean && divide ? divided(ph, pw, sum(ph, pw, lane)) : sum(ph, pw, lane);
        });
        bins.compare(t);
    }
};

template <class T>
void check_sum_taps(Trial<T>& t) {
    TapSum<T> s(t, t.lanes());
    T* const scratch = t.scratch(length_of(s.x.hull) * t.lanes() + column_scratch_bytes / (int64_t)sizeof(T));
    const auto call = [&] { t.kernels.sum_taps(s.map.tile(), s.y, s.x, s.outside, s.bins.tile(), scratch); };
    call();
    s.compare(false);
    t.time("bin", s.bins.count(), call);
}

template <class T>
void check_sum_bins(Trial<T>& t) {
    TapSum<T> s(t, t.lanes());
    const auto call = [&] { t.kernels.sum_bins(s.map.tile(), s.y, s.x, s.outside, s.bins.tile()); };
    call();
    s.compare(true);
    t.time("bin", s.bins.count(), call);
}

template <class T>
void check_sum_whole_bins(Trial<T>& t) {
    const int64_t line = 64 / sizeof(T), channels = t.size(line, 5 * line, t.lanes());
    TapSum<T> s(t, channels, t.sometimes(3));
    const bool stream = t.sometimes(2);
    const auto call = [&] {
        t.kernels.sum_whole_bins(s.map.tile(), channels, s.y, s.x, s.outside, s.bins.tile(), stream);
    };
    call();
    t.isa.end_streaming();
    s.compare(true);
    t.time("bin", s.bins.count(), call);
}

template <class T>
void check_begin_sums(Trial<T>& t) {
    TapSum<T> s(t, t.lanes());
    const auto call = [&] { t.kernels.begin_sums(s.y, s.x, s.outside, s.bins.tile()); };
    call();
    s.bins.each([&](int64_t ph, int64_t pw, int64_t lane) {
        if (!s.has_taps(ph, pw)) s.bins.expect(ph, pw, lane, s.outside);
    });
    s.bins.compare(t);
    t.time("bin", s.bins.count(), call);
}

// All strips of the hull, ascending; bins without taps stay as they are.
template <class T>
void check_add_strip(Trial<T>& t) {
    TapSum<T> s(t, t.lanes());
    const int32_t width =
        (int32_t)t.size(1, std::max(1, (int)length_of(s.x.hull)), std::max(1, (int)length_of(s.x.hull)));
    T* const scratch = t.scratch(s.y.count * width * t.lanes());
    const auto call = [&] {
        for (int32_t start = s.x.hull.start; start < s.x.hull.end; start += width)
            t.kernels.add_strip(s.map.tile(), s.y, s.x, {start, std::min(start + width, s.x.hull.end)}, s.bins.tile(),
                                scratch);
    };
    call();
    s.bins.each([&](int64_t ph, int64_t pw, int64_t lane) {
        if (s.has_taps(ph, pw)) s.bins.expect(ph, pw, lane, s.sum(ph, pw, lane));
    });
    s.bins.compare(t);
    t.time("bin", s.bins.count(), call, [&] { s.bins.restore(); });
}

template <class T>
void check_divide_bins(Trial<T>& t) {
    TapSum<T> s(t, t.lanes());
    const auto call = [&] { t.kernels.divide_bins(s.y, s.x, s.bins.tile()); };
    call();
    s.bins.each([&](int64_t ph, int64_t pw, int64_t lane) {
        if (s.has_taps(ph, pw)) s.bins.expect(ph, pw, lane, s.divided(ph, pw, s.bins.expected(ph, pw, lane)));
    });
    s.bins.compare(t);
    t.time("bin", s.bins.count(), call, [&] { s.bins.restore(); });
}

template <class T>
void check_gather(Trial<T>& t) {
    const int64_t rows = t.size(1, 6, 7), columns = t.size(1, 6, 7);
    std::vector<int32_t> first;
    std::vector<WeightedCell<T>> cells;
    Range row_hull{0, 0}, column_hull{0, 0};
    for (int64_t bin = 0; bin < rows * columns; bin++) {
        first.push_back((int32_t)cells.size());
        const int64_t count = t.sometimes(8) ? 0 : t.size(1, 12, 9);
        for (int64_t i = 0; i < count; i++) {
            const int32_t row = 700 + (int32_t)t.random.below(12), column = 900 + (int32_t)t.random.below(12);
            cells.push_back({row, column, (T)t.random.symmetric()});
            widen(row_hull, {row, row + 1});
            widen(column_hull, {column, column + 1});
        }
    }
    first.push_back((int32_t)cells.size());
    const Map<T> map(t, row_hull, column_hull, t.lanes(), t.values_of_sums());
    Bins<T> bins(t, rows, columns, t.lanes());
    const GatherAxis<T> axis{first.data(), cells.data(), rows, columns, row_hull};
    const auto call = [&] { t.kernels.gather(map.tile(), axis, bins.tile()); };
    call();
    bins.expect_all([&](int64_t ph, int64_t pw, int64_t lane) {
        const int32_t begin = first[ph * columns + pw], end = first[ph * columns + pw + 1];
        T sum = begin < end ? cells[begin].weight * map.at(cells[begin].row, cells[begin].column, lane) : 0;
        for (int32_t i = begin + 1; i < end; i++)
            sum = t.multiply_add(cells[i].weight, map.at(cells[i].row, cells[i].column, lane), sum);
        return sum;
    });
    bins.compare(t);
    t.time("cell", (int64_t)cells.size(), call);
}

// --- rows of masks -----------------------------------------------------------------------------------------------------

// The sum of two products, each rounded for itself.
double sum_of_products(double a, double x, double b, double y) {
    const double first = a * x, second = b * y;
    return first + second;
}

double* random_row(Trial<double>& t, int64_t count) {
    double* const row = t.scratch(count);
    for (int64_t i = 0; i < count; i++) row[i] = t.random.symmetric();
    return row;
}

void check_combine(Trial<double>& t) {
    const int64_t count = t.size(0, 100, 29);
    const double *const low = random_row(t, count), *const high = random_row(t, count), a = t.random.uniform(),
                        b = t.random.symmetric();
    Output<double> out(t, count * (int64_t)sizeof(double));
    const auto call = [&] { t.isa.masks.combine(low, a, high, b, (double*)out.data(), count); };
    call();
    for (int64_t i = 0; i < count; i++)
        out.expect(i * (ptrdiff_t)sizeof(double), sum_of_products(a, low[i], b, high[i]));
    out.compare(t);
    t.time("cell", std::max<int64_t>(1, count), call);
}

void check_interpolate(Trial<double>& t) {
    const int64_t cells = t.size(1, 60, 29), count = t.size(0, 200, 120);
    const double* const row = random_row(t, cells);
    std::vector<PasteTap> taps;
    for (int64_t i = 0; i < count; i++)
        taps.push_back(
            {(int32_t)t.random.below(cells), (int32_t)t.random.below(cells), t.random.uniform(), t.random.symmetric()});
    Output<double> out(t, count * (int64_t)sizeof(double));
    const auto call = [&] { t.isa.masks.interpolate(row, taps.data(), (double*)out.data(), count); };
    call();
    for (int64_t i = 0; i < count; i++)
        out.expect(i * (ptrdiff_t)sizeof(double),
                   sum_of_products(taps[i].low_weight, row[taps[i].low], taps[i].high_weight, row[taps[i].high]));
    out.compare(t);
    t.time("pixel", std::max<int64_t>(1, count), call);
}

template <class Stored>
void check_add(Trial<double>& t, void (*add)(const Stored*, double, double*, int64_t)) {
    const int64_t count = t.size(0, 200, 120);
    std::vector<Stored> row(count);
    for (Stored& cell : row) cell = (Stored)(100 * t.random.uniform());
    const double weight = t.random.symmetric();
    Output<double> sums(t, count * (int64_t)sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        const ptrdiff_t at = i * (ptrdiff_t)sizeof(double);
        sums.expect(at, sum_of_products(1, sums.expected(at), weight, (double)row[i]));
    }
    const auto call = [&] { add(row.data(), weight, (double*)sums.data(), count); };
    call();
    sums.compare(t);
    t.time("cell", std::max<int64_t>(1, count), call);
}

template <class Value>
void check_mark(Trial<double>& t, void (*mark)(const double*, Value, bool, uint8_t*, int64_t)) {
    const int64_t count = t.size(0, 200, 120);
    double* const values = random_row(t, count);
    const Value threshold = (Value)(t.random.one_in(4) && count > 0 ? values[0] : t.random.uniform());
    const bool strict = t.sometimes(2);
    Output<uint8_t> out(t, count);
    const auto call = [&] { mark(values, threshold, strict, out.data(), count); };
    call();
    for (int64_t i = 0; i < count; i++)
        out.expect(i, strict ? (Value)values[i] > threshold : (Value)values[i] >= threshold);
    out.compare(t);
    t.time("pixel", std::max<int64_t>(1, count), call);
}

void check_mark_f32(Trial<double>& t) { check_mark(t, t.isa.masks.mark_f32); }
void check_mark_f64(Trial<double>& t) { check_mark(t, t.isa.masks.mark_f64); }
void check_add_u8(Trial<double>& t) { check_add(t, t.isa.masks.add_u8); }
void check_add_f32(Trial<double>& t) { check_add(t, t.isa.masks.add_f32); }
void check_add_f64(Trial<double>& t) { check_add(t, t.isa.masks.add_f64); }

// --- lines -------------------------------------------------------------------------------------------------------------

template <class T>
const LineKernels<T>& line_kernels(const KernelTable& table) {
    if constexpr (sizeof(T) == 4)
        return table.lines_f32;
    else
        return table.lines_f64;
}

// Some lines of a map of few channels, planes or interleaved, and where their bins go.
template <class T>
class LineTrial {
public:
    LineTrial(Trial<T>& t, Range rows, Range columns, int64_t bin_rows, int64_t bin_columns, Values values)
        : t_(t),
          channels_(t.size(1, 9, 3)),
          interleaved_(t.sometimes(2) ? channels_ : 1),
          bin_rows_(bin_rows),
          bin_columns_(bin_columns),
          map_(t, rows, columns, channels_, values, interleaved_ == 1, true),
          lines_(some_lines(t, channels_ / interleaved_ * bin_rows)),
          bins_(t, interleaved_ * bin_columns * line_bytes) {}

    const Map<T>& map() const { return map_; }
    LineMap line_map() const { return map_.lines(interleaved_); }
    Lines lines() const { return lines_; }
    T* bins() { return (T*)bins_.data(); }
    T* scratch() { return scratch_; }

    // expected_bin(ph, pw, channel) for all; lanes without a line hold anything.
    template <class ExpectedBin>
    void compare(const ExpectedBin& expected_bin) {
        constexpr int64_t lanes = line_bytes / (int64_t)sizeof(T);
        for (int64_t bin = 0; bin < interleaved_ * bin_columns_; bin++)
            for (int64_t lane = 0; lane < lanes; lane++) {
                const ptrdiff_t at = (bin * lanes + lane) * (ptrdiff_t)sizeof(T);
                const int64_t line = lines_.first + lane, channel = line / bin_rows_ + bin / bin_columns_;
                const bool used = line < lines_.end;
                bins_.expect(at, used ? expected_bin(line % bin_rows_, bin % bin_columns_, channel)
                                      : read<T>(bins_.data() + at));
            }
        bins_.compare(t_);
    }
    int64_t count() const { return (lines_.end - lines_.first) * bin_columns_ * interleaved_; }

private:
    static Lines some_lines(Trial<T>& t, int64_t all) {
        const int64_t most = line_bytes / (int64_t)sizeof(T);
        const int64_t first = t.timing ? 0 : t.random.below(all);
        return {first, std::min(all, first + (t.timing ? most : t.random.between(1, most)))};
    }

    Trial<T>& t_;
    int64_t channels_, interleaved_, bin_rows_, bin_columns_;
    Map<T> map_;
    Lines lines_;
    Output<T> bins_;
    T* const scratch_ = t_.scratch(line_scratch_bytes / (int64_t)sizeof(T));
};

template <class T>
void check_max_range_lines(Trial<T>& t) {
    const Ranges y(t), x(t);
    LineTrial<T> l(t, y.axis.hull, x.axis.hull, y.axis.count, x.axis.count, t.values_of_maxima());
    const auto call = [&] {
        line_kernels<T>(t.isa).max_range_lines(l.line_map(), y.axis, x.axis, l.lines(), l.bins(), l.scratch());
    };
    call();
    l.compare([&](int64_t ph, int64_t pw, int64_t channel) {
        return maximum_or_nothing(l.map(), y.bins[ph], x.bins[pw], channel);
    });
    t.time("bin", l.count(), call);
}

template <class T>
void check_sum_tap_lines(Trial<T>& t) {
    const TapSum<T> s(t, t.lanes());
    LineTrial<T> l(t, s.y.hull, s.x.hull, s.y.count, s.x.count, t.values_of_sums());
    const auto call = [&] {
        line_kernels<T>(t.isa).sum_tap_lines(l.line_map(), s.y, s.x, s.outside, l.lines(), l.bins(), l.scratch());
    };
    call();
    l.compare([&](int64_t ph, int64_t pw, int64_t channel) {
        if (!s.has_taps(ph, pw)) return s.outside;
        const T sum = s.sum_in(l.map(), ph, pw, channel);
        return s.mean ? s.divided(ph, pw, sum) : sum;
    });
    t.time("bin", l.count(), call);
}

template <class T>
void check_max_sample_lines(Trial<T>& t) {
    const Samples<T> y(t), x(t);
    const SampleMaximum mode{t.sometimes(2), t.sometimes(2), t.sometimes(2)};
    LineTrial<T> l(t, y.axis.hull, x.axis.hull, y.axis.count, x.axis.count, t.values_of_maxima());
    const auto call = [&] {
        line_kernels<T>(t.isa).max_sample_lines(l.line_map(), y.axis, x.axis, mode, l.lines(), l.bins(), l.scratch());
    };
    call();
    l.compare([&](int64_t ph, int64_t pw, int64_t channel) {
        return maximum_of_samples(t, l.map(), y, x, mode, ph, pw, channel);
    });
    t.time("bin", l.count(), call);
}

template <class T>
void check_find_in_lines(Trial<T>& t) {
    const int64_t channels = t.size(1, 9, 3), interleaved = t.sometimes(2) ? channels : 1;
    const auto some = [&](int64_t most) {
        const int32_t start = (int32_t)t.random.below(100);
        return Range{start, start + (int32_t)(t.sometimes(30) ? 0 : t.size(1, most, 9))};
    };
    const Range rows = some(5), columns = some(60);
    const Map<T> map(t, rows, columns, channels, t.values_of_maxima(), interleaved == 1, true);
    const int64_t channel = t.random.below(interleaved), map_width = columns.end + t.random.below(9);
    const T value = t.sometimes(8) ? (T)1 : maximum_or_nothing(map, rows, columns, channel);
    int64_t expected = -1, found = 0;
    for (int64_t y = rows.end - 1; y >= rows.start; y--)
        for (int64_t x = columns.end - 1; x >= columns.start; x--)
            if (map.at(y, x, channel) == value) expected = y * map_width + x;
    const auto call = [&] {
        found = line_kernels<T>(t.isa).find_in_lines(map.lines(interleaved), channel, rows, columns, value, map_width);
    };
    call();
    Output<int64_t> out(t, sizeof(int64_t));
    unit::write(out.data(), found);
    out.expect(0, expected);
    out.compare(t);
    t.time("bin", 1, call);
}

// --- the table ---------------------------------------------------------------------------------------------------------

// A kernel and what its cells or bins are stored as, and its check for each arithmetic; nullptr: there is no such kernel.
struct Row {
    const char *kernel, *stored;
    void (*f32)(Trial<float>&);
    void (*f64)(Trial<double>&);
};

#define ROW(kernel) {#kernel, "", check_##kernel<float>, check_##kernel<double>}
#define PORT_ROW(kernel, stored, f32, f64) {#kernel, stored, f32, f64}
#define MASK_ROW(kernel) {#kernel, "", nullptr, check_##kernel}

constexpr Row rows[] = {
    PORT_ROW(pack, "", (check_pack<float, float>), (check_pack<double, double>)),
    ROW(max_ranges),
    ROW(begin_maxima),
    ROW(raise_to_runs),
    ROW(max_cells),
    ROW(mean_ranges),
    ROW(argmax_ranges),
    ROW(sum_taps),
    ROW(sum_bins),
    ROW(sum_whole_bins),
    ROW(begin_sums),
    ROW(add_strip),
    ROW(divide_bins),
    ROW(max_samples),
    ROW(max_range_lines),
    ROW(sum_tap_lines),
    ROW(max_sample_lines),
    ROW(find_in_lines),
    ROW(gather),
    PORT_ROW(load_line, "", (check_load_line<float, float>), (check_load_line<double, double>)),
    ROW(stream),
    MASK_ROW(combine),
    MASK_ROW(interpolate),
    MASK_ROW(mark_f32),
    MASK_ROW(mark_f64),
    MASK_ROW(add_u8),
    MASK_ROW(add_f32),
    MASK_ROW(add_f64),
    PORT_ROW(unpack, "", (check_unpack<float, float>), (check_unpack<double, double>)),
};

struct Options {
    std::string kernel, isa;
    uint64_t seed = 0;
    int64_t trials = 150;
    bool bench = false, spoil = false, list = false;
};

struct Measured {
    std::string label, unit, place;
    double ticks;
};

class Suite {
public:
    explicit Suite(const Options& options) : options_(options) {}

    // Trials are seeded one by one: any of them is repeated alone.
    void run() {
        for (const Row& row : rows) {
            if (!options_.kernel.empty() && options_.kernel != row.kernel) continue;
            for (int i = 0; const KernelTable* isa = supported_kernels(i); i++) {
                if (!options_.isa.empty() && options_.isa != isa->name) continue;
                for (int width = 0; width < block_widths; width++) {
                    if (row.f32) run_element(row, row.f32, "float", *isa, isa->f32[width]);
                    if (row.f64) run_element(row, row.f64, "double", *isa, isa->f64[width]);
                }
                if (!options_.bench) printf("%s %s %s\n", row.kernel, *row.stored ? row.stored : "-", isa->name);
            }
        }
        if (options_.bench) print_table();
    }

private:
    template <class T>
    void run_element(const Row& row, void (*check)(Trial<T>&), const char* element, const KernelTable& isa,
                     const BlockKernels<T>& kernels) {
        const int bytes = (int)(kernels.lanes * (int64_t)sizeof(T));
        for (int64_t i = 0; i < (options_.bench ? 1 : options_.trials); i++) {
            const uint64_t seed = options_.seed + (uint64_t)i;
            now_checking("%s %s %s %s, %d bytes wide; again: kernels %s --isa=%s --seed=%llu --trials=1%s", row.kernel,
                         row.stored, element, isa.name, bytes, row.kernel, isa.name, (unsigned long long)seed,
                         options_.bench ? " --bench" : "");
            Timing timing;
            memory_.reset();
            Random random{Random{seed}.bits() + (uint64_t)bytes};  // whose neighbours are no shifted copies
            Trial<T> trial({isa, random, memory_, options_.bench ? &timing : nullptr, options_.spoil}, kernels);
            check(trial);
            if (!options_.bench) continue;
            const std::string label = std::string(row.kernel) + (*row.stored ? " " : "") + row.stored + " " + element;
            measured_.push_back(
                {label, timing.unit, std::string(isa.name) + " " + std::to_string(bytes), timing.ticks});
        }
    }

    void print_table() const {
        std::vector<std::string> labels, places;
        const auto add = [](std::vector<std::string>& list, const std::string& item) {
            if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
        };
        for (const Measured& m : measured_) add(labels, m.label), add(places, m.place);
        printf("%s for a cell or bin of a block; blocks of 64, 128 and 256 bytes\n%-24s %-4s", tick_name, "", "per");
        for (const std::string& place : places) printf(" %13s", place.c_str());
        for (const std::string& label : labels) {
            const auto cell = [&](const std::string& place) {
                return std::find_if(measured_.begin(), measured_.end(),
                                    [&](const Measured& m) { return m.label == label && m.place == place; });
            };
            printf("\n%-24s %-4s", label.c_str(), cell(places[0])->unit.c_str());
            for (const std::string& place : places) printf(" %13.2f", cell(place)->ticks);
        }
        printf("\n");
    }

    const Options& options_;
    Memory memory_;
    std::vector<Measured> measured_;
};

int refuse_arguments(const std::string& why) {
    fprintf(stderr, "%s; kernels [KERNEL] [--bench] [--seed=N] [--trials=N] [--isa=NAME] [--spoil] [--list]\n",
            why.c_str());
    return 2;
}

bool read_number(const std::string& argument, const char* name, int64_t* number) {
    const size_t length = strlen(name);
    if (argument.compare(0, length, name) != 0) return false;
    char* end = nullptr;
    *number = strtoll(argument.c_str() + length, &end, 10);
    return end != argument.c_str() + length && *end == '\0';
}

int run(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; i++) {
        const std::string argument = arguments[i];
        int64_t number = 0;
        if (argument == "--bench")
            options.bench = true;
        else if (argument == "--spoil")
            options.spoil = true;
        else if (argument == "--list")
            options.list = true;
        else if (read_number(argument, "--seed=", &number))
            options.seed = (uint64_t)number;
        else if (read_number(argument, "--trials=", &number))
            options.trials = number;
        else if (argument.compare(0, 6, "--isa=") == 0)
            options.isa = argument.substr(6);
        else if (argument[0] == '-' || !options.kernel.empty())
            return refuse_arguments("unknown argument " + argument);
        else
            options.kernel = argument;
    }
    const auto is_asked_for = [&](const Row& row) { return options.kernel.empty() || options.kernel == row.kernel; };
    if (std::none_of(std::begin(rows), std::end(rows), is_asked_for))
        return refuse_arguments("no kernel is called " + options.kernel);
    if (!options.isa.empty() && !find_kernels(options.isa.c_str()))
        return refuse_arguments("no instruction set here is called " + options.isa);
    if (options.list) {
        for (const Row& row : rows) printf("%s\n", row.kernel);
        return 0;
    }
    report_faults();
    Suite(options).run();
    return 0;
}

}  // namespace
}  // namespace unit

int main(int count, char** arguments) { return unit::run(count, arguments); }
