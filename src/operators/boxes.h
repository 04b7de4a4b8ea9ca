// The caller's boxes, read once: the only place below the ABI that looks at them, and the only one that refuses them.
#pragma once
#include <vector>

#include "../../fastroi/include/fastroi.h"
#include "../plan/box.h"

namespace fastroi {

class StopSign;

// Checks all of a table of boxes but their values.
void check_box_table(const fastroi_boxes& boxes, int coordinates, int64_t images);

// Reads and checks every box: `coordinates` finite numbers a row (4: x1 y1 x2 y2) and an image index in [0, images).
std::vector<Box> read_boxes(const fastroi_boxes& boxes, int coordinates, int64_t images, StopSign* stop = nullptr);

}  // namespace fastroi
