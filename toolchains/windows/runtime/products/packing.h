// What the orders of work have in common: even parts, and panels of operands that lie in memory.
#pragma once

#include <algorithm>

#include "product.h"

namespace aotwin::runtime::products {

inline constexpr int64_t panel_slack = 16;  // elements that pack_lanes writes past a panel

inline int64_t whole_lines(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// Where part `index` of `whole` begins, in parts of nearly one size.
inline int64_t part(int64_t whole, int64_t parts, int64_t index) {
  return whole / parts * index + std::min(index, whole % parts);
}

// Parts of that size, the last of which may be smaller.
inline int64_t parts_of(int64_t whole, int64_t part) {
  return (whole + part - 1) / part;
}

// A panel of `count` lanes: `lane_stride` is that between rows of A, or columns of B.
void pack_operand(const ProductKernels& kernels, const Operand& operand, Dtype dtype, int64_t batch, int64_t lane_stride, int64_t k_stride, int64_t first_lane,
                  int count, int width, int64_t first_k, int64_t k, void* panel);

// How many of `count` (at most `most`) are one task's, such that threads end at the same time; the most of equals. `units`: how often
// there are that many.
int64_t even_parts(int64_t units, int64_t count, int64_t most, int64_t threads);

}  // namespace aotwin::runtime::products
