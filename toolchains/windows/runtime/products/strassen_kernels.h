// The inner loops of products that save multiplications, see strassen.cpp.
#pragma once

#include <cstdint>

#include "kernels.h"

namespace aotwin::runtime::products {

struct StrassenKernels {
  // ProductKernels::multiply_block by the sum of two parts of blocks, or their difference, which is kept in `kept`, in lines as theirs.
  using Multiply = void (*)(const void* a, const float* b, const float* other, int64_t k, float* tile, bool first, const char* ahead, int64_t ahead_part, float* kept);
  Multiply multiply_sum[most_rows + 1];
  Multiply multiply_difference[most_rows + 1];
  // Seven products, each `count` numbers and `stride` from the one before, to the four quarters of results, which are written over the first four of them.
  void (*combine)(float* products, int64_t stride, int64_t count);
  // to = a + sign * b; may write up to 16 numbers past the end.
  void (*add)(float* to, const float* a, const float* b, float sign, int64_t count);
  // Adds the squares of a panel's numbers, lane by lane, to sums[16]; those from `count` on are of no meaning.
  void (*add_squares)(const float* panel, int count, int64_t k, float* sums);
  // The squares of a block's columns added up, over k.
  void (*squares_of_block)(const float* block, int64_t k, float* sums);
};

namespace level3 {
extern const StrassenKernels strassen_kernels;
}
namespace level4 {
extern const StrassenKernels strassen_kernels;
}

// Those of this CPU.
const StrassenKernels& strassen_kernels();

}  // namespace aotwin::runtime::products
