// What no input may do: reach outside of a map, write before a size is known to fit, go on where there is nothing to do. Every
// operator on maps as wide as coordinates resolve, without their memory or with a page behind them that may not be touched.
//
//   limits [--seed=N] [--trials=N]
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "../../src/abi/operator_table.h"
#include "../../src/run/plan_check.h"
#include "../../src/run/run.h"
#include "../../src/run/stop_sign.h"
#include "../../src/size.h"
#include "check.h"

namespace unit {
namespace {

using namespace fastroi;

constexpr int64_t item = sizeof(float);

// A map of one float a channel at most: every extent costs nothing.
struct FlatMap {
    std::vector<float> values;
    fastroi_tensor tensor;
    FlatMap(int64_t images, int64_t channels, int64_t rows, int64_t columns, int64_t channel_stride = 0)
        : values(channel_stride ? channels : 1, 1.0f),
          tensor{values.data(), FASTROI_FLOAT32, {images, channels, rows, columns}, {0, channel_stride, 0, 0}} {}
};

struct Output {
    std::vector<float> values;
    fastroi_tensor tensor;
    Output(int64_t count, int64_t channels, int64_t rows, int64_t columns)
        : values(count * channels * rows * columns, 7.0f),
          tensor{values.data(),
                 FASTROI_FLOAT32,
                 {count, channels, rows, columns},
                 {channels * rows * columns * item, rows * columns * item, columns * item, item}} {}
    bool is_untouched() const {
        for (float value : values)
            if (value != 7.0f) return false;
        return true;
    }
};

// Params of any operator that has no arrays but optional ones: choices and flags at random, numbers that all of them take.
struct AnyParams {
    unsigned char memory[256] = {};

    AnyParams(const fastroi_operator& op, Random& random) {
        memcpy(memory, &op.params_size, sizeof op.params_size);
        for (int32_t i = 0; i < op.field_count; i++) set(op.fields[i], random);
    }

private:
    template <class Value>
    void put(const fastroi_field& field, Value value) {
        memcpy(memory + field.offset, &value, sizeof value);
    }
    void set(const fastroi_field& field, Random& random) {
        const std::string name = field.name, type = field.type;
        if (field.choices)
            put(field, (int32_t)random.below(field.choice_count));
        else if (type == "int32_t")
            put(field, (int32_t)random.below(2));
        else if (type == "int64_t")
            put(field, name.rfind("sampl", 0) == 0 ? random.between(1, 3) : (int64_t)1);
        else if (type == "double")
            put(field, name.rfind("scale", 0) == 0 ? 1.0 : 0.5);
    }
};

const fastroi_operator* find_operator(const std::string& name, int32_t* code) {
    for (*code = 0; const fastroi_operator* op = fastroi_operator_at(*code); ++*code)
        if (name == op->name) return op;
    fail(__FILE__, __LINE__, "no operator " + name);
}

// --- plans of wide maps ------------------------------------------------------------------------------------------------

// Looks at plans instead of running them.
class Look : public Flow {
public:
    int64_t parts = 0;
    void take(PlanPart part, const Job& job) override {
        const PlanFaults faults = faults_of(part, job);
        if (faults.first()) fail(__FILE__, __LINE__, faults.first());
        parts++;
    }
};

// A corner somewhere about the last cells, or anywhere.
double corner(Random& random, int64_t extent) {
    const double end = (double)extent;
    switch (random.below(4)) {
        case 0: return end - (double)random.between(-3, 4);
        case 1: return end + 8 * random.symmetric();
        case 2: return std::nextafter(end - 1, random.one_in(2) ? 0 : 2 * end);
        default: return end * random.uniform();
    }
}

std::vector<double> random_box(const fastroi_operator& op, Random& random, int64_t rows, int64_t columns) {
    double x1 = corner(random, columns), y1 = corner(random, rows), x2 = x1 + 20 * random.uniform(),
           y2 = y1 + 20 * random.uniform();
    if (op.flags & FASTROI_TAKES_NORMALISED_BOXES) {
        const double x = (double)std::max<int64_t>(1, columns - 1), y = (double)std::max<int64_t>(1, rows - 1);
        x1 /= x, x2 /= x, y1 /= y, y2 /= y;
        if (random.one_in(2)) x1 = x2 = y1 = y2 = 1;
    }
    if (op.flags & FASTROI_TAKES_TURNED_BOXES) return {x1, y1, 20 * random.uniform(), 20 * random.uniform(), x2};
    return {x1, y1, x2, y2};
}

void check_wide_maps(Random& random) {
    constexpr int64_t widest[] = {16777220, 16777217, 33554435, 2147483645};
    const int64_t wide = widest[random.below(4)], narrow = random.between(1, 9);
    const bool rows_are_many = random.one_in(2);
    const int64_t rows = rows_are_many ? wide : narrow, columns = rows_are_many ? narrow : wide;
    for (int32_t code = 0; const fastroi_operator* op = fastroi_operator_at(code); code++) {
        if (op->flags & FASTROI_TAKES_LEVELS) continue;  // the plans of roi_align
        const FlatMap map(1, 1, rows, columns);
        const Output out(1, 1, random.between(1, 4), random.between(1, 4));
        const std::vector<double> box = random_box(*op, random, rows, columns);
        const fastroi_boxes boxes{box.data(), FASTROI_FLOAT64, (int32_t)box.size(), 1, {0, 8}, nullptr, 0, 0};
        const AnyParams params(*op, random);
        StopSign stop(nullptr, nullptr);
        Look look;
        run_operator(code, {&map.tensor, &boxes, &out.tensor, read_execution(read_exec(nullptr), stop), look},
                     params.memory);
        CHECK(look.parts > 0);
    }
}

// A looker that sees nothing would pass everything.
void check_the_look() {
    const Range bins[] = {{0, 3}, {2, 5}};
    const int32_t first[] = {0, 1, 2}, index[] = {3, 4}, cells[] = {3, 4}, twice[] = {3, 3};
    const float weight[] = {1, 1};
    const Sample<float> samples[] = {{3, 1, 0}, {3, 0, 1}};
    const WeightedCell<float> gathered[] = {{3, 0, 1}, {4, 0, 1}};
    const auto fault = [](const auto&... arguments) {
        PlanFaults faults;
        faults.look_at(arguments...);
        return faults.first() != nullptr;
    };
    CHECK(!fault(RangeAxis{bins, 2, {0, 5}, 3}, 5));
    CHECK(fault(RangeAxis{bins, 2, {0, 5}, 3}, 4));
    CHECK(fault(RangeAxis{bins, 2, {0, 4}, 3}, 5));
    CHECK(fault(RangeAxis{bins, 2, {0, 5}, 2}, 5));
    CHECK(!fault(TapAxis<float>{first, index, weight, cells, 2, 2, {3, 5}, false}, 5));
    CHECK(fault(TapAxis<float>{first, index, weight, cells, 2, 2, {3, 5}, false}, 4));
    CHECK(fault(TapAxis<float>{first, index, weight, cells, 2, 2, {3, 4}, false}, 5));
    CHECK(fault(TapAxis<float>{first, index, weight, twice, 2, 2, {3, 5}, false}, 5));
    CHECK(!fault(SampleAxis<float>{first, samples, nullptr, cells, 2, 2, {3, 5}}, 5));
    CHECK(fault(SampleAxis<float>{first, samples, nullptr, cells, 2, 2, {3, 4}}, 5));
    const GatherAxis<float> y{first, gathered, 2, 1, {3, 5}};
    CHECK(!fault(y, GatherAxis<float>{nullptr, nullptr, 1, 0, {0, 1}}, 5, 1));
    CHECK(fault(y, GatherAxis<float>{nullptr, nullptr, 1, 0, {0, 1}}, 4, 1));
    CHECK(fault(y, GatherAxis<float>{nullptr, nullptr, 1, 0, {1, 2}}, 5, 2));
    CHECK(!fault(PasteTap{0, 4, 1, 1}, 4));
    CHECK(fault(PasteTap{0, 5, 1, 1}, 4));
}

// --- a page behind the map ---------------------------------------------------------------------------------------------

// `cells` floats that end where a page begins that may not be touched.
class GuardedMap {
public:
    explicit GuardedMap(int64_t cells) : bytes_((cells * item + 4095) / 4096 * 4096) {
        memory_ = (unsigned char*)mmap(nullptr, bytes_ + 4096, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(memory_ != MAP_FAILED && mprotect(memory_ + bytes_, 4096, PROT_NONE) == 0);
        first_ = memory_ + bytes_ - cells * item;
    }
    ~GuardedMap() { munmap(memory_, bytes_ + 4096); }
    void* first() const { return first_; }

private:
    int64_t bytes_;
    unsigned char *memory_, *first_;
};

void run_guarded(const char* name, const GuardedMap& map, int64_t rows, int64_t columns, const std::vector<double>& box,
                 const void* params) {
    now_checking("%s on %lld x %lld cells", name, (long long)rows, (long long)columns);
    int32_t code;
    find_operator(name, &code);
    const fastroi_tensor features{map.first(), FASTROI_FLOAT32, {1, 1, rows, columns}, {0, 0, columns * item, item}};
    const Output out(1, 1, rows > 1 ? 2 : 1, columns > 1 ? 2 : 1);
    const fastroi_boxes boxes{box.data(), FASTROI_FLOAT64, 4, 1, {0, 8}, nullptr, 0, 0};
    fastroi_error error;
    if (fastroi_run(code, &features, &boxes, params, &out.tensor, nullptr, &error))
        fail(__FILE__, __LINE__, error.message);
    CHECK(!out.is_untouched());
}

void check_guarded_maps() {
    constexpr int64_t wide = 16777220;
    const GuardedMap map(wide);
    for (bool tall : {false, true}) {
        const int64_t rows = tall ? wide : 1, columns = tall ? 1 : wide;
        const double end = (double)wide;
        const std::vector<double> corners =
            tall ? std::vector<double>{0, 1 - 1e-7, 0, 1} : std::vector<double>{1 - 1e-7, 0, 1, 0};
        const std::vector<double> pixels =
            tall ? std::vector<double>{0, end - 4, 0, end} : std::vector<double>{end - 4, 0, end, 0};
        fastroi_crop_and_resize_params crop{};
        crop.struct_size = sizeof crop;
        for (int32_t method : {FASTROI_CROP_BILINEAR, FASTROI_CROP_NEAREST}) {
            crop.method = method;
            run_guarded("crop_and_resize", map, rows, columns, corners, &crop);
        }
        fastroi_deform_ps_roi_pool_params deform{};
        deform.struct_size = sizeof deform;
        deform.scale_h = deform.scale_w = 1;
        deform.group_h = deform.group_w = deform.part_h = deform.part_w = 1;
        deform.sample_per_part = 4;
        deform.arithmetic = FASTROI_ARITHMETIC_F32;
        run_guarded("deform_ps_roi_pool", map, rows, columns, pixels, &deform);
        fastroi_roi_align_params align{};
        align.struct_size = sizeof align;
        align.scale_h = align.scale_w = 1;
        align.arithmetic = FASTROI_ARITHMETIC_F32;
        for (int32_t reduce : {FASTROI_ALIGN_MEAN, FASTROI_ALIGN_MAX}) {
            align.reduce = reduce;
            run_guarded("roi_align", map, rows, columns, pixels, &align);
        }
    }
}

// --- sizes -------------------------------------------------------------------------------------------------------------

template <class Body>
bool overflows(const Body& body) {
    try {
        body();
    } catch (const Refusal& refusal) {
        return refusal.status == FASTROI_OVERFLOW;
    }
    return false;
}

void check_sizes() {
    constexpr int64_t most = INT64_MAX;
    CHECK((Size(most / 2, "") * 2 + 1).count() == most);
    CHECK(overflows([] { return Size(most / 2 + 1, "") * 2; }));
    CHECK(overflows([] { return Size(most, "") + 1; }));
    CHECK(overflows([] { return Size(most - 2, "").rounded_up(64); }));
    CHECK_THAT(Size(65, "").rounded_up(64).count(), ==, 128);
    CHECK_THAT(estimated_product(most / 2, 3), ==, most);
    CHECK_THAT(estimated_sum(most, 1), ==, most);
    CHECK_THAT(estimated_sum(estimated_product(3, 4), 5), ==, 17);
    FlatMap map(1, 1, 2147483647, 2);
    map.tensor.strides[2] = (int64_t)1 << 40;
    CHECK(overflows([&] { read_features(&map.tensor, 1); }));
}

struct Boxes {
    std::vector<double> rows;
    fastroi_boxes table;
    Boxes(int64_t count, const std::vector<double>& box) {
        for (int64_t k = 0; k < count; k++) rows.insert(rows.end(), box.begin(), box.end());
        const int64_t columns = (int64_t)box.size();
        table = {rows.data(), FASTROI_FLOAT64, (int32_t)columns, count, {columns * 8, 8}, nullptr, 0, 0};
    }
};

// Scratch memory whose parts fit int64 and whose sum does not: refused, or done without, but never begun.
void check_sum_of_scratch() {
    now_checking("scratch memory beyond int64");
    fastroi_roi_align_params params{};
    params.struct_size = sizeof params;
    params.scale_h = params.scale_w = 1;
    params.reduce = FASTROI_ALIGN_MAX;
    params.sampling_h = params.sampling_w = 2;
    const FlatMap small(1, 1, 8, 8), large(1, 1, (int64_t)1 << 28, ((int64_t)1 << 29) - 1);
    const Boxes on_small(1, {1, 1, 6, 6}), on_large(1, {0, 0, 536870911, 268435456});
    const Output first(1, 1, 2, 2), second(1, 1, 2, 2);
    fastroi_error error;
    CHECK_THAT(fastroi_roi_align(&small.tensor, &on_small.table, &params, &first.tensor, nullptr, &error), ==,
               FASTROI_OK);
    const fastroi_status status =
        fastroi_roi_align(&large.tensor, &on_large.table, &params, &second.tensor, nullptr, &error);
    CHECK(status == FASTROI_OK || status == FASTROI_OVERFLOW || status == FASTROI_OUT_OF_MEMORY);
    CHECK((status == FASTROI_OK) != second.is_untouched());
}

// --- work that is not there --------------------------------------------------------------------------------------------

// Results without channels, of more bins than a life has seconds.
void check_empty_results(Random& random) {
    constexpr int64_t most = 2147483647;
    for (int32_t code = 0; const fastroi_operator* op = fastroi_operator_at(code); code++) {
        if (op->flags & (FASTROI_TAKES_LEVELS | FASTROI_TAKES_MASKS)) continue;
        now_checking("%s without channels", op->name);
        const FlatMap map(1, 0, 8, 8);
        const bool turned = op->flags & FASTROI_TAKES_TURNED_BOXES;
        const Boxes boxes(3, turned ? std::vector<double>{4, 4, 4, 4, 1} : std::vector<double>{1, 1, 6, 6});
        const fastroi_tensor out{nullptr, FASTROI_FLOAT32, {3, 0, most, most}, {0, 0, 0, 0}};
        AnyParams params(*op, random);
        for (int32_t i = 0; i < op->field_count; i++)
            if (!strncmp(op->fields[i].name, "group_", 6))
                memcpy(params.memory + op->fields[i].offset, &most, sizeof most);
        fastroi_error error;
        if (fastroi_run(code, &map.tensor, &boxes.table, params.memory, &out, nullptr, &error))
            fail(__FILE__, __LINE__, error.message);
    }
}

// Groups far beyond the bins: only those that have bins are looked at.
void check_many_groups() {
    constexpr int64_t most = 2147483647;
    now_checking("%lld x %lld groups", (long long)most, (long long)most);
    const FlatMap map(1, most * most, 8, 8);
    const Boxes boxes(1, {1, 1, 6, 6});
    const Output pooled(1, 1, 3, 2), aligned(1, 1, 3, 2);
    fastroi_ps_roi_pool_params pool{};
    fastroi_ps_roi_align_params align{};
    pool.struct_size = sizeof pool;
    align.struct_size = sizeof align;
    pool.scale_h = pool.scale_w = align.scale_h = align.scale_w = 1;
    pool.group_h = pool.group_w = align.group_h = align.group_w = most;
    fastroi_error error;
    if (fastroi_ps_roi_pool(&map.tensor, &boxes.table, &pool, &pooled.tensor, nullptr, &error) ||
        fastroi_ps_roi_align(&map.tensor, &boxes.table, &align, &aligned.tensor, nullptr, &error))
        fail(__FILE__, __LINE__, error.message);
    for (float value : pooled.values) CHECK_THAT(value, ==, 1.0f);
    for (float value : aligned.values) CHECK_THAT(value, ==, 1.0f);
}

// Boxes of 10^18 points, none of them on the map, or some.
void check_enormous_turned_boxes() {
    fastroi_roi_align_rotated_params params{};
    params.struct_size = sizeof params;
    params.scale_h = params.scale_w = 1;
    params.arithmetic = FASTROI_ARITHMETIC_F64;
    const FlatMap map(1, 1, 8, 8);
    for (const std::vector<double>& box : {std::vector<double>{1e25, 50, 1e9, 1e9, 0},
                                           {50, -1e25, 1e9, 1e9, 0},
                                           {7e8, 50, 1e9, 1e9, 0},
                                           {6e8, 6e8, 1e9, 1e9, 0.785},
                                           {50, 50, 1e9, 1e9, 0.3}}) {
        now_checking("a turned box at (%g, %g)", box[0], box[1]);
        const Boxes boxes(1, box);
        const Output out(1, 1, 7, 7);
        fastroi_error error;
        if (fastroi_roi_align_rotated(&map.tensor, &boxes.table, &params, &out.tensor, nullptr, &error))
            fail(__FILE__, __LINE__, error.message);
        for (float value : out.values) CHECK_THAT(value, <, 1e-6f);
    }
}

// The points that are visited are those of the map among all, in order.
template <class Real>
void check_turned_points(Random& random) {
    const int64_t rows = random.between(1, 30), columns = random.between(1, 30), bins = random.between(1, 3);
    const double size = random.one_in(2) ? 400 : 60;
    const double box[5] = {size * random.symmetric(), size * random.symmetric(), size * random.uniform(),
                           size * random.uniform(), random.one_in(3) ? 0 : 4 * random.symmetric()};
    const Rotation rotation = {random.one_in(2), random.one_in(2), false, 0, random.one_in(3) ? 100 : 0, 1, 1};
    const RotatedBox<Real> b = rotated_box<Real>(rotation, box, bins, bins);
    if (b.outside) return;
    for (int64_t ph = 0; ph < bins; ph++)
        for (int64_t pw = 0; pw < bins; pw++) {
            std::vector<int64_t> visited, expected;
            visit_rotated_points(b, ph, pw, rows, columns,
                                 [&](const auto& y, const auto& x) { visited.push_back(y.low * columns + x.low); });
            for (int64_t i = 0; i < b.y.grid; i++)
                for (int64_t j = 0; j < b.x.grid; j++) {
                    const MapPoint<Real> point =
                        rotated_point(b, align_coordinate(b.y, ph, i), align_coordinate(b.x, pw, j), rows, columns);
                    if (!point.y.absent && !point.x.absent) expected.push_back(point.y.low * columns + point.x.low);
                }
            CHECK(visited == expected);
        }
}

// Likewise on one axis, where rounding moves points past the map.
void check_coarse_points(Random& random) {
    const int64_t bins = (int64_t)1 << random.between(12, 24), extent = random.between(1, 5000);
    const double length = (double)bins * (double)random.between(5000, 60000), lo = -length * random.uniform();
    const bool reversed = random.one_in(3);
    const AlignAxis<float> a =
        align_axis<float>(align_rule((int32_t)random.below(align_rule_count)), reversed ? lo + length : lo,
                          reversed ? lo : lo + length, 1, bins, random.one_in(2) ? 8192 : 0);
    if (a.outside || a.clamped) return;
    const int64_t about = (int64_t)((reversed ? lo + length : -lo) / length * (double)bins);
    const int64_t p = std::clamp<int64_t>(about + random.between(-2, 2), 0, bins - 1);
    std::vector<int64_t> visited, expected;
    visit_align_points(a, p, extent, [&](const auto& point) { visited.push_back(point.low); });
    for (int64_t k = 0; k < a.grid; k++) {
        const auto point = align_point(align_coordinate(a, p, a.bin < 0 ? a.grid - 1 - k : k), extent);
        if (!point.absent) expected.push_back(point.low);
    }
    CHECK(visited == expected);
}

// Sums that jump are those that are added up one by one.
void check_added_up(Random& random) {
    const float sizes[] = {1.5f, 3, 0x1.8p-20f, 0x1.000002p0f, 0x1.fffffep-3f, 5.0f / 3};
    const float size = random.one_in(2) ? sizes[random.below(6)]
                                        : (float)random.between(1, 1 << random.between(1, 30)) /
                                              (float)random.between(1, 1 << random.between(1, 30));
    const int64_t last = random.one_in(20) ? 40000000 : 200000;
    float sum = 0;
    for (int64_t n = 0, next = 0; n <= last; n++) {
        if (n == next || n == last) {
            CHECK_THAT(added_up(size, n), ==, sum);
            next = n + random.between(1, n < 500 ? 3 : 1 + last / 50);
        }
        sum = sum + size;
    }
}

// --- stopping ----------------------------------------------------------------------------------------------------------

int stop_now(void* polls) {
    ++*(int64_t*)polls;
    return 1;
}

// Plans that take a second and more are given up before a bin is written.
template <class Params>
void check_stop(const char* name, const Params& given, const fastroi_tensor& map, const Boxes& boxes, int64_t rows,
                int64_t columns) {
    now_checking("%s stopped while it plans", name);
    Params params = given;
    params.struct_size = sizeof params;
    params.scale_h = params.scale_w = 1;
    const Output out(boxes.table.count, 1, rows, columns);
    int64_t polls = 0;
    fastroi_exec exec{};
    exec.struct_size = sizeof exec;
    exec.num_threads = 2;
    exec.cancel = stop_now;
    exec.cancel_context = &polls;
    int32_t code;
    find_operator(name, &code);
    CHECK_THAT(fastroi_run(code, &map, &boxes.table, &params, &out.tensor, &exec, nullptr), ==, FASTROI_CANCELLED);
    CHECK_THAT(polls, ==, 1);
    CHECK(out.is_untouched());
}

void check_stops() {
    const FlatMap small(1, 1, 8, 8), large(1, 1, 20000, 20000), wide(1, 1, 1, 1 << 30);
    fastroi_roi_align_params align{};
    align.sampling_h = align.sampling_w = max_sampling_ratio;
    check_stop("roi_align", align, small.tensor, Boxes(200, {1, 1, 6, 6}), 7, 7);
    align.reduce = FASTROI_ALIGN_MAX;
    check_stop("roi_align", align, small.tensor, Boxes(200, {1, 1, 6, 6}), 7, 7);
    fastroi_ps_roi_align_params ps{};
    ps.sampling_h = ps.sampling_w = max_sampling_ratio;
    ps.group_h = ps.group_w = 1;
    check_stop("ps_roi_align", ps, small.tensor, Boxes(200, {1, 1, 6, 6}), 7, 7);
    check_stop("roi_align_rotated", fastroi_roi_align_rotated_params{}, large.tensor,
               Boxes(1, {10000, 10000, 15000, 15000, 0.3}), 1, 1);
    fastroi_roi_pool_params pool{};
    pool.rule = FASTROI_RULE_MNN;
    check_stop("roi_pool", pool, small.tensor, Boxes(1, {1, 1, 6, 6}), 1, 1 << 23);
    pool.reduce = FASTROI_REDUCE_MEAN;
    check_stop("roi_pool", pool, wide.tensor, Boxes(1, {0, 0, 1 << 30, 1}), 1, 1);
    check_stop("prroi_pool", fastroi_prroi_pool_params{}, wide.tensor, Boxes(1, {0, 0, 1 << 30, 1}), 1, 1);
    fastroi_deform_roi_pool_params deform{};
    deform.sampling_h = deform.sampling_w = max_gather_sampling;
    check_stop("deform_roi_pool", deform, small.tensor, Boxes(2000, {1, 1, 6, 6}), 7, 7);
}

// Asked for the third time, after a moment of work that would take hours.
int stop_soon(void* polls) { return ++*(int64_t*)polls == 3; }

template <class Params>
void check_stop_inside(const char* name, const Params& given, const fastroi_tensor& map, const Boxes& boxes,
                       int64_t rows, int64_t columns) {
    for (int32_t threads : {1, 2}) {
        now_checking("%s stopped inside of a box, %d threads", name, threads);
        Params params = given;
        params.struct_size = sizeof params;
        const Output out(boxes.table.count, map.shape[1], rows, columns);
        int64_t polls = 0;
        fastroi_exec exec{};
        exec.struct_size = sizeof exec;
        exec.num_threads = threads;
        exec.cancel = stop_soon;
        exec.cancel_context = &polls;
        int32_t code;
        find_operator(name, &code);
        CHECK_THAT(fastroi_run(code, &map, &boxes.table, &params, &out.tensor, &exec, nullptr), ==, FASTROI_CANCELLED);
        CHECK_THAT(polls, ==, 3);
    }
}

void check_stops_inside() {
    constexpr int64_t side = 1 << 19;
    const FlatMap small(1, 1, 8, 8), large(1, 1, side, side), tall(1, 64, side << 11, 8, item);
    const Boxes whole(1, {0, 0, side, side}), column(1, {0, 0, 8, (double)side * (1 << 11)});
    fastroi_roi_align_params align{};
    align.scale_h = align.scale_w = 1;
    align.sampling_h = align.sampling_w = max_sampling_ratio;
    for (int32_t reduce : {FASTROI_ALIGN_MAX, FASTROI_ALIGN_MAX_CORNERS}) {
        align.reduce = reduce;
        check_stop_inside("roi_align", align, small.tensor, Boxes(1, {1, 1, 6, 6}), 7, 7);
    }
    fastroi_roi_pool_params pool{};
    pool.scale_h = pool.scale_w = 1;
    check_stop_inside("roi_pool", pool, large.tensor, whole, 1, 1);
    pool.reduce = FASTROI_REDUCE_MEAN;
    check_stop_inside("roi_pool", pool, large.tensor, whole, 1, 1);
    fastroi_prroi_pool_params precise{};
    precise.scale_h = precise.scale_w = 1;
    check_stop_inside("prroi_pool", precise, large.tensor, whole, 1, 1);
    fastroi_ps_roi_pool_params ps{};
    ps.scale_h = ps.scale_w = 1;
    ps.group_h = ps.group_w = 1;
    check_stop_inside("ps_roi_pool", ps, tall.tensor, column, 1, 1);
}

// --- memory of plans ---------------------------------------------------------------------------------------------------

// The most sample points of a part, and of a RoI.
class CountPoints : public Flow {
public:
    int64_t of_a_part = 0, of_a_roi = 0, parts = 0;
    void take(PlanPart part, const Job&) override {
        parts++;
        const auto& rois = std::get<MaxOverSamples<float>>(part).plan.rois();
        int64_t points = 0;
        for (const auto& roi : rois) {
            const int64_t own = (int64_t)roi.y->first[roi.y->count] + roi.x->first[roi.x->count];
            of_a_roi = std::max(of_a_roi, own);
            points += own;
        }
        of_a_part = std::max(of_a_part, points);
    }
};

void check_parts_of_maxima() {
    now_checking("plans of maxima over sample points");
    constexpr int64_t count = 1500, sampling = 300, bins = 7;
    const FlatMap map(1, 1, 64, 64);
    const Boxes boxes(count, {8, 8, 50, 50});
    const Output out(count, 1, bins, bins);
    fastroi_roi_align_params params{};
    params.struct_size = sizeof params;
    params.scale_h = params.scale_w = 1;
    params.sampling_h = params.sampling_w = sampling;
    params.reduce = FASTROI_ALIGN_MAX;
    int32_t code;
    find_operator("roi_align", &code);
    StopSign stop(nullptr, nullptr);
    CountPoints flow;
    run_operator(code, {&map.tensor, &boxes.table, &out.tensor, read_execution(read_exec(nullptr), stop), flow},
                 &params);
    CHECK_THAT(flow.of_a_roi, ==, 2 * bins * sampling);
    CHECK_THAT(flow.of_a_part, <=, (1 << 21));
    CHECK_THAT(flow.parts, >=, count * 2 * bins * sampling >> 21);
}

// --- angles ------------------------------------------------------------------------------------------------------------

void check_angles() {
    const FlatMap map(1, 8, 9, 9);
    for (double angle : {1e308, -1e308, 1e38, 1e39, -4e38, 1e16})
        for (int32_t arithmetic : {FASTROI_ARITHMETIC_F32, FASTROI_ARITHMETIC_F64})
            for (int32_t unit : {FASTROI_RADIANS, FASTROI_DEGREES}) {
                now_checking("angle %g, arithmetic %d, unit %d", angle, arithmetic, unit);
                const Boxes boxes(1, {4, 4, 4, 4, angle});
                const Output out(1, 8, 2, 2);
                fastroi_riroi_align_rotated_params params{};
                params.struct_size = sizeof params;
                params.scale_h = params.scale_w = 1;
                params.orientations = 8;
                params.arithmetic = arithmetic;
                params.angle_unit = unit;
                fastroi_error error;
                if (fastroi_riroi_align_rotated(&map.tensor, &boxes.table, &params, &out.tensor, nullptr, &error))
                    fail(__FILE__, __LINE__, error.message);
                const double held = arithmetic == FASTROI_ARITHMETIC_F32 ? (double)(float)angle
                                    : unit == FASTROI_DEGREES            ? angle * 3.15
                                                                         : angle;
                const float expected = std::isfinite(held) ? 1 : 0;  // else off the map
                for (float value : out.values) CHECK(std::fabs(value - expected) < 1e-6f);
            }
}

// --- a thread that its cancel callback ends ----------------------------------------------------------------------------

int end_this_thread(void*) { pthread_exit((void*)1); }

void* pool_until_ended(void*) {
    const FlatMap map(1, 1, 2000, 2000);
    const Output out(2000, 1, 1, 1);
    const std::vector<double> box = {0, 0, 2000, 2000};
    const fastroi_boxes boxes{box.data(), FASTROI_FLOAT64, 4, 2000, {0, 8}, nullptr, 0, 0};
    fastroi_roi_pool_params params{};
    params.struct_size = sizeof params;
    params.scale_h = params.scale_w = 1;
    params.reduce = FASTROI_REDUCE_MEAN;
    fastroi_exec exec{};
    exec.struct_size = sizeof exec;
    exec.num_threads = 1;
    exec.cancel = end_this_thread;
    fastroi_roi_pool(&map.tensor, &boxes, &params, &out.tensor, &exec, nullptr);
    return nullptr;
}

void check_unwinding() {
    now_checking("a thread that its cancel callback ends");
    pthread_t thread;
    void* result = nullptr;
    CHECK(pthread_create(&thread, nullptr, pool_until_ended, nullptr) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == (void*)1);
}

}  // namespace
}  // namespace unit

int main(int argument_count, char** arguments) {
    const unit::SeedAndTrials given(argument_count, arguments, 200);
    unit::report_faults();
    unit::check_the_look();
    const rlimit minutes = {300, 300};
    setrlimit(RLIMIT_CPU, &minutes);  // what would go on for ever ends, and as a failure
    unit::check_guarded_maps();
    unit::check_unwinding();
    unit::check_sizes();
    unit::check_sum_of_scratch();
    unit::check_many_groups();
    unit::check_enormous_turned_boxes();
    unit::check_stops();
    unit::check_stops_inside();
    unit::check_parts_of_maxima();
    unit::check_angles();
    unit::each_trial("limits", "plans of wide maps", given, unit::check_wide_maps);
    unit::each_trial("limits", "results without channels", given, unit::check_empty_results);
    unit::each_trial("limits", "points of turned boxes, float32", given, unit::check_turned_points<float>);
    unit::each_trial("limits", "points of turned boxes, float64", given, unit::check_turned_points<double>);
    unit::each_trial("limits", "points that rounding moves", given, unit::check_coarse_points);
    unit::each_trial("limits", "sums that jump", given, unit::check_added_up);
    printf("limits\n");
}
