// Random calls through the C ABI against a plain scalar loop, on every instruction set of the machine.
//
// Every array lies flush against a PROT_NONE page, at its end or at its start, so that one byte read or written outside it
// is a fault; bytes between the elements of a strided output must keep their pattern. All randomness is integer arithmetic:
// the same numbers on every architecture, hence the digest of all results must be the same too.
//
//   driver [random cases [channels of the widest systematic case [seed]]]
#include <fastroi.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

// --- failing allocations -----------------------------------------------------------------------------------------------

static long allocations_left = -1;  // the allocation that finds 0 fails; negative: none does

static bool allocation_fails() { return allocations_left >= 0 && allocations_left-- == 0; }

void* operator new(size_t size) {
    void* p = allocation_fails() ? nullptr : malloc(size ? size : 1);
    if (!p) throw std::bad_alloc();
    return p;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return allocation_fails() ? nullptr : malloc(size ? size : 1);
}
void operator delete(void* p) noexcept { free(p); }
void operator delete(void* p, size_t) noexcept { free(p); }

// Linked with --wrap=aligned_alloc.
extern "C" void* __real_aligned_alloc(size_t alignment, size_t size);
extern "C" void* __wrap_aligned_alloc(size_t alignment, size_t size) {
    return allocation_fails() ? nullptr : __real_aligned_alloc(alignment, size);
}

namespace {

// --- random numbers ----------------------------------------------------------------------------------------------------

struct Random {
    uint64_t state;
    uint64_t bits() {
        uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    int64_t below(int64_t n) { return (int64_t)(bits() % (uint64_t)n); }
    bool one_in(int64_t n) { return below(n) == 0; }
    double uniform() { return (double)(bits() >> 11) * 0x1p-53; }
    double power_of_two(int first, int last) {  // log-uniform, of either sign
        const double fraction = one_in(2) ? 1 + uniform() : -1 - uniform();
        return std::ldexp(fraction, first + (int)below(last - first));
    }
};

void fail(const char* what, const std::string& where) {
    printf("FAILED: %s\n%s\n", what, where.c_str());
    exit(1);
}

// --- memory between guard pages ----------------------------------------------------------------------------------------

class Guarded {
public:
    Guarded(int64_t bytes, bool at_end) {
        const int64_t page = sysconf(_SC_PAGESIZE);
        const int64_t inside = (bytes + page - 1) / page * page;
        mapped_ = inside + 2 * page;
        pages_ = (unsigned char*)mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages_ == MAP_FAILED || mprotect(pages_ + page, inside ? inside : page, PROT_READ | PROT_WRITE))
            fail("mmap", "");
        inside_ = inside;
        data = pages_ + page + (at_end ? inside - bytes : 0);
    }
    Guarded(const Guarded&) = delete;
    ~Guarded() { munmap(pages_, mapped_); }
    void make_read_only() { mprotect(pages_ + sysconf(_SC_PAGESIZE), inside_, PROT_READ); }

    unsigned char* data;

private:
    unsigned char* pages_;
    int64_t mapped_, inside_;
};

enum Layout { nchw, nhwc, strided, layouts };

// A tensor in guarded memory. Strided: the axes in any order, gaps between them, some of them backwards, any alignment.
struct Array {
    fastroi_tensor tensor{};
    int64_t bytes, item;
    Guarded memory;

    static Array make(int32_t dtype, const int64_t (&shape)[4], Layout layout, bool at_end, Random& random) {
        fastroi_tensor t{};
        t.dtype = dtype;
        const int64_t item = dtype == FASTROI_FLOAT32 ? 4 : 8;
        int order[4] = {0, 1, 2, 3};
        if (layout == nhwc) order[1] = 2, order[2] = 3, order[3] = 1;
        if (layout == strided)
            for (int i = 3; i > 0; i--) std::swap(order[i], order[random.below(i + 1)]);
        int64_t stride = item, first = 0;
        for (int i = 3; i >= 0; i--) {
            const int axis = order[i];
            if (layout == strided && random.one_in(3))
                stride += random.one_in(3) ? 1 + random.below(9) : item * random.below(3);
            const bool backwards = layout == strided && random.one_in(4);
            t.shape[axis] = shape[axis];
            t.strides[axis] = backwards ? -stride : stride;
            if (backwards) first += stride * (shape[axis] - 1);
            stride *= shape[axis];
        }
        int64_t last = item + first;
        for (int axis = 0; axis < 4; axis++)
            if (t.strides[axis] > 0) last += t.strides[axis] * (shape[axis] - 1);
        return Array(t, last, item, first, at_end);
    }

    unsigned char* at(int64_t a, int64_t b, int64_t c, int64_t d) const {
        const int64_t* s = tensor.strides;
        return (unsigned char*)tensor.data + a * s[0] + b * s[1] + c * s[2] + d * s[3];
    }
    template <class T>
    T get(int64_t a, int64_t b, int64_t c, int64_t d) const {
        T value;
        memcpy(&value, at(a, b, c, d), sizeof value);
        return value;
    }
    void fill_pattern() const { memset(memory.data, 0xa5, bytes); }
    bool gaps_untouched() const {
        std::vector<bool> element(bytes);
        const int64_t* n = tensor.shape;
        for (int64_t a = 0; a < n[0]; a++)
            for (int64_t b = 0; b < n[1]; b++)
                for (int64_t c = 0; c < n[2]; c++)
                    for (int64_t d = 0; d < n[3]; d++)
                        for (int64_t i = 0; i < item; i++) element[at(a, b, c, d) - memory.data + i] = true;
        for (int64_t i = 0; i < bytes; i++)
            if (!element[i] && memory.data[i] != 0xa5) return false;
        return true;
    }

private:
    Array(const fastroi_tensor& t, int64_t bytes, int64_t item, int64_t first, bool at_end)
        : tensor(t), bytes(bytes), item(item), memory(bytes, at_end) {
        tensor.data = memory.data + first;
    }
};

// --- one case ----------------------------------------------------------------------------------------------------------

const char* const* rule_names() { return fastroi_operator_at(FASTROI_OPERATOR_roi_pool)->fields[0].choices; }

struct Case {
    int32_t dtype, rule, reduce;
    Layout map_layout, out_layout;
    int64_t images, channels, rows, columns, count, bin_rows, bin_columns;
    double scale_h, scale_w;
    int threads;
    bool at_end, argmax;

    std::string text(const char* isa) const {
        char line[400];
        snprintf(
            line, sizeof line,
            "isa %s dtype %d rule %s reduce %d layouts %d %d map (%lld, %lld, %lld, %lld) rois %lld bins %lld x %lld scale "
            "%.17g %.17g threads %d at_end %d argmax %d",
            isa, dtype, rule_names()[rule], reduce, map_layout, out_layout, (long long)images, (long long)channels,
            (long long)rows, (long long)columns, (long long)count, (long long)bin_rows, (long long)bin_columns, scale_h,
            scale_w, threads, at_end, argmax);
        return line;
    }
};

constexpr double scales[] = {1.0, 1 / 4.0, 1 / 8.0, 1 / 16.0, 1 / 32.0, 0.3, 1.7};

int64_t odd_extent(Random& random) { return random.one_in(4) ? 1 : 1 + random.below(random.one_in(6) ? 70 : 19); }

Case random_case(int64_t channels, int32_t dtype, Layout layout, bool at_end, Random& random) {
    Case c{};
    c.dtype = dtype;
    c.map_layout = layout;
    c.out_layout = random.one_in(3) ? (Layout)random.below(layouts) : layout;
    c.at_end = at_end;
    c.channels = channels;
    while (rule_names()[c.rule]) c.rule++;
    c.rule = (int32_t)random.below(c.rule);
    c.reduce = random.one_in(4) ? FASTROI_REDUCE_MEAN : FASTROI_REDUCE_MAX;
    c.argmax = c.reduce == FASTROI_REDUCE_MAX && random.one_in(3);
    c.images = 1 + random.below(3);
    c.rows = odd_extent(random);
    c.columns = odd_extent(random);
    c.count = 1 + random.below(random.one_in(8) ? 60 : 6);
    c.bin_rows = 1 + random.below(8);
    c.bin_columns = 1 + random.below(8);
    c.scale_h = scales[random.below(7)];
    c.scale_w = random.one_in(3) ? scales[random.below(7)] : c.scale_h;
    c.threads = random.one_in(3) ? 2 : 1;
    return c;
}

// Coordinates of all sizes: log-uniform, halves of a cell, cell edges, degenerate, beyond the map, overflowing.
double coordinate(int64_t extent, double scale, Random& random) {
    const double image = (double)extent / scale;
    switch (random.below(8)) {
        case 0: return (random.uniform() * 3 - 1) * image;
        case 1: return (double)(random.below(2 * extent + 4) - 2) / 2 / scale;
        case 2: return (double)(random.below(4 * extent + 8) - 4) / 4;
        case 3: return random.power_of_two(-8, 16);
        case 4: return random.one_in(40) ? random.power_of_two(-1000, 1000) : -0.0;
        default: return random.uniform() * image;
    }
}

struct Box {
    double corner[4];  // x1 y1 x2 y2
    int64_t image;
};

template <class T>
T cell_value(Random& random) {
    if (random.one_in(64)) return random.one_in(3) ? (T)NAN : random.one_in(2) ? -(T)INFINITY : (T)INFINITY;
    if (random.one_in(4)) return (T)(random.below(5) - 2);
    return (T)(random.uniform() * 8 - 4);
}

template <class T>
void fill(const Array& array, Random& random) {
    const int64_t* n = array.tensor.shape;
    for (int64_t a = 0; a < n[0]; a++)
        for (int64_t b = 0; b < n[1]; b++)
            for (int64_t c = 0; c < n[2]; c++)
                for (int64_t d = 0; d < n[3]; d++) {
                    const T value = cell_value<T>(random);
                    memcpy(array.at(a, b, c, d), &value, sizeof value);
                }
}

// (start, end) of every bin of every box on one axis.
std::vector<int64_t> ranges(const Case& c, const std::vector<Box>& boxes, int axis) {
    const int64_t bins = axis ? c.bin_columns : c.bin_rows, extent = axis ? c.columns : c.rows;
    std::vector<int64_t> result(boxes.size() * 2 * bins);
    double interval[2];
    for (size_t k = 0; k < boxes.size(); k++) {
        const double *corner = boxes[k].corner, lo = axis ? corner[0] : corner[1], hi = axis ? corner[2] : corner[3];
        fastroi_error error;
        if (fastroi_axis_ranges(c.rule, lo, hi, axis ? c.scale_w : c.scale_h, bins, extent, interval,
                                &result[2 * bins * k], &error))
            fail(error.message, c.text("-"));
    }
    return result;
}

struct Expected {
    double value;
    double tolerance;
    int64_t offset;
};

template <class T>
Expected reduce_cells(const Case& c, const Array& map, int64_t image, int64_t channel, const int64_t* y,
                      const int64_t* x) {
    double best = -INFINITY, sum = 0, magnitude = 0;
    int64_t offset = -1, cells = 0;
    for (int64_t row = y[0]; row < y[1]; row++)
        for (int64_t column = x[0]; column < x[1]; column++, cells++) {
            const double v = map.get<T>(image, channel, row, column);
            if (v > best || (v == best && offset < 0)) best = v, offset = row * c.columns + column;
            sum += v;
            magnitude += std::fabs(v);
        }
    if (cells == 0) return {0, 0, -1};
    if (c.reduce == FASTROI_REDUCE_MAX) return {best, 0, offset};
    const double unit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
    return {sum / (double)cells, (double)(y[1] - y[0] + x[1] - x[0] + 4) * unit * magnitude / (double)cells, -1};
}

bool agrees(double got, const Expected& expected) {
    if (std::isnan(expected.value)) return std::isnan(got);
    if (std::isinf(expected.value)) return got == expected.value;
    return std::fabs(got - expected.value) <= expected.tolerance;
}

struct Totals {
    uint64_t digest = 14695981039346656037u;
    int64_t cases = 0, calls = 0, values = 0;

    void add(double value) {
        uint64_t bits;
        value += 0.0;  // the sign of a zero is unspecified
        memcpy(&bits, &value, sizeof bits);
        digest = (digest ^ bits) * 1099511628211u;
    }
};

template <class T>
void check_results(const Case& c, const char* isa, const Array& map, const std::vector<Box>& boxes, const Array& out,
                   const Array& argmax, bool first_isa, Totals* totals) {
    const std::vector<int64_t> y = ranges(c, boxes, 0), x = ranges(c, boxes, 1);
    for (int64_t k = 0; k < c.count; k++)
        for (int64_t channel = 0; channel < c.channels; channel++)
            for (int64_t ph = 0; ph < c.bin_rows; ph++)
                for (int64_t pw = 0; pw < c.bin_columns; pw++) {
                    const Expected e = reduce_cells<T>(c, map, boxes[k].image, channel, &y[2 * (k * c.bin_rows + ph)],
                                                       &x[2 * (k * c.bin_columns + pw)]);
                    const double got = out.get<T>(k, channel, ph, pw);
                    const int64_t offset = c.argmax ? argmax.get<int64_t>(k, channel, ph, pw) : e.offset;
                    if (!agrees(got, e) || offset != e.offset) {
                        char what[300];
                        const double* b = boxes[k].corner;
                        snprintf(
                            what, sizeof what,
                            "roi %lld [%.17g, %.17g, %.17g, %.17g] channel %lld bin (%lld, %lld): %.17g at %lld, expected "
                            "%.17g at %lld",
                            (long long)k, b[0], b[1], b[2], b[3], (long long)channel, (long long)ph, (long long)pw, got,
                            (long long)offset, e.value, (long long)e.offset);
                        fail(what, c.text(isa));
                    }
                    totals->values++;
                    if (first_isa && c.reduce == FASTROI_REDUCE_MAX)
                        totals->add(e.value), totals->add((double)e.offset);
                }
}

// The boxes as a caller may hold them: four or five columns, float32 or float64, indices of 4 or 8 bytes.
struct BoxTable {
    fastroi_boxes boxes{};
    Guarded rows, indices;

    BoxTable(std::vector<Box>& from, bool at_end, Random& random) : BoxTable(from, at_end, random.bits()) {}

private:
    BoxTable(std::vector<Box>& from, bool at_end, uint64_t choice)
        : rows((int64_t)from.size() * columns_of(choice) * item_of(choice), at_end),
          indices((int64_t)from.size() * index_item(choice), at_end) {
        const int columns = columns_of(choice), item = item_of(choice);
        boxes.data = rows.data;
        boxes.dtype = item == 4 ? FASTROI_FLOAT32 : FASTROI_FLOAT64;
        boxes.columns = columns;
        boxes.count = (int64_t)from.size();
        boxes.strides[0] = columns * item;
        boxes.strides[1] = item;
        if (columns == 4) {
            boxes.batch_indices = indices.data;
            boxes.batch_dtype = index_item(choice) == 4 ? FASTROI_INT32 : FASTROI_INT64;
            boxes.batch_stride = index_item(choice);
        }
        for (size_t k = 0; k < from.size(); k++) {
            unsigned char* row = rows.data + (int64_t)k * boxes.strides[0];
            if (columns == 5) store(row, item, (double)from[k].image), row += item;
            for (int i = 0; i < 4; i++) from[k].corner[i] = store(row + i * item, item, from[k].corner[i]);
            const int64_t wide = from[k].image;
            const int32_t narrow = (int32_t)wide;
            memcpy(indices.data + (int64_t)k * index_item(choice),
                   index_item(choice) == 4 ? (void*)&narrow : (void*)&wide, index_item(choice));
        }
        rows.make_read_only();
        indices.make_read_only();
    }
    static int columns_of(uint64_t choice) { return choice & 1 ? 5 : 4; }
    static int item_of(uint64_t choice) { return choice & 2 ? 4 : 8; }
    static int index_item(uint64_t choice) { return choice & 4 ? 4 : 8; }

    // What the table holds after rounding to its dtype.
    static double store(unsigned char* to, int item, double value) {
        if (item == 8) return memcpy(to, &value, 8), value;
        float narrow = (float)value;
        if (!std::isfinite(narrow)) narrow = 0;
        memcpy(to, &narrow, 4);
        return narrow;
    }
};

template <class T>
void run_case(const Case& c, Random& random, Totals* totals) {
    Array map = Array::make(c.dtype, {c.images, c.channels, c.rows, c.columns}, c.map_layout, c.at_end, random);
    fill<T>(map, random);
    map.memory.make_read_only();
    std::vector<Box> boxes(c.count);
    for (Box& box : boxes) {
        for (int i = 0; i < 4; i++)
            box.corner[i] = coordinate(i % 2 ? c.rows : c.columns, i % 2 ? c.scale_h : c.scale_w, random);
        for (int i = 0; i < 2; i++)
            if (box.corner[i] > box.corner[i + 2] && !random.one_in(8)) std::swap(box.corner[i], box.corner[i + 2]);
        box.image = random.below(c.images);
    }
    const BoxTable table(boxes, c.at_end, random);
    const int64_t shape[4] = {c.count, c.channels, c.bin_rows, c.bin_columns};
    const Array out = Array::make(c.dtype, shape, c.out_layout, c.at_end, random);
    const Array argmax = Array::make(FASTROI_INT64, shape, c.out_layout, c.at_end, random);
    const fastroi_roi_pool_params params{sizeof params, c.rule,    c.reduce,
                                         c.scale_h,     c.scale_w, c.argmax ? &argmax.tensor : nullptr};
    for (int i = 0; const char* isa = fastroi_simd_supported(i); i++) {
        fastroi_exec exec{};
        exec.struct_size = sizeof exec;
        exec.num_threads = c.threads;
        exec.simd = isa;
        out.fill_pattern();
        argmax.fill_pattern();
        fastroi_error error;
        if (fastroi_roi_pool(&map.tensor, &table.boxes, &params, &out.tensor, &exec, &error))
            fail(error.message, c.text(isa));
        check_results<T>(c, isa, map, boxes, out, argmax, i == 0, totals);
        if (!out.gaps_untouched() || !argmax.gaps_untouched())
            fail("bytes between the elements were written", c.text(isa));
        totals->calls++;
    }
    totals->cases++;
}

void run_case(const Case& c, Random& random, Totals* totals) {
    if (c.dtype == FASTROI_FLOAT32)
        run_case<float>(c, random, totals);
    else
        run_case<double>(c, random, totals);
}

// --- the other operators: every instruction set against the baseline ---------------------------------------------------

struct Operator {
    const char* name;
    bool grouped;  // position-sensitive: bins * C input channels
    fastroi_status (*call)(const fastroi_tensor*, const fastroi_boxes*, const Case&, int variant, const fastroi_tensor*,
                           const fastroi_exec*, fastroi_error*);
};

#define FASTROI_OPERATOR(function, params_type, ...)                                                                 \
    [](const fastroi_tensor* map, const fastroi_boxes* boxes, const Case& c, int variant, const fastroi_tensor* out, \
       const fastroi_exec* exec, fastroi_error* error) {                                                             \
        (void)c, (void)variant;                                                                                      \
        const params_type params = {sizeof params, __VA_ARGS__};                                                     \
        return function(map, boxes, &params, out, exec, error);                                                      \
    }

const Operator operators[] = {
    {"roi_align", false,
     FASTROI_OPERATOR(fastroi_roi_align, fastroi_roi_align_params, variant % 4, variant / 4 % 5, variant / 20 % 2,
                      variant / 40 % 4, variant / 80 % 3, c.scale_h, c.scale_w)},
    {"ps_roi_pool", true,
     FASTROI_OPERATOR(fastroi_ps_roi_pool, fastroi_ps_roi_pool_params, variant % 4, variant / 4 % 2, variant / 8 % 2, 0,
                      0, c.scale_h, c.scale_w)},
    {"ps_roi_align", true,
     FASTROI_OPERATOR(fastroi_ps_roi_align, fastroi_ps_roi_align_params, variant % 2, variant / 2 % 2, variant / 4 % 2,
                      0, 0, variant / 8 % 4, variant / 32 % 3, c.scale_h, c.scale_w)},
    {"roi_warp", false, FASTROI_OPERATOR(fastroi_roi_warp, fastroi_roi_warp_params, c.scale_h, c.scale_w)},
    {"prroi_pool", false, FASTROI_OPERATOR(fastroi_prroi_pool, fastroi_prroi_pool_params, c.scale_h, c.scale_w)},
    {"crop_and_resize", false,
     FASTROI_OPERATOR(fastroi_crop_and_resize, fastroi_crop_and_resize_params, variant % 2, -1.5, variant / 2 % 2)},
};

template <class T>
void compare_with_baseline(const Case& c, const std::string& where, const Array& out, const Array& baseline) {
    const double tolerance = sizeof(T) == 4 ? 1e-4 : 1e-12;  // values are at most 4
    for (int64_t k = 0; k < c.count; k++)
        for (int64_t channel = 0; channel < c.channels; channel++)
            for (int64_t ph = 0; ph < c.bin_rows; ph++)
                for (int64_t pw = 0; pw < c.bin_columns; pw++) {
                    const double a = out.get<T>(k, channel, ph, pw), b = baseline.get<T>(k, channel, ph, pw);
                    if (a != b && !(std::fabs(a - b) <= tolerance)) fail("differs from the baseline", where);
                }
}

// Boxes of ordinary size: an adaptive grid over a box of 2^1000 pixels is refused, which other tests are about.
std::vector<Box> ordinary_boxes(const Case& c, bool normalised, Random& random) {
    std::vector<Box> boxes(c.count);
    for (Box& box : boxes) {
        for (int i = 0; i < 4; i++) {
            const int64_t extent = i % 2 ? c.rows : c.columns;
            const double x =
                (random.uniform() * 1.6 - 0.3) * (normalised ? 1 : (double)extent / (i % 2 ? c.scale_h : c.scale_w));
            box.corner[i] = random.one_in(3) ? std::floor(x) : x;
        }
        box.image = random.below(c.images);
    }
    return boxes;
}

template <class T>
void run_operator(const Operator& op, Case c, int variant, Random& random, int64_t* calls) {
    if (op.grouped)
        c.channels = 1 + c.channels / 16, c.bin_rows = 1 + c.bin_rows % 4, c.bin_columns = 1 + c.bin_columns % 4;
    const int64_t map_channels = op.grouped ? c.channels * c.bin_rows * c.bin_columns : c.channels;
    const Array map = Array::make(c.dtype, {c.images, map_channels, c.rows, c.columns}, c.map_layout, c.at_end, random);
    for (int64_t a = 0; a < c.images; a++)
        for (int64_t b = 0; b < map_channels; b++)
            for (int64_t y = 0; y < c.rows; y++)
                for (int64_t x = 0; x < c.columns; x++) {
                    const T value = (T)(random.uniform() * 8 - 4);
                    memcpy(map.at(a, b, y, x), &value, sizeof value);
                }
    std::vector<Box> boxes = ordinary_boxes(c, strcmp(op.name, "crop_and_resize") == 0, random);
    const BoxTable table(boxes, c.at_end, random);
    const int64_t shape[4] = {c.count, c.channels, c.bin_rows, c.bin_columns};
    const Array out = Array::make(c.dtype, shape, c.out_layout, c.at_end, random);
    const Array baseline = Array::make(c.dtype, shape, nchw, true, random);
    fastroi_exec exec{};
    exec.struct_size = sizeof exec;
    for (int i = -1; i < 0 || fastroi_simd_supported(i); i++) {
        const Array& result = i < 0 ? baseline : out;
        exec.simd = i < 0 ? "baseline" : fastroi_simd_supported(i);
        exec.num_threads = i < 0 ? 1 : c.threads;
        const std::string where =
            std::string(op.name) + " variant " + std::to_string(variant) + ": " + c.text(exec.simd);
        fastroi_error error;
        result.fill_pattern();
        if (op.call(&map.tensor, &table.boxes, c, variant, &result.tensor, &exec, &error)) fail(error.message, where);
        if (!result.gaps_untouched()) fail("bytes between the elements were written", where);
        if (i >= 0) compare_with_baseline<T>(c, where, out, baseline), ++*calls;
    }
}

int64_t run_operators(int64_t cases, Random& random) {
    int64_t calls = 0;
    for (int64_t i = 0; i < cases; i++) {
        const int64_t channels = 1 + random.below(129);
        const int32_t dtype = random.one_in(2) ? FASTROI_FLOAT32 : FASTROI_FLOAT64;
        const Layout layout = (Layout)random.below(layouts);
        const bool at_end = random.one_in(2);
        Case c = random_case(channels, dtype, layout, at_end, random);
        const int variant = (int)random.below(240);
        const Operator& op = operators[i % (int64_t)(sizeof operators / sizeof operators[0])];
        if (dtype == FASTROI_FLOAT32)
            run_operator<float>(op, c, variant, random, &calls);
        else
            run_operator<double>(op, c, variant, random, &calls);
    }
    return calls;
}

// Every allocation of a call fails once: a status and a message each time, and the call after it works.
int64_t exhaust_memory() {
    static float map[8 * 8], pooled[2 * 2];
    const float box[4] = {0, 0, 7, 7};
    fastroi_tensor features{map, FASTROI_FLOAT32, {1, 1, 8, 8}, {0, 0, 32, 4}};
    fastroi_tensor out{pooled, FASTROI_FLOAT32, {1, 1, 2, 2}, {0, 0, 8, 4}};
    fastroi_boxes boxes{box, FASTROI_FLOAT32, 4, 1, {16, 4}, nullptr, 0, 0};
    fastroi_roi_pool_params params{sizeof params, FASTROI_RULE_FAST_RCNN, FASTROI_REDUCE_MAX, 1, 1, nullptr};
    fastroi_exec exec{};
    exec.struct_size = sizeof exec;
    exec.num_threads = 1;
    for (int64_t failing = 0;; failing++) {
        fastroi_error error{};
        allocations_left = failing;
        const fastroi_status status = fastroi_roi_pool(&features, &boxes, &params, &out, &exec, &error);
        allocations_left = -1;
        if (status == FASTROI_OK) return failing;
        if (status != FASTROI_OUT_OF_MEMORY || error.status != status || !error.message[0])
            fail("a failed allocation must be FASTROI_OUT_OF_MEMORY with a message", error.message);
    }
}

}  // namespace

int main(int count, char** arguments) {
    const int64_t random_cases = count > 1 ? atoll(arguments[1]) : 1000;
    const int64_t widest = count > 2 ? atoll(arguments[2]) : 129;
    const int64_t seed = count > 3 ? atoll(arguments[3]) : 0;
    const int64_t failed_allocations = exhaust_memory();
    if (failed_allocations < 3) fail("the failing allocator was not reached", std::to_string(failed_allocations));
    Totals totals;
    Random random{20260722 + (uint64_t)seed};
    for (int64_t channels = 1; channels <= widest; channels++)
        for (int32_t dtype : {FASTROI_FLOAT32, FASTROI_FLOAT64})
            for (Layout layout : {nchw, nhwc, strided})
                for (bool at_end : {true, false})
                    run_case(random_case(channels, dtype, layout, at_end, random), random, &totals);
    for (int64_t i = 0; i < random_cases; i++) {
        // One draw a statement: the order in which arguments are evaluated is the compiler's.
        const int64_t channels = 1 + random.below(80);
        const int32_t dtype = random.one_in(2) ? FASTROI_FLOAT32 : FASTROI_FLOAT64;
        const Layout layout = (Layout)random.below(layouts);
        const bool at_end = random.one_in(2);
        run_case(random_case(channels, dtype, layout, at_end, random), random, &totals);
    }
    const int64_t operator_calls = run_operators(totals.cases / 3, random);
    printf("isas");
    for (int i = 0; const char* isa = fastroi_simd_supported(i); i++) printf(" %s", isa);
    printf("\ncases %lld\ncalls %lld\nvalues %lld\nfailed_allocations %lld\noperator_calls %lld\ndigest %016llx\n",
           (long long)totals.cases, (long long)totals.calls, (long long)totals.values, (long long)failed_allocations,
           (long long)operator_calls, (unsigned long long)totals.digest);
    return 0;
}
