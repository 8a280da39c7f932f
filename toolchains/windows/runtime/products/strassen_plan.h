// How a product by Strassen's algorithm is cut up, and A's quarters as panels. See strassen.cpp.
#pragma once

#include "packing.h"
#include "strassen_kernels.h"

namespace aotwin::runtime::products {

// first + sign * second, of quarters; or the first alone.
enum Quarter { q11, q12, q21, q22, no_quarter = -1 };
struct Term {
  Quarter first;
  Quarter second;
  float sign;
};
struct Step {
  Term a;
  Term b;
};
inline constexpr Step steps[7] = {
    {{q11, q22, 1}, {q11, q22, 1}},
    {{q21, q22, 1}, {q11, no_quarter, 1}},
    {{q11, no_quarter, 1}, {q12, q22, -1}},
    {{q22, no_quarter, 1}, {q21, q11, -1}},
    {{q11, q12, 1}, {q22, no_quarter, 1}},
    {{q21, q11, -1}, {q11, q12, 1}},
    {{q12, q22, -1}, {q21, q22, 1}},
};
// Which of a group's panels are quarters of A. A12 and A21 are none of the steps', and are there only where the group's rows are apart.
inline constexpr int plain_panels[4] = {2, 4, 5, 3};

// Some rows of a product. Neither its halves nor its groups depend on the number of threads.
struct StrassenPlan {
  StrassenPlan(const Product& of, const ProductKernels& with, int64_t first, int64_t last, int threads);

  int64_t row_of(int64_t group) const { return height * group + std::min(group, higher); }  // of a half
  int64_t count_of(int64_t group) const { return row_of(group + 1) - row_of(group); }
  // Rows of A, of which the last group of the lower half may have one less.
  int64_t row_at(int64_t group, int quarter) const { return first_row + quarter / 2 * half_rows + row_of(group); }
  int64_t rows_at(int64_t group, int quarter) const { return std::min(count_of(group), end - row_at(group, quarter)); }
  int64_t k_of(int64_t block) const { return std::min(k_block, half_k - block * k_block); }
  float* panel_at(int64_t group, int64_t block, int number) const {
    return reinterpret_cast<float*>(packed + ((group * k_blocks + block) * 7 + number) * panel_stride);
  }
  const float* b_at(int64_t pair, int quarter, int64_t block) const {
    const int64_t k = (quarter == q21 || quarter == q22 ? half_k : 0) + block * k_block;
    return static_cast<const float*>(product.b.data) + (2 * pair + quarter % 2) * product.b_block + k * block_columns;
  }

  const Product& product;
  const ProductKernels& kernels;
  const StrassenKernels& strassen;
  int64_t halves;  // how many tiles are as wide as a block
  int64_t first_row;
  int64_t end;
  int64_t half_rows;
  int64_t groups;  // of a half's rows
  int64_t height;  // of a group; the first `higher` of them have one row more
  int64_t higher;
  int64_t parts;  // of the groups
  int64_t half_k;
  int64_t k_blocks;
  int64_t k_block;
  int64_t panel_stride;
  char* packed = nullptr;
  bool* apart = nullptr;  // [groups]
};

// One thread's memory.
struct StrassenMemory {
  float* panels[2];  // of A
  float* kept;       // sums of two quarters of B
  float* sums;
};

// One quarter of A: a group's rows, one block of k.
void pack_quarter(const StrassenPlan& plan, int64_t group, int64_t block, int quarter, float* to);
// All of a group's panels. Finds out whether two rows of a pair are apart.
void pack_group(const StrassenPlan& plan, int64_t group, const StrassenMemory& own);
// Whether the columns of a pair of blocks are apart, which is looked at once.
bool columns_are_apart(const StrassenPlan& plan, int64_t pair);

}  // namespace aotwin::runtime::products
