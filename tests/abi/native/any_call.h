// A good call of any operator, drawn by chance and made of the table of operators: a new row takes part by itself. What is tried
// with such calls lies in guard_pages.cpp, random_calls.cpp and concurrent_calls.cpp.
#pragma once
#include <fastroi.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../../../src/element.h"
#include "../../unit/check.h"

namespace calls {

using unit::Random;

// --- numbers as they are stored ------------------------------------------------------------------------------------------

constexpr int32_t elements[] = {
#define FASTROI_X(name, code, type) code,
    FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
};

inline int64_t item_size(int32_t dtype) {
    constexpr int64_t sizes[] = {4, 8, 2, 1, 2, 4, 8, 1, 2, 4, 8, 2};
    return sizes[dtype];
}

inline void store(unsigned char* to, int32_t dtype, double value) {
    const auto put = [&](auto number) { memcpy(to, &number, sizeof number); };
    switch (dtype) {
        case FASTROI_FLOAT32: return put((float)value);
        case FASTROI_FLOAT64: return put(value);
        case FASTROI_FLOAT16: return put(fastroi::Float16::round((float)value));
        case FASTROI_INT8: return put((int8_t)value);
        case FASTROI_INT16: return put((int16_t)value);
        case FASTROI_INT32: return put((int32_t)value);
        case FASTROI_INT64: return put((int64_t)value);
        case FASTROI_UINT8: return put((uint8_t)value);
        case FASTROI_UINT16: return put((uint16_t)value);
        case FASTROI_UINT32: return put((uint32_t)value);
        case FASTROI_UINT64: return put((uint64_t)value);
        default: return put(fastroi::Bfloat16::round((float)value));
    }
}

inline bool is_float(int32_t dtype) { return dtype <= FASTROI_FLOAT16 || dtype > FASTROI_UINT64; }
inline bool is_unsigned(int32_t dtype) { return dtype >= FASTROI_UINT8 && dtype <= FASTROI_UINT64; }

// Whether an array holds what nobody wrote: all bits set, a NaN where that is a number of floating point.
inline bool is_unwritten(const unsigned char* element, int64_t item) {
    return std::all_of(element, element + item, [](unsigned char byte) { return byte == 0xff; });
}

// --- where arrays lie ----------------------------------------------------------------------------------------------------

enum Role { map_role, box_role, index_role, param_role, result_role };

// The memory of one call. An input is filled through one pointer and given to the core as the other. The arrays of one role may be
// given a byte too far: what finds such faults has to find this one.
class Memory {
public:
    struct Block {
        unsigned char *filled, *given;
    };
    virtual ~Memory() = default;

    Block take(Role role, int64_t bytes) {
        Block block = place(role, bytes);
        if (role == displaced_) block.given += displacement_;
        return block;
    }
    void displace(int role, int64_t bytes) { displaced_ = role, displacement_ = bytes; }
    bool displaces() const { return displaced_ >= 0; }
    virtual void give_all_back() = 0;

private:
    virtual Block place(Role role, int64_t bytes) = 0;
    int displaced_ = -1;
    int64_t displacement_ = 0;
};

// Every array as a block of its own, of exactly its size: a sanitizer knows where it ends.
class HeapMemory : public Memory {
public:
    ~HeapMemory() override { HeapMemory::give_all_back(); }
    void give_all_back() override {
        for (unsigned char* block : blocks_) free(block);
        blocks_.clear();
    }

private:
    Block place(Role, int64_t bytes) override {
        blocks_.push_back((unsigned char*)malloc((size_t)std::max<int64_t>(1, bytes)));
        return {blocks_.back(), blocks_.back()};
    }
    std::vector<unsigned char*> blocks_;
};

enum Layout { nchw, nhwc, strided, layouts };

// A tensor, and where it lies in a block that holds it exactly.
struct Placed {
    fastroi_tensor tensor{};
    int64_t bytes = 0, first = 0;
    unsigned char* filled = nullptr;  // the tensor's first element, for whoever fills it

    int64_t offset(const int64_t (&at)[4]) const {
        int64_t sum = 0;
        for (int axis = 0; axis < 4; axis++) sum += at[axis] * tensor.strides[axis];
        return sum;
    }
};

// Strided: the axes in any order, gaps between them, some of them backwards, any alignment.
inline Placed arranged(int32_t dtype, const int64_t (&shape)[4], Layout layout, Random& random) {
    Placed p;
    p.tensor.dtype = dtype;
    const int64_t item = item_size(dtype);
    int order[4] = {0, 1, 2, 3};
    if (layout == nhwc) order[1] = 2, order[2] = 3, order[3] = 1;
    if (layout == strided)
        for (int i = 3; i > 0; i--) std::swap(order[i], order[random.below(i + 1)]);
    int64_t stride = item, last = 0;
    for (int i = 3; i >= 0; i--) {
        const int axis = order[i];
        if (layout == strided && random.one_in(3))
            stride += random.one_in(3) ? random.between(1, 9) : item * random.below(3);
        const bool backwards = layout == strided && random.one_in(4);
        p.tensor.shape[axis] = shape[axis];
        p.tensor.strides[axis] = backwards ? -stride : stride;
        (backwards ? p.first : last) += stride * (shape[axis] - 1);
        stride *= shape[axis];
    }
    p.bytes = p.first + last + item;
    return p;
}

template <class Body>
void for_each_element(const Placed& p, const Body& body) {
    const int64_t* n = p.tensor.shape;
    for (int64_t a = 0; a < n[0]; a++)
        for (int64_t b = 0; b < n[1]; b++)
            for (int64_t c = 0; c < n[2]; c++)
                for (int64_t d = 0; d < n[3]; d++) body(p.offset({a, b, c, d}));
}

// --- what is drawn -------------------------------------------------------------------------------------------------------

// Elements that an operator reads and writes.
struct Types {
    int32_t map, out;
};

struct Choice {
    int32_t code;
    Types types;
    int64_t channels;  // of the result; the width of what has one channel only
    Layout layout;
    bool large;
};

class AnyCall {
public:
    AnyCall(const Choice& choice, Memory& memory, Random& random)
        : op_(*fastroi_operator_at(choice.code)), choice_(choice), memory_(memory), random_(random) {
        draw_shapes();
        make_maps();
        make_boxes();
        make_params();
        out_ = make_result(choice.types.out);
    }
    AnyCall(const AnyCall&) = delete;

    const Placed& out() const { return out_; }
    const Placed* argmax() const { return has_argmax_ ? &argmax_ : nullptr; }
    const std::vector<Placed>& maps() const { return placed_maps_; }
    bool starts_with_zeros() const { return zeroed_; }
    const char* text() const { return text_; }

    // Calls a body with each result.
    template <class Body>
    void for_each_result(const Body& body) const {
        body(out_);
        if (has_argmax_) body(argmax_);
    }

    // Results before a call: no element written yet, or all zeros where the operator is told so.
    void clear_results() const {
        for_each_result([&](const Placed& p) { memset(p.filled - p.first, 0xff, (size_t)p.bytes); });
        if (zeroed_)
            for_each_element(out_, [&](int64_t at) { memset(out_.filled + at, 0, item_size(out_.tensor.dtype)); });
    }

    // After it: every element written, and nothing between them.
    void check_results() const {
        for_each_result([&](const Placed& p) {
            const int64_t item = item_size(p.tensor.dtype);
            std::vector<bool> element((size_t)p.bytes);
            bool unwritten = false;
            for_each_element(p, [&](int64_t at) {
                if (!may_hold_all_bits(p.tensor.dtype)) unwritten = unwritten || is_unwritten(p.filled + at, item);
                for (int64_t i = 0; i < item; i++) element[(size_t)(p.first + at + i)] = true;
            });
            CHECK(!unwritten);
            bool touched = false;
            for (int64_t i = 0; i < p.bytes; i++) touched = touched || (!element[i] && p.filled[i - p.first] != 0xff);
            CHECK(!touched);
        });
    }

    fastroi_status run(const fastroi_exec& exec, fastroi_error* error) const { return run(exec, out_.tensor, error); }

    // With the result somewhere else, as callers at once need it; there is no argmax then.
    fastroi_status run(const fastroi_exec& exec, const fastroi_tensor& out, fastroi_error* error) const {
        return fastroi_run(choice_.code, maps_.data(), &boxes_, params_, &out, &exec, error);
    }
    void leave_argmax_out() {
        for (int32_t i = 0; i < op_.field_count; i++)
            if (!strcmp(op_.fields[i].name, "argmax")) set(op_.fields[i], (const void*)nullptr);
        has_argmax_ = false;
    }

private:
    // -1 is what argmax says of an empty bin; sums of areas saturate.
    bool may_hold_all_bits(int32_t dtype) const {
        return dtype == FASTROI_INT64 || (is_unsigned(dtype) && !strcmp(op_.name, "area_pool"));
    }
    bool has(int32_t flag) const { return op_.flags & flag; }
    bool takes(const char* name) const {
        for (int32_t i = 0; i < op_.field_count; i++)
            if (!strcmp(op_.fields[i].name, name)) return true;
        return false;
    }
    int64_t divisor_of(int64_t n, int64_t most) {
        int64_t d = random_.between(1, most);
        while (n % d) d--;
        return d;
    }

    void draw_shapes() {
        const bool large = choice_.large;
        images_ = random_.between(1, 2);
        rows_ = random_.one_in(4) ? 1 : random_.between(1, large ? 40 : 9);
        columns_ = random_.one_in(4) ? 1 : random_.between(1, large ? 64 : 17);
        if (large) rows_ += 8, columns_ += 8;
        count_ = random_.between(1, large ? 40 : 4);
        bin_rows_ = random_.between(1, large ? 8 : 4);
        bin_columns_ = random_.between(1, large ? 8 : 4);
        if (takes("group_h")) group_h_ = random_.between(1, 2), group_w_ = random_.between(1, 3);
        if (has(FASTROI_TAKES_LEVELS)) levels_ = random_.between(1, 3);
        scale_h_ = random_scale();
        scale_w_ = random_.one_in(2) ? scale_h_ : random_scale();
        channels_ = choice_.channels;
        while (channels_ * group_h_ * group_w_ * rows_ * columns_ > most_cells)
            rows_ = (rows_ + 1) / 2, columns_ = (columns_ + 1) / 2;
        if (!has(FASTROI_TAKES_MASKS)) return;
        columns_ = bin_columns_ = choice_.channels;
        channels_ = 1;
        scale_h_ = scale_w_ = 1;
        one_mask_each_ = !strcmp(op_.name, "paste_masks") || random_.one_in(2);
        if (one_mask_each_) images_ = count_;
    }

    double random_scale() {
        constexpr double scales[] = {1, 1 / 4., 1 / 2., 0.3, 1.7};
        return scales[random_.below(5)];
    }

    void fill_map(const Placed& map) {
        const bool mask = has(FASTROI_TAKES_MASKS), whole = !is_float(map.tensor.dtype);
        for_each_element(map, [&](int64_t at) {
            const double value = whole  ? (double)random_.below(mask ? 2 : 100)
                                 : mask ? random_.uniform()
                                        : random_.uniform() * 8 - (is_float(choice_.types.out) ? 4 : 0);
            store(map.filled + at, map.tensor.dtype, value);
        });
    }

    void make_maps() {
        for (int64_t level = 0; level < levels_; level++) {
            Placed map = arranged(choice_.types.map,
                                  {images_, channels_ * group_h_ * group_w_, std::max<int64_t>(1, rows_ >> level),
                                   std::max<int64_t>(1, columns_ >> level)},
                                  choice_.layout, random_);
            place(map, map_role);
            fill_map(map);
            maps_.push_back(map.tensor);
            placed_maps_.push_back(map);
        }
    }

    void place(Placed& p, Role role) {
        const Memory::Block block = memory_.take(role, p.bytes);
        p.filled = block.filled + p.first;
        p.tensor.data = block.given + p.first;
    }

    Placed make_result(int32_t dtype) {
        Placed result = arranged(dtype, {count_, channels_, bin_rows_, bin_columns_},
                                 random_.one_in(3) ? (Layout)random_.below(layouts) : choice_.layout, random_);
        place(result, result_role);
        return result;
    }

    // One side of a box in cells: inside, across the border, exactly on it, far away.
    void draw_side(int64_t extent, double (&side)[2]) {
        const double borders[] = {-1, -0.5, 0, 0.5, extent - 1., extent - 0.5, (double)extent, extent + 1.};
        for (double& x : side) {
            x = (random_.uniform() * 1.6 - 0.3) * (double)extent;
            if (random_.one_in(4)) x = borders[random_.below(8)];
            if (random_.one_in(4)) x = std::floor(2 * x) / 2;
        }
        if (side[0] > side[1] && !random_.one_in(8)) std::swap(side[0], side[1]);
        if (random_.one_in(40)) side[0] += 1000, side[1] += 1000;
    }

    void draw_box(double (&box)[5]) {
        const int64_t rows = !strcmp(op_.name, "paste_masks") ? bin_rows_ : rows_,
                      columns = !strcmp(op_.name, "paste_masks") ? bin_columns_ : columns_;
        double y[2], x[2];
        draw_side(rows, y);
        draw_side(columns, x);
        const bool normalised = has(FASTROI_TAKES_NORMALISED_BOXES);
        const double unit_y = normalised ? std::max<int64_t>(1, rows - 1) : scale_h_,
                     unit_x = normalised ? std::max<int64_t>(1, columns - 1) : scale_w_;
        for (double& c : y) c /= unit_y;
        for (double& c : x) c /= unit_x;
        box[0] = x[0], box[1] = y[0], box[2] = x[1], box[3] = y[1];
        if (!has(FASTROI_TAKES_TURNED_BOXES)) return;
        box[0] = (x[0] + x[1]) / 2, box[1] = (y[0] + y[1]) / 2, box[2] = x[1] - x[0], box[3] = y[1] - y[0];
        box[4] = random_.one_in(3) ? std::floor(random_.uniform() * 9 - 4) * 0.78539816339744828
                                   : random_.uniform() * 14 - 7;
    }

    // The boxes as a caller may hold them: any numbers, rows or columns first, images in a column or beside the boxes.
    void make_boxes() {
        const int coordinates = has(FASTROI_TAKES_TURNED_BOXES) ? 5 : 4;
        const bool in_column = !one_mask_each_ && random_.one_in(2), columns_first = choice_.layout == strided;
        boxes_.dtype = random_.one_in(3) ? (int32_t)random_.below(FASTROI_UINT64 + 1) : (int32_t)random_.below(2);
        boxes_.columns = coordinates + in_column;
        boxes_.count = count_;
        const int64_t item = item_size(boxes_.dtype);
        boxes_.strides[0] = columns_first ? item : item * boxes_.columns;
        boxes_.strides[1] = columns_first ? item * count_ : item;
        const Memory::Block rows = memory_.take(box_role, item * boxes_.columns * count_);
        boxes_.data = rows.given;
        Memory::Block indices{};
        if (!in_column && !one_mask_each_) {
            boxes_.batch_dtype = (int32_t)random_.between(FASTROI_INT8, FASTROI_UINT64);
            boxes_.batch_stride = item_size(boxes_.batch_dtype);
            indices = memory_.take(index_role, boxes_.batch_stride * count_);
            boxes_.batch_indices = indices.given;
        }
        for (int64_t k = 0; k < count_; k++) {
            const double image = (double)random_.below(images_);
            double box[5];
            draw_box(box);
            unsigned char* const row = rows.filled + k * boxes_.strides[0];
            if (in_column) store(row, boxes_.dtype, image);
            for (int i = 0; i < coordinates; i++)
                store(row + (i + in_column) * boxes_.strides[1], boxes_.dtype, as_stored(box[i]));
            if (indices.filled) store(indices.filled + k * boxes_.batch_stride, boxes_.batch_dtype, image);
        }
    }

    double as_stored(double value) const {
        if (is_float(boxes_.dtype)) return value;
        return std::clamp(value, is_unsigned(boxes_.dtype) ? 0. : -127., 127.);
    }

    // --- params ---

    template <class Number>
    void set(const fastroi_field& field, Number value) {
        memcpy(params_ + field.offset, &value, sizeof value);
    }

    void make_params() {
        CHECK_THAT(op_.params_size, <=, sizeof params_);
        memcpy(params_, &op_.params_size, sizeof op_.params_size);
        for (int32_t i = 0; i < op_.field_count; i++) {
            const fastroi_field& field = op_.fields[i];
            if (field.choices)
                set_number(field, (double)random_.below(field.choice_count));
            else if (!strcmp(field.of, "flag"))
                set_number(field, (double)random_.below(2));
            else if (!strcmp(field.of, "number"))
                set_number(field, good_number(field.name));
            else
                set(field, good_array(field.name));
        }
        zeroed_ = takes("zeroed") && code_of("zeroed");
    }

    int32_t code_of(const char* name) const {
        for (int32_t i = 0; i < op_.field_count; i++) {
            if (strcmp(op_.fields[i].name, name)) continue;
            int32_t code;
            memcpy(&code, params_ + op_.fields[i].offset, sizeof code);
            return code;
        }
        return 0;
    }

    void set_number(const fastroi_field& field, double value) {
        const size_t room = sizeof text_ - text_length_;
        const int written = snprintf(text_ + text_length_, room, " %s=%g", field.name, value);
        text_length_ = std::min(sizeof text_ - 1, text_length_ + (size_t)written);
        if (!strcmp(field.type, "int32_t")) return set(field, (int32_t)value);
        if (!strcmp(field.type, "int64_t")) return set(field, (int64_t)value);
        CHECK(!strcmp(field.type, "double"));
        set(field, value);
    }

    double good_number(const char* name) {
        const struct {
            const char* name;
            double value;
        } good[] = {
            {"scale_h", scale_h_},
            {"scale_w", scale_w_},
            {"sampling_h", (double)random_.between(-1, 3)},
            {"sampling_w", (double)random_.between(-1, 3)},
            {"group_h", (double)group_h_},
            {"group_w", (double)group_w_},
            {"part_h", (double)part_h_},
            {"part_w", (double)part_w_},
            {"levels", (double)levels_},
            {"orientations", (double)divisor_of(channels_, std::min<int64_t>(channels_, 8))},
            {"sample_per_part", (double)random_.between(1, 4)},
            {"gamma", 0.3},
            {"trans_std", 0.3},
            {"threshold", random_.one_in(2) ? 0.5 : 0},
            {"extrapolation_value", -1.5},
        };
        for (const auto& known : good)
            if (!strcmp(known.name, name)) return known.value;
        unit::fail(__FILE__, __LINE__, std::string("a parameter needs a good value here: ") + name);
    }

    const void* good_array(const char* name) {
        if (!strcmp(name, "argmax")) return good_argmax();
        if (!strcmp(name, "offset")) return good_offsets(2, bin_rows_, bin_columns_);
        if (!strcmp(name, "trans"))
            return good_offsets(2 * divisor_of(channels_, std::min<int64_t>(channels_, 4)), part_h_, part_w_);
        if (!strcmp(name, "level_of_roi")) return good_levels();
        if (!strcmp(name, "scales") || !strcmp(name, "horizontal_scales")) return good_scales();
        unit::fail(__FILE__, __LINE__, std::string("a parameter needs a good array here: ") + name);
    }

    const void* good_argmax() {
        if (code_of("reduce") != FASTROI_REDUCE_MAX || random_.one_in(3)) return nullptr;
        argmax_ = make_result(FASTROI_INT64);
        has_argmax_ = true;
        return &argmax_.tensor;
    }

    const void* good_offsets(int64_t planes, int64_t rows, int64_t columns) {
        if (random_.one_in(4)) return nullptr;
        const int32_t dtype = (int32_t)random_.below(2);
        offsets_ = arranged(dtype, {count_, planes, rows, columns}, choice_.layout, random_);
        place(offsets_, param_role);
        for_each_element(offsets_, [&](int64_t at) {
            store(offsets_.filled + at, dtype, random_.one_in(30) ? 1e6 : random_.uniform() * 6 - 3);
        });
        return &offsets_.tensor;
    }

    template <class Number, class Make>
    const void* list_of(int64_t count, const Make& make) {
        const Memory::Block block = memory_.take(param_role, count * (int64_t)sizeof(Number));
        for (int64_t i = 0; i < count; i++) {
            const Number number = make();
            memcpy(block.filled + i * (int64_t)sizeof number, &number, sizeof number);
        }
        return block.given;
    }
    const void* good_levels() {
        return list_of<int64_t>(count_, [&] { return random_.below(levels_); });
    }
    const void* good_scales() {
        return list_of<double>(levels_, [&] { return random_scale(); });
    }

    static constexpr int64_t most_cells = 1 << 17;  // of an image: what is larger takes its time to be filled

    const fastroi_operator& op_;
    Choice choice_;
    Memory& memory_;
    Random& random_;
    int64_t images_, rows_, columns_, count_, bin_rows_, bin_columns_, channels_, group_h_ = 1, group_w_ = 1;
    int64_t levels_ = 1, part_h_ = 3, part_w_ = 2;
    double scale_h_, scale_w_;
    bool one_mask_each_ = false, has_argmax_ = false, zeroed_ = false;
    std::vector<fastroi_tensor> maps_;
    std::vector<Placed> placed_maps_;
    fastroi_boxes boxes_{};
    alignas(16) unsigned char params_[512] = {};
    Placed out_, argmax_, offsets_;
    char text_[300] = "";
    size_t text_length_ = 0;
};

// --- which elements an operator takes ------------------------------------------------------------------------------------

// Whether the core takes these elements, asked by a call that only checks shapes.
inline bool accepts(int32_t code, Types types) {
    HeapMemory memory;
    Random random{1};
    AnyCall call({code, types, 2, nchw, false}, memory, random);
    fastroi_exec exec{};
    exec.struct_size = sizeof exec;
    exec.flow = FASTROI_CHECK_SHAPES;
    fastroi_error error;
    const fastroi_status status = call.run(exec, &error);
    if (status != FASTROI_OK && status != FASTROI_INVALID_TYPE) unit::fail(__FILE__, __LINE__, error.message);
    return status == FASTROI_OK;
}

struct Row {
    int32_t code;
    Types types;
};

// Every operator with the pairs of the core's elements that it takes: each to itself, to float32 and from float32.
inline std::vector<Row> operators_and_elements() {
    std::vector<Row> rows;
    for (int32_t code = 0; fastroi_operator_at(code); code++)
        for (int32_t map : elements)
            for (int32_t out : elements) {
                if (map != out && map != FASTROI_FLOAT32 && out != FASTROI_FLOAT32) continue;
                unit::now_checking("%s: elements %d to %d", fastroi_operator_at(code)->name, map, out);
                if (accepts(code, {map, out})) rows.push_back({code, {map, out}});
            }
    return rows;
}

inline void now_calling(const Choice& c, const AnyCall& call, const char* isa, const char* again) {
    const int64_t* const out = call.out().tensor.shape;
    unit::now_checking(
        "%s on %s: elements %d to %d, layout %d, channels or width %lld, out (%lld, %lld, %lld, %lld)%s; again: %s",
        fastroi_operator_at(c.code)->name, isa, c.types.map, c.types.out, c.layout, (long long)c.channels,
        (long long)out[0], (long long)out[1], (long long)out[2], (long long)out[3], call.text(), again);
}

// --- arguments -------------------------------------------------------------------------------------------------------------

// --name=number for each name that a program knows; anything else is refused.
struct Option {
    const char* name;
    double value;
};

template <size_t count>
void read_options(int given, char** arguments, Option (&options)[count]) {
    for (int i = 1; i < given; i++) {
        const char* const text = arguments[i];
        bool known = false;
        for (Option& option : options) {
            const size_t length = strlen(option.name);
            if (strncmp(text, "--", 2) || strncmp(text + 2, option.name, length) || text[2 + length] != '=') continue;
            option.value = strtod(text + 3 + length, nullptr);
            known = true;
        }
        if (known) continue;
        fprintf(stderr, "unknown argument %s\n", text);
        exit(2);
    }
}

}  // namespace calls
