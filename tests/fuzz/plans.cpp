// The plan of one box: entries inside of the map, as many as counted, and applied by plain loops they give the operator's result.
#include "results.h"
#include "target.h"

namespace fuzz {
namespace {

class Plan {
public:
    std::vector<fastroi_plan_entry> entries;
    int32_t reduce = 0;
    fastroi_status status;

    explicit Plan(const Call& call) {
        fastroi_plan counted{sizeof(fastroi_plan), 0, nullptr, 0, 0};
        status = list(call, counted);
        if (status != FASTROI_OK) return;
        const Memory memory(counted.count * (int64_t)sizeof(fastroi_plan_entry));
        fastroi_plan plan{sizeof(fastroi_plan), counted.count, (fastroi_plan_entry*)memory.data(), 0, 0};
        if (list(call, plan) != FASTROI_OK || plan.count != counted.count)
            fail("a plan of another length the second time");
        entries.assign(plan.entries, plan.entries + plan.count);
        reduce = plan.reduce;
    }

private:
    static fastroi_status list(const Call& call, fastroi_plan& plan) {
        fastroi_error error;
        const fastroi_status answer =
            fastroi_list_plan(call.code, call.features.data(), &call.boxes, call.params.data(), &call.out.tensor,
                              &call.exec, &plan, &error);
        check_error(error, answer);
        return answer;
    }
};

// A bin's cells on one axis, or on the map.
struct Cell {
    int64_t index;
    double weight;
};

class Applied {
public:
    Applied(const Call& call, const Plan& plan, const fastroi_tensor& map)
        : call_(call), plan_(plan), map_(map), rows_(call.out.tensor.shape[2]), columns_(call.out.tensor.shape[3]) {
        for (const fastroi_plan_entry& e : plan.entries) check_inside(e);
    }

    // The mean, maximum or sum of a bin, as its entries say.
    double value(int64_t image, int64_t channel, int64_t ph, int64_t pw, double nothing) const {
        const int64_t bin = ph * columns_ + pw, from = channel_of(channel, bin);
        double sum = 0, most = -std::numeric_limits<double>::infinity(), count = 0;
        const auto add = [&](int64_t y, int64_t x, double weight) {
            const double product = weight * read(image, from, y, x);
            sum += product, most = std::max(most, product), count++;
        };
        for (const Cell& cell : cells(FASTROI_AXIS_CELL, bin, channel))
            add(cell.index / map_.shape[3], cell.index % map_.shape[3], cell.weight);
        const std::vector<Cell> x = cells(FASTROI_AXIS_COLUMN, pw, channel);
        for (const Cell& row : cells(FASTROI_AXIS_ROW, ph, channel))
            for (const Cell& column : x) add(row.index, column.index, row.weight * column.weight);
        if (count == 0) return nothing;
        return plan_.reduce == FASTROI_PLAN_MAX ? most : plan_.reduce == FASTROI_PLAN_MEAN ? sum / count : sum;
    }

private:
    void check_inside(const fastroi_plan_entry& e) const {
        const int64_t bins[] = {rows_, columns_, rows_ * columns_, rows_ * columns_,
                                call_.get<int64_t>(call_.op->orientations, 1)};
        const int64_t ends[] = {map_.shape[2], map_.shape[3], map_.shape[2] * map_.shape[3], INT64_MAX, bins[4]};
        if (e.axis < 0 || e.axis > FASTROI_AXIS_ORIENTATION) fail("an entry of no axis");
        if (e.bin < 0 || e.bin >= bins[e.axis]) fail("an entry of no bin");
        if (e.first < 0 || e.first > e.end || e.end > ends[e.axis]) fail("an entry leaves its map");
        if (e.axis == FASTROI_AXIS_CHANNEL && e.first >= map_.shape[1]) fail("an entry of no channel");
        if (std::isnan(e.weight)) fail("a weight that is no number");
    }
    // Where the channels begin that are planned as this one is: those of its class, which may list nothing; else of those without cells
    // only the channels they read are listed.
    int64_t first_about(int64_t channel) const {
        const bool has_classes = call_.op->trans && call_.get<const fastroi_tensor*>(call_.op->trans, nullptr);
        const int64_t classes = has_classes ? call_.offsets.tensor.shape[1] / 2 : 0;
        if (classes > 0) return channel - channel % std::max<int64_t>(1, call_.out.tensor.shape[1] / classes);
        int64_t first = 0;
        for (const fastroi_plan_entry& e : plan_.entries)
            if (e.output_channel <= channel) first = std::max(first, e.output_channel);
        return first;
    }
    std::vector<Cell> cells(int32_t axis, int64_t bin, int64_t channel) const {
        std::vector<Cell> found;
        const int64_t about = first_about(channel);
        for (const fastroi_plan_entry& e : plan_.entries)
            if (e.axis == axis && e.bin == bin && e.output_channel == about)
                for (int64_t i = e.first; i < e.end; i++) found.push_back({i, e.weight});
        return found;
    }
    int64_t channel_of(int64_t channel, int64_t bin) const {
        const int64_t about = first_about(channel);
        for (const fastroi_plan_entry& e : plan_.entries)
            if (e.axis == FASTROI_AXIS_CHANNEL && e.bin == bin && e.output_channel == about)
                return e.first + (channel - about) * (e.end - e.first);
        return channel;
    }
    double read(int64_t image, int64_t channel, int64_t y, int64_t x) const {
        const int64_t* const s = map_.strides;
        if (channel >= map_.shape[1]) fail("a plan reads a channel that is not there");
        return number_at((const unsigned char*)map_.data + image * s[0] + channel * s[1] + y * s[2] + x * s[3],
                         map_.dtype);
    }

    const Call& call_;
    const Plan& plan_;
    const fastroi_tensor& map_;
    int64_t rows_, columns_;
};

// Maxima of points and mixed orientations need more than one pass over the entries; masks of bytes hang on a threshold.
bool is_one_pass(const Plan& plan, const Call& call) {
    return plan.reduce <= FASTROI_PLAN_SUM && call.out.tensor.dtype != FASTROI_UINT8;
}

void compare(Call& call, const Plan& plan, const fastroi_tensor& map) {
    const Applied applied(call, plan, map);
    if (!is_one_pass(plan, call)) return;
    const Tolerance tolerance(call);
    const double nothing = call.get<double>(call.op->extrapolation_value, 0);
    const int64_t* const shape = call.out.tensor.shape;
    for (int64_t channel : {(int64_t)0, shape[1] - 1})
        for (int64_t ph = 0; ph < std::min<int64_t>(shape[2], 9); ph++)
            for (int64_t pw = 0; pw < std::min<int64_t>(shape[3], 9); pw++) {
                const double got = number_at(call.out.at(0, channel, ph, pw), call.out.tensor.dtype);
                double expected = applied.value(call.image_of_first(), channel, ph, pw, nothing);
                fastroi::with_element((fastroi::Element)call.out.tensor.dtype, [&](auto element) {
                    expected = (double)element.widen(fastroi::result_of<double, decltype(element)>::round(expected));
                });
                if (!tolerance.allows(got, expected)) fail("a plan gives another result than its operator");
            }
}

}  // namespace

void run(Bytes& bytes) {
    Call call(bytes, Values::finite, 1);
    choose_instruction_set(call, bytes);
    call.out.fill_bytes(0);
    if (call.boxes.count != 1) return;
    const fastroi_status status = call.run();
    const Plan plan(call);
    if ((status == FASTROI_OK) != (plan.status == FASTROI_OK)) fail("a plan is refused, or its operator, but not both");
    if (status == FASTROI_OK && !call.out.is_empty()) compare(call, plan, call.features[call.level_of_first()]);
}

}  // namespace fuzz
