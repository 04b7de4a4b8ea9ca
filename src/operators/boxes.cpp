#include "boxes.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#include "../element.h"
#include "../plan/pace.h"
#include "../refusal.h"
#include "../type_codes.h"

namespace fastroi {
namespace {

template <class Number>
double read_as_double(const unsigned char* p) {
    Number n;
    memcpy(&n, p, sizeof n);
    return (double)n;
}

double read_float16(const unsigned char* p) {
    uint16_t bits;
    memcpy(&bits, p, sizeof bits);
    return (double)Float16::widen(bits);
}

using NumberReader = double (*)(const unsigned char*);

template <NumberReader reader>
using Constant = std::integral_constant<NumberReader, reader>;

// Calls body with the reader of a dtype, as a constant that inlines; says whether there is one.
template <class Body>
bool with_reader(int32_t dtype, const Body& body) {
    switch (dtype) {
        case FASTROI_FLOAT32: return body(Constant<read_as_double<float>>{}), true;
        case FASTROI_FLOAT64: return body(Constant<read_as_double<double>>{}), true;
        case FASTROI_FLOAT16: return body(Constant<read_float16>{}), true;
        case FASTROI_INT8: return body(Constant<read_as_double<int8_t>>{}), true;
        case FASTROI_INT16: return body(Constant<read_as_double<int16_t>>{}), true;
        case FASTROI_INT32: return body(Constant<read_as_double<int32_t>>{}), true;
        case FASTROI_INT64: return body(Constant<read_as_double<int64_t>>{}), true;
        case FASTROI_UINT8: return body(Constant<read_as_double<uint8_t>>{}), true;
        case FASTROI_UINT16: return body(Constant<read_as_double<uint16_t>>{}), true;
        case FASTROI_UINT32: return body(Constant<read_as_double<uint32_t>>{}), true;
        case FASTROI_UINT64: return body(Constant<read_as_double<uint64_t>>{}), true;
        default: return false;
    }
}

NumberReader reader_of(int32_t dtype) {
    NumberReader reader = nullptr;
    with_reader(dtype, [&](auto read) { reader = read; });
    return reader;
}

// The first image index that a floating dtype can no longer tell from its neighbour.
int64_t exact_integers(int32_t dtype) {
    return dtype == FASTROI_FLOAT16 ? 2048 : dtype == FASTROI_FLOAT32 ? 16777216 : INT64_MAX;
}

int64_t checked_image(double value, int64_t images, const char* argument, int64_t row) {
    if (value != std::floor(value) || std::isinf(value))
        refuse(FASTROI_INVALID_VALUE, row, "%s[%lld]: batch index %.17g is not an integer", argument, (long long)row,
               value);
    if (value < 0 || value >= (double)images)
        refuse(FASTROI_INVALID_VALUE, row, "%s[%lld]: batch index %.17g is outside [0, %lld)", argument, (long long)row,
               value, (long long)images);
    return (int64_t)value;
}

const char* const corner_names[2][max_box_coordinates] = {{"x1", "y1", "x2", "y2", ""},
                                                          {"cx", "cy", "w", "h", "angle"}};

double checked_coordinate(double value, int coordinates, int i, int64_t row) {
    if (!std::isfinite(value))
        refuse(FASTROI_INVALID_VALUE, row, "rois[%lld]: %s is %g; box coordinates must be finite", (long long)row,
               corner_names[coordinates - 4][i], value);
    return value;
}

}  // namespace

void check_box_table(const fastroi_boxes& boxes, int coordinates, int64_t images) {
    if (boxes.count < 0) refuse(FASTROI_INVALID_VALUE, -1, "rois: count %lld is negative", (long long)boxes.count);
    if (boxes.columns != coordinates && boxes.columns != coordinates + 1)
        refuse(FASTROI_INVALID_VALUE, -1, "rois: %d columns; expected %d or %d", boxes.columns, coordinates,
               coordinates + 1);
    if (!reader_of(boxes.dtype)) refuse(FASTROI_INVALID_TYPE, -1, "rois: unknown dtype code %d", boxes.dtype);
    if (boxes.count > 0 && !boxes.data) refuse(FASTROI_INVALID_VALUE, -1, "rois: data is NULL");
    if (boxes.columns == coordinates + 1 && boxes.batch_indices)
        refuse(FASTROI_INVALID_VALUE, -1, "batch_indices: given, but rois already has a batch column");
    if (boxes.columns == coordinates + 1 && images > exact_integers(boxes.dtype))
        refuse(FASTROI_INVALID_TYPE, -1, "rois: its dtype cannot tell %lld batch indices apart; pass batch_indices",
               (long long)images);
    if (boxes.batch_indices && !is_integer(boxes.batch_dtype))
        refuse(FASTROI_INVALID_TYPE, -1, "batch_indices: an integer dtype is required");
    if (boxes.columns == coordinates && !boxes.batch_indices && images != 1 && boxes.count > 0)
        refuse(FASTROI_INVALID_VALUE, -1,
               "batch_indices: required when rois has no batch column and there are %lld images", (long long)images);
}

std::vector<Box> read_boxes(const fastroi_boxes& boxes, int coordinates, int64_t images, StopSign* stop) {
    check_box_table(boxes, coordinates, images);
    const NumberReader read_index = boxes.batch_indices ? reader_of(boxes.batch_dtype) : nullptr;
    const int skipped = boxes.columns - coordinates;
    std::vector<Box> result(boxes.count);
    Pace pace(stop, 0);
    with_reader(boxes.dtype, [&](auto read) {
        for (int64_t k = 0; k < boxes.count; k++) {
            pace.worked(1);
            const unsigned char* row = (const unsigned char*)boxes.data + k * boxes.strides[0];
            Box& box = result[k];
            for (int i = 0; i < coordinates; i++)
                box.coordinate[i] = checked_coordinate(read(row + (i + skipped) * boxes.strides[1]), coordinates, i, k);
            if (skipped)
                box.image = checked_image(read(row), images, "rois", k);
            else if (read_index)
                box.image =
                    checked_image(read_index((const unsigned char*)boxes.batch_indices + k * boxes.batch_stride),
                                  images, "batch_indices", k);
        }
    });
    return result;
}

}  // namespace fastroi
