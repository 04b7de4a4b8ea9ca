// A call of any operator made of bytes: sizes, layouts, params by the table's fields, boxes. What the bytes cannot decide is how
// long it takes: maps and results hold some thousand elements, axes beyond that one element many times, with small boxes on them.
#pragma once
#include "../../fastroi/include/fastroi.h"
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "array.h"

namespace fuzz {

constexpr int64_t most_elements = 2048;
constexpr int64_t most_points = 4096;  // sample points asked for by name, in all bins of all boxes

inline int32_t operator_count() {
    static const int32_t count = [] {
        int32_t code = 0;
        while (fastroi_operator_at(code)) code++;
        return code;
    }();
    return count;
}

// Fields that are more to a call than numbers.
#define FUZZ_FIELDS(FIELD)   \
    FIELD(scale_h)           \
    FIELD(scale_w)           \
    FIELD(sampling_h)        \
    FIELD(sampling_w)        \
    FIELD(sample_per_part)   \
    FIELD(group_h)           \
    FIELD(group_w)           \
    FIELD(part_h)            \
    FIELD(part_w)            \
    FIELD(orientations)      \
    FIELD(levels)            \
    FIELD(zeroed)            \
    FIELD(argmax)            \
    FIELD(offset)            \
    FIELD(trans)             \
    FIELD(scales)            \
    FIELD(level_of_roi)      \
    FIELD(horizontal_scales) \
    FIELD(reduce)            \
    FIELD(extrapolation_value)

// What the table says of an operator, looked up once: names that are compared again and again would become a part of the inputs.
struct Operator {
    enum class Role { other, choice, flag, count, sampling, group, whole, scale, number };

    const fastroi_operator* row;
    std::vector<Role> roles;
#define FUZZ_MEMBER(name) const fastroi_field* name = nullptr;
    FUZZ_FIELDS(FUZZ_MEMBER)

    explicit Operator(const fastroi_operator* from) : row(from) {
        for (int32_t i = 0; i < row->field_count; i++) {
            const fastroi_field* const f = row->fields + i;
            roles.push_back(role_of(*f));
#define FUZZ_FIND(member) \
    if (strcmp(f->name, #member) == 0) member = f;
            FUZZ_FIELDS(FUZZ_FIND)
        }
    }
    static const Operator& at(int32_t code) {
        static const std::vector<Operator> all = [] {
            std::vector<Operator> found;
            for (int32_t i = 0; i < operator_count(); i++) found.emplace_back(fastroi_operator_at(i));
            return found;
        }();
        return all[code];
    }

private:
    static Role role_of(const fastroi_field& f) {
        const std::string name = f.name, type = f.type, of = f.of;
        const auto begins = [&](const char* with) { return name.rfind(with, 0) == 0; };
        if (f.choices) return Role::choice;
        if (of == "flag") return Role::flag;
        if (type == "int32_t") return Role::count;
        if (type == "int64_t") return begins("sampling") ? Role::sampling : begins("group") ? Role::group : Role::whole;
        if (type == "double") return begins("scale") ? Role::scale : Role::number;
        return Role::other;
    }
};

class Call;
inline const Call* current = nullptr;  // what is being looked at

[[noreturn]] inline void fail(const char* what, const char* more = "");

// An answer in words and numbers as fastroi.h promises them.
inline void check_error(const fastroi_error& error, fastroi_status status) {
    if (error.status != status) fail("the error has another status than the call");
    if (status < FASTROI_OK || status > FASTROI_OVERFLOW) fail("an unexpected status", error.message);
    if (!memchr(error.message, 0, sizeof error.message)) fail("a message without an end");
    if ((status == FASTROI_OK) != (error.message[0] == 0)) fail("a refusal without words, or words without one");
    if (error.row < -1) fail("a row before the first", error.message);
}

// Values that the map of a call may hold.
enum class Values { any, finite };

class Call {
public:
    int32_t code;
    const Operator* op;
    std::vector<Array> maps;
    std::vector<fastroi_tensor> features;
    fastroi_boxes boxes{};
    fastroi_exec exec{};
    Array out, argmax, offsets;
    Memory params;

    Call(Bytes& bytes, Values values, int64_t most_boxes = 6) : bytes_(bytes), most_boxes_(most_boxes) {
        code = (int32_t)(bytes.byte() % operator_count());
        op = &Operator::at(code);
        choose_sizes();
        choose_params();
        make_maps(values);
        make_out();
        make_boxes();
        make_arrays();
        exec.struct_size = sizeof exec;
        exec.num_threads = 1;
        current = this;
    }
    ~Call() { current = nullptr; }
    Call(const Call&) = delete;

    // In words, for whoever looks for the cause of a failure.
    std::string text() const {
        std::string all = op->row->name;
        const auto add = [&](const char* format, auto... values) {
            char line[300];
            snprintf(line, sizeof line, format, values...);
            all += line;
        };
        const auto add_tensor = [&](const char* name, const fastroi_tensor& t) {
            add("\n%s dtype %d", name, t.dtype);
            for (int i = 0; i < 4; i++) add(" %lld:%lld", (long long)t.shape[i], (long long)t.strides[i]);
        };
        for (const fastroi_tensor& map : features) add_tensor("map", map);
        add_tensor("out", out.tensor);
        for (int32_t i = 0; i < op->row->field_count; i++) {
            const fastroi_field& f = op->row->fields[i];
            if (strcmp(f.type, "double") == 0)
                add("\n%s %.17g", f.name, get<double>(&f, 0));
            else if (strcmp(f.type, "int32_t") == 0)
                add("\n%s %d", f.name, get<int32_t>(&f, 0));
            else
                add("\n%s %lld", f.name, (long long)get<int64_t>(&f, 0));
        }
        for (int64_t k = 0; k < boxes.count; k++) {
            add("\nbox of dtype %d, image %s", boxes.dtype, boxes.batch_indices ? "beside it" : "in it");
            for (int i = 0; i < boxes.columns; i++) {
                const unsigned char* const p =
                    (const unsigned char*)boxes.data + k * boxes.strides[0] + i * boxes.strides[1];
                double wide = 0;
                float narrow = 0;
                memcpy(&wide, p, item_of(boxes.dtype));
                memcpy(&narrow, p, std::min<int64_t>(4, item_of(boxes.dtype)));
                add(" %.17g", boxes.dtype == FASTROI_FLOAT64   ? wide
                              : boxes.dtype == FASTROI_FLOAT32 ? (double)narrow
                                                               : 0);
            }
        }
        return all;
    }

    bool takes(int32_t flag) const { return (op->row->flags & flag) != 0; }
    bool pastes() const { return op->zeroed != nullptr; }
    int64_t count() const { return boxes.count; }
    int coordinates() const { return takes(FASTROI_TAKES_TURNED_BOXES) ? 5 : 4; }

    template <class Value>
    Value get(const fastroi_field* f, Value otherwise) const {
        if (f) memcpy(&otherwise, params.data() + f->offset, sizeof otherwise);
        return otherwise;
    }
    template <class Value>
    void set(const fastroi_field* f, Value value) const {
        memcpy(params.data() + f->offset, &value, sizeof value);
    }

    // Runs it; whatever it answers is said in the words and numbers that the header promises.
    fastroi_status run(const Array& result) const {
        fastroi_error error;
        memset(&error, 0x5a, sizeof error);
        const fastroi_status status =
            fastroi_run(code, features.data(), &boxes, params.data(), &result.tensor, &exec, &error);
        check_error(error, status);
        return status;
    }
    fastroi_status run() const { return run(out); }

    // Which map the first box of an accepted call reads.
    int64_t image_of_first() const { return image_of_first_; }
    int64_t level_of_first() const {
        int64_t level = 0;
        if (op->level_of_roi) memcpy(&level, levels_.data(), sizeof level);
        return level;
    }

private:
    int64_t extent(int64_t most) {
        static constexpr int64_t odd[] = {
            0, 64, 16777217, 16777220, 33554435, INT32_MAX - 2, INT32_MAX, (int64_t)INT32_MAX + 1,
        };
        return bytes_.one_in(24) ? bytes_.one_of(odd) : bytes_.between(1, most);
    }
    static bool is_wide(int64_t extent) { return extent > 4096; }
    bool is_wide() const { return is_wide(rows_) || is_wide(columns_); }

    void choose_sizes() {
        images_ = bytes_.one_in(40) ? 0 : bytes_.between(1, 3);
        channels_ = bytes_.one_in(40) ? 0 : bytes_.between(1, 80);
        rows_ = extent(20), columns_ = extent(20);
        if (is_wide(rows_)) columns_ = std::min<int64_t>(columns_, 7);
        bin_rows_ = bytes_.one_in(60) ? 0 : bytes_.between(1, 8);
        bin_columns_ = bytes_.between(1, bytes_.one_in(30) ? 200 : 8);
        boxes.count = bytes_.one_in(40) ? 0 : bytes_.between(1, most_boxes_);
        if (pastes()) {  // all cells of masks of bytes are looked at
            images_ = boxes.count;
            rows_ = std::min<int64_t>(rows_, 64), columns_ = std::min<int64_t>(columns_, 64);
        }
    }

    // --- params ------------------------------------------------------------------------------------------------------------

    void choose_params() {
        params = Memory((int64_t)op->row->params_size);
        memset(params.data(), 0, op->row->params_size);
        memcpy(params.data(), &op->row->params_size, sizeof op->row->params_size);
        for (int32_t i = 0; i < op->row->field_count; i++) choose(&op->row->fields[i], op->roles[i]);
        bound_sampling();
    }

    void choose(const fastroi_field* f, Operator::Role role) {
        using Role = Operator::Role;
        static constexpr int64_t samplings[] = {2, 0, 1, 3, -1, 7, 40, 1024};
        static constexpr double numbers[] = {0.5, 0.1, 0, 1, -1.5, 100};
        const bool hostile = bytes_.one_in(40);
        switch (role) {
            case Role::choice: return set(f, hostile ? bytes_.raw<int32_t>() : (int32_t)bytes_.below(f->choice_count));
            case Role::flag: return set(f, hostile ? bytes_.raw<int32_t>() : (int32_t)bytes_.below(2));
            case Role::count: return set(f, (int32_t)bytes_.between(1, 3));
            case Role::sampling: return set(f, hostile ? bytes_.hostile_int64() : bytes_.one_of(samplings));
            case Role::group: return set(f, hostile ? bytes_.hostile_int64() : bytes_.between(op->part_h ? 1 : 0, 4));
            case Role::whole: return set(f, hostile ? bytes_.hostile_int64() : bytes_.between(1, 4));
            case Role::scale: return set(f, hostile ? bytes_.hostile_double() : ordinary_scale());
            case Role::number: return set(f, hostile ? bytes_.hostile_double() : bytes_.one_of(numbers));
            case Role::other: return;
        }
    }
    double ordinary_scale() {
        static constexpr double scales[] = {1.0, 1 / 4.0, 1 / 16.0, 0.3, 1.7, 1e-3, 30};
        return bytes_.one_of(scales);
    }
    bool samples_one_by_one() const { return takes(FASTROI_TAKES_TURNED_BOXES) || op->offset || op->trans; }

    // Points that are asked for by number take their time, however small the map.
    void bound_sampling() const {
        constexpr int64_t refused = (1 << 20) + 1;
        const double bins = std::max<double>(1, (double)(bin_rows_ * bin_columns_ * boxes.count));
        const double most = samples_one_by_one() ? std::sqrt(most_points / bins) : most_points / bins;
        for (const fastroi_field* f : {op->sampling_h, op->sampling_w, op->sample_per_part})
            if (const int64_t sampling = get<int64_t>(f, 0); (double)sampling > most && sampling < refused)
                set<int64_t>(f, std::max<int64_t>(1, (int64_t)most));
    }

    // --- maps and results --------------------------------------------------------------------------------------------------

    int64_t group(const fastroi_field* f, int64_t otherwise) const {
        const int64_t given = get<int64_t>(f, 1);
        return given == 0 ? std::max<int64_t>(1, otherwise) : given >= 1 && given <= 64 ? given : 1;
    }
    int64_t channel_step() const {
        const int64_t orientations = get<int64_t>(op->orientations, 1);
        return group(op->group_h, bin_rows_) * group(op->group_w, bin_columns_) *
               (orientations >= 1 && orientations <= 64 ? orientations : 1);
    }
    // Of a wide axis, one element has memory.
    static int64_t held(int64_t extent) { return is_wide(extent) ? 1 : std::max<int64_t>(1, extent); }
    int64_t held_cells() const { return std::max<int64_t>(1, images_) * held(rows_) * held(columns_); }

    // As many channels as fit into `most_elements` of a map and of a result, in steps of what the operator asks for.
    void fit_channels() {
        const int64_t step = channel_step();
        while (step * held_cells() > 4 * most_elements && held(rows_) * held(columns_) > 1) {
            if (!is_wide(rows_)) rows_ = (rows_ + 1) / 2;
            if (!is_wide(columns_)) columns_ = (columns_ + 1) / 2;
        }
        const int64_t bins = std::max<int64_t>(1, boxes.count * bin_rows_ * bin_columns_);
        const int64_t most = std::max<int64_t>(1, most_elements / std::max(held_cells(), bins));
        if (takes(FASTROI_TAKES_MASKS))
            channels_ = 1;
        else if (channels_ > 0)
            channels_ = std::max<int64_t>(1, std::min(channels_, most) / step) * step;
    }

    void make_maps(Values values) {
        fit_channels();
        const bool levels = takes(FASTROI_TAKES_LEVELS);
        const int32_t count = levels ? get<int32_t>(op->levels, 1) : 1;
        static constexpr int32_t elements[] = {
#define FASTROI_X(name, code, type) code,
            FASTROI_ELEMENTS(FASTROI_X)
#undef FASTROI_X
        };
        constexpr int64_t count_of_elements = sizeof elements / sizeof *elements;
        const int64_t pair = bytes_.below(count_of_elements * count_of_elements);
        dtype_ = elements[pair % count_of_elements];
        out_dtype_ = elements[pair / count_of_elements];
        const int64_t seed = bytes_.byte();
        const bool special = values == Values::any && bytes_.one_in(4);
        for (int32_t level = 0; level < count; level++) {
            const int64_t shape[4] = {images_, channels_, level && !is_wide(rows_) ? (rows_ + 1) / 2 : rows_, columns_};
            maps.emplace_back(dtype_, shape, Sharing::allowed, bytes_);
            fill(maps.back(), seed, special);
            features.push_back(maps.back().tensor);
        }
    }
    void fill(const Array& map, int64_t seed, bool special) const {
        uint64_t state = (uint64_t)seed;
        map.for_each([&](unsigned char* p) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            store(p, dtype_, value_of((uint32_t)(state >> 32), special));
        });
    }
    // Masks are of values up to 1, maps of values up to 4; whole numbers among them, so that maxima are met twice.
    double value_of(uint32_t random, bool special) const {
        static constexpr double odd[] = {std::numeric_limits<double>::quiet_NaN(),
                                         std::numeric_limits<double>::infinity(),
                                         -std::numeric_limits<double>::infinity(),
                                         3e38,
                                         -3e38,
                                         1e-42,
                                         -0.0};
        if (special && random % 11 == 0) return odd[random / 11 % 7];
        if (dtype_ >= FASTROI_INT8 && dtype_ <= FASTROI_UINT64) return random % (takes(FASTROI_TAKES_MASKS) ? 2 : 5);
        const double fraction = random * 0x1p-32;
        return takes(FASTROI_TAKES_MASKS) ? fraction
               : random % 3 == 0          ? std::floor(fraction * 8) - 4
                                          : fraction * 8 - 4;
    }

    void make_out() {
        const int64_t groups = op->group_h ? group(op->group_h, bin_rows_) * group(op->group_w, bin_columns_) : 1;
        const int64_t shape[4] = {boxes.count, channels_ / std::max<int64_t>(1, groups), bin_rows_, bin_columns_};
        const bool masks = takes(FASTROI_TAKES_MASKS), binary = masks && bytes_.one_in(2);
        const bool whole = out_dtype_ >= FASTROI_INT8 && out_dtype_ <= FASTROI_UINT64;
        out = Array(binary           ? (int32_t)FASTROI_UINT8
                    : masks && whole ? (int32_t)FASTROI_FLOAT32
                                     : out_dtype_,
                    shape, Sharing::none, bytes_);
    }

    // --- boxes -------------------------------------------------------------------------------------------------------------

    double coordinate(int64_t extent, double scale) {
        const double cells = takes(FASTROI_TAKES_NORMALISED_BOXES) ? 1 : (double)extent;
        const double share = bytes_.byte() / 160.0 - 0.3;
        switch (bytes_.below(10)) {
            case 1: return std::floor(share * cells / scale);
            case 2: return std::floor(share * cells) / scale;
            case 3: return (std::floor(share * cells) + 0.5) / scale;
            case 4: return std::nextafter(std::floor(share * cells) / scale, bytes_.byte() % 2 ? 1e300 : -1e300);
            case 5: return share * cells / scale * 20;
            case 6: return bytes_.one_in(3) ? bytes_.hostile_double() : share;
            default: return share * cells / scale;
        }
    }
    // Where an axis has as many cells as a large box: a small one somewhere, often at the end.
    void choose_small_side(double& lo, double& hi, int64_t extent, double scale) {
        const double unit = scale * (takes(FASTROI_TAKES_NORMALISED_BOXES) ? (double)(extent - 1) : 1);
        const double start =
            bytes_.one_in(3) ? bytes_.byte() / 256.0 * (double)extent : (double)extent - bytes_.byte() / 8.0;
        const double size = bytes_.byte() / 8.0;
        lo = start / unit, hi = (takes(FASTROI_TAKES_TURNED_BOXES) ? size : start + size) / unit;
    }
    void choose_side(double& lo, double& hi, int64_t extent, double scale) {
        if (is_wide(extent) || (is_wide() && takes(FASTROI_TAKES_TURNED_BOXES)))
            return choose_small_side(lo, hi, extent, scale);
        lo = coordinate(extent, scale), hi = coordinate(extent, scale);
        const bool corners = !takes(FASTROI_TAKES_TURNED_BOXES);
        if (corners && lo > hi && !bytes_.one_in(6)) std::swap(lo, hi);
    }

    static double sound_scale(double scale) { return scale > 0 && std::isfinite(scale) ? scale : 1; }

    void make_boxes() {
        // A wide axis needs a type that holds its numbers, or a small box becomes a large one.
        boxes.dtype = !is_wide() && bytes_.one_in(2) ? (int32_t)bytes_.below(FASTROI_UINT64 + 1) : FASTROI_FLOAT64;
        boxes.columns = coordinates() + (int32_t)(pastes() ? 0 : bytes_.below(2));
        const int64_t item = item_of(boxes.dtype), gap = bytes_.one_in(4) ? bytes_.byte() : 0;
        const bool transposed = bytes_.one_in(6), repeated = bytes_.one_in(12);
        boxes.strides[1] = transposed ? item * std::max<int64_t>(1, boxes.count) : item;
        boxes.strides[0] = repeated ? 0 : transposed ? item : boxes.columns * item + gap;
        const int64_t last = (boxes.count - 1) * boxes.strides[0] + (boxes.columns - 1) * boxes.strides[1];
        box_memory_ = Memory(boxes.count == 0 ? 0 : last + item);
        boxes.data = box_memory_.data();
        for (int64_t k = 0; k < boxes.count; k++) write_box(k, box_memory_.data() + k * boxes.strides[0]);
        if (boxes.columns == coordinates() && !pastes() && (images_ != 1 || bytes_.one_in(2))) make_indices();
    }
    void write_box(int64_t k, unsigned char* row) {
        const double scale_h = sound_scale(get<double>(op->scale_h, 1)),
                     scale_w = sound_scale(get<double>(op->scale_w, 1));
        double box[5] = {};
        choose_side(box[0], box[2], pastes() ? bin_columns_ : columns_, scale_w);
        choose_side(box[1], box[3], pastes() ? bin_rows_ : rows_, scale_h);
        box[4] = bytes_.one_in(8) ? bytes_.hostile_double() : (double)bytes_.between(-90, 90);
        if (boxes.columns > coordinates()) {
            store(row, boxes.dtype, image(k));
            row += boxes.strides[1];
        }
        for (int i = 0; i < coordinates(); i++) store(row + i * boxes.strides[1], boxes.dtype, box[i]);
    }
    double image(int64_t k) {
        const double chosen =
            bytes_.one_in(60) ? bytes_.hostile_double() : (double)bytes_.below(std::max<int64_t>(1, images_));
        if (k == 0) image_of_first_ = chosen >= 0 && chosen < (double)images_ ? (int64_t)chosen : 0;
        return chosen;
    }
    void make_indices() {
        boxes.batch_dtype = (int32_t)bytes_.between(FASTROI_INT8, FASTROI_UINT64);
        boxes.batch_stride = item_of(boxes.batch_dtype);
        index_memory_ = Memory(boxes.count * boxes.batch_stride);
        boxes.batch_indices = index_memory_.data();
        for (int64_t k = 0; k < boxes.count; k++) {
            const double chosen =
                image(k);  // of the first box it must be known: no type may wrap it into another image
            store(index_memory_.data() + k * boxes.batch_stride, boxes.batch_dtype,
                  k == 0 ? std::clamp(chosen, -1.0, 127.0) : chosen);
        }
    }

    // --- arrays among the params -------------------------------------------------------------------------------------------

    void make_arrays() {
        const int64_t part_h = get<int64_t>(op->part_h, 1), part_w = get<int64_t>(op->part_w, 1);
        const bool parts_fit = std::max(part_h, part_w) <= 16 && std::min(part_h, part_w) >= 0;
        if (op->argmax && bytes_.one_in(2)) {
            argmax = Array(FASTROI_INT64, out.tensor.shape, Sharing::none, bytes_);
            set<const fastroi_tensor*>(op->argmax, &argmax.tensor);
        }
        if (op->offset && bytes_.one_in(2)) attach(op->offset, {boxes.count, 2, bin_rows_, bin_columns_});
        if (op->trans && parts_fit && bytes_.one_in(2))
            attach(op->trans, {boxes.count, 2 * bytes_.between(1, 2), part_h, part_w});
        if (takes(FASTROI_TAKES_LEVELS)) make_levels();
    }
    void attach(const fastroi_field* f, const int64_t (&shape)[4]) {
        const int32_t dtype = bytes_.one_in(2) ? FASTROI_FLOAT64 : FASTROI_FLOAT32;
        offsets = Array(dtype, shape, Sharing::allowed, bytes_);
        const double step = bytes_.one_in(5) ? bytes_.hostile_double() : bytes_.byte() / 256.0;
        int64_t i = 0;
        offsets.for_each([&](unsigned char* p) { store(p, dtype, (double)(i++ % 7 - 3) * step); });
        set<const fastroi_tensor*>(f, &offsets.tensor);
    }
    void make_levels() {
        const int64_t count = (int64_t)maps.size();
        for (Memory* scales : {&scales_, &horizontal_scales_}) {
            *scales = Memory(count * 8);
            for (int64_t i = 0; i < count; i++) store_as(scales->data() + i * 8, is_wide() ? 1.0 : level_scale());
        }
        levels_ = Memory(boxes.count * 8);
        for (int64_t k = 0; k < boxes.count; k++)
            store_as(levels_.data() + k * 8, bytes_.one_in(40) ? bytes_.hostile_int64() : bytes_.below(count));
        set(op->scales, (const double*)scales_.data());
        set(op->level_of_roi, (const int64_t*)levels_.data());
        if (bytes_.one_in(2)) set(op->horizontal_scales, (const double*)horizontal_scales_.data());
    }
    double level_scale() { return bytes_.one_in(30) ? bytes_.hostile_double() : ordinary_scale(); }

    Bytes& bytes_;
    int64_t most_boxes_, image_of_first_ = 0;
    int64_t images_ = 1, channels_ = 1, rows_ = 1, columns_ = 1, bin_rows_ = 1, bin_columns_ = 1;
    int32_t dtype_ = 0, out_dtype_ = 0;
    Memory box_memory_, index_memory_, scales_, horizontal_scales_, levels_;
};

[[noreturn]] inline void fail(const char* what, const char* more) {
    fprintf(stderr, "FAILED: %s %s\n%s\n", what, more, current ? current->text().c_str() : "");
    abort();
}

}  // namespace fuzz
