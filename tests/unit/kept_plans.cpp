// A plan that was made once for some boxes, run on another map, gives what a call on that map gives: every operator of the table,
// with choices, layouts and threads drawn at random.
//
//   kept_plans [--seed=N] [--trials=N]
#include <vector>

#include "../../src/abi/operator_table.h"
#include "../../src/run/plan.h"
#include "../../src/run/stop_sign.h"
#include "check.h"

namespace unit {
namespace {

using namespace fastroi;

constexpr int64_t images = 2, rows = 23, columns = 31, groups = 2, channels = 6, count = 9, bins = 4;

// (a, b, c, d), channels first or last.
fastroi_tensor tensor(std::vector<float>& values, int64_t a, int64_t b, int64_t c, int64_t d, bool channels_last) {
    values.resize(a * b * c * d);
    const int64_t item = sizeof(float), cell = channels_last ? b * item : item,
                  channel = channels_last ? item : c * d * item;
    return {values.data(), FASTROI_FLOAT32, {a, b, c, d}, {a ? b * c * d * item : 0, channel, d * cell, cell}};
}

void fill(std::vector<float>& values, Random& random) {
    for (float& value : values) value = (float)random.symmetric();
}

// Params of any operator: numbers that all of them take, and choices at random.
struct AnyParams {
    unsigned char memory[256] = {};
    std::vector<double> scales = {0.5, 0.25};
    std::vector<int64_t> levels;
    fastroi_tensor offsets;

    AnyParams(const fastroi_operator& op, Random& random, const fastroi_tensor& given_offsets)
        : offsets(given_offsets) {
        memcpy(memory, &op.params_size, sizeof op.params_size);
        for (int64_t k = 0; k < count; k++) levels.push_back(random.below(2));
        for (int32_t i = 0; i < op.field_count; i++) set(op.fields[i], random);
    }

private:
    template <class Value>
    void put(const fastroi_field& field, Value value) {
        memcpy(memory + field.offset, &value, sizeof value);
    }
    void set(const fastroi_field& field, Random& random) {
        const std::string name = field.name, type = field.type;
        if (field.choices) {
            int32_t choices = 0;
            while (field.choices[choices]) choices++;
            put(field, (int32_t)random.below(choices));
        } else if (name == "levels") {
            put(field, (int32_t)scales.size());
        } else if (type == "int32_t") {
            put(field, (int32_t)(name == "zeroed" ? 0 : random.below(2)));
        } else if (type == "int64_t") {
            put(field, name.rfind("part_", 0) == 0 ? bins : groups);
        } else if (type == "double") {
            put(field, 0.5);
        } else if (type == "const double *") {
            put(field, (const double*)scales.data());
        } else if (name == "level_of_roi") {
            put(field, (const int64_t*)levels.data());
        } else if (name != "argmax") {
            put(field, (const fastroi_tensor*)&offsets);
        }
    }
};

bool is_grouped(const fastroi_operator& op) {
    for (int32_t i = 0; i < op.field_count; i++)
        if (!strcmp(op.fields[i].name, "group_h")) return true;
    return false;
}

std::vector<double> random_boxes(const fastroi_operator& op, Random& random) {
    const int coordinates = op.flags & FASTROI_TAKES_TURNED_BOXES ? 5 : 4;
    const double size = op.flags & FASTROI_TAKES_NORMALISED_BOXES ? 1 : 2 * rows;
    std::vector<double> boxes;
    for (int64_t k = 0; k < count; k++) {
        const bool one_each = op.flags & FASTROI_TAKES_MASKS;
        boxes.push_back(one_each ? 0 : (double)random.below(images));
        for (int i = 0; i < coordinates; i++) boxes.push_back(size * (random.uniform() * 1.2 - 0.1));
    }
    return boxes;
}

void check_operator(int32_t code, const fastroi_operator& op, Random& random) {
    const bool masks = op.flags & FASTROI_TAKES_MASKS, last = random.one_in(2);
    const int64_t inputs = masks            ? 1
                           : is_grouped(op) ? channels * groups * groups
                                            : channels,
                  outputs = masks ? 1 : channels;
    std::vector<float> first, second, offsets, expected, found;
    const fastroi_tensor offset_tensor = tensor(offsets, count, 2, bins, bins, false);
    fill(offsets, random);
    const int64_t maps = masks ? count : images;
    const fastroi_tensor a[2] = {tensor(first, maps, inputs, rows, columns, last), a[0]};
    const fastroi_tensor b[2] = {tensor(second, maps, inputs, rows, columns, last), b[0]};
    fill(first, random);
    fill(second, random);
    const std::vector<double> table = random_boxes(op, random);
    const int32_t width = (int32_t)(table.size() / count);
    const fastroi_boxes boxes{
        table.data() + masks, FASTROI_FLOAT64, width - masks, count, {width * 8, 8}, nullptr, 0, 0};
    const AnyParams params(op, random, offset_tensor);
    const fastroi_tensor wanted = tensor(expected, count, outputs, bins, bins, last),
                         kept = tensor(found, count, outputs, bins, bins, last);
    fastroi_exec exec{};
    exec.struct_size = sizeof exec;
    exec.num_threads = (int32_t)random.between(1, 3);
    fastroi_error error;
    if (fastroi_run(code, b, &boxes, params.memory, &wanted, &exec, &error)) fail(__FILE__, __LINE__, error.message);

    StopSign stop(nullptr, nullptr);
    const Execution execution = read_execution(exec, stop);
    Plan plan;
    std::vector<float> unused;
    const fastroi_tensor other_layout = tensor(unused, count, outputs, bins, bins, !last);
    run_operator(code, {a, &boxes, &other_layout, execution, plan}, params.memory);
    const Tensor map = read_tensor(b, "features"), out = read_tensor(&kept, "out");
    const size_t levels = op.flags & FASTROI_TAKES_LEVELS ? 2 : 1;
    for (int time = 0; time < 2; time++) {
        std::fill(found.begin(), found.end(), 7.0f);
        if (time == 0) plan.pool(std::vector<Tensor>(levels, read_tensor(a, "features")), out, {}, execution);
        plan.pool(std::vector<Tensor>(levels, map), out, {}, execution);
        CHECK(memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);
    }
}

}  // namespace
}  // namespace unit

int main(int argument_count, char** arguments) {
    const unit::SeedAndTrials given(argument_count, arguments, 40);
    for (int32_t code = 0; const fastroi_operator* op = fastroi_operator_at(code); code++) {
        unit::each_trial("kept_plans", op->name, given,
                         [&](unit::Random& random) { unit::check_operator(code, *op, random); });
        printf("%s\n", op->name);
    }
}
