// The inner loops of attention beside its two products, one table per type of sums and CPU level.
//
// Scores lie transposed: a row for each key, in it a lane for each query. So maximum and sum over keys run down the rows, register by
// register, and the weights are what the second product takes as a panel, without being moved.
//
// Weights are powers of two in float (of e in double): `unit` turns a natural logarithm into one of theirs. What is subtracted of the scores need
// not be their maximum, only not far below it; so it is raised, and what was added up before multiplied, where the maximum has grown by more than
// a little.
#pragma once

#include <cstdint>

#include "../core/dtype.h"

namespace aotwin::runtime::products {

struct Scores {
  void* scores;          // [keys][width] of the sums' type: products of queries and keys in, weights out (as bfloat16, two keys in 32 bits, where
                         // such pairs are multiplied; an odd last key has a zero beside it)
  int64_t keys;
  int width;             // lanes
  double scale;
  const void* mask;      // [keys][width], or with mask_row 0 one number for each key, or null; in the sums' type
  int64_t mask_row;
  int64_t first_hidden;  // lane i does not see keys from first_hidden + i on (causal)
  void* base;            // [width]: what is subtracted, in `unit`s, in and out; at first minus infinity
  void* sum;             // [width]: of the weights so far, in and out
  void* correction;      // [width]: out, where weigh returns true: what was added up before must be multiplied by it
};

struct AttentionKernels {
  double unit;
  // True where some correction is not 1.
  bool (*weigh)(const Scores& scores);
  // rows of `width` lanes, each lane multiplied by its factor
  void (*rescale)(void* rows, int64_t count, int width, const void* factors);
  // [size][width] sums to rows of results: out[lane * row + i] for `lanes` lanes, times factors[lane], rounded.
  void (*write)(Dtype dtype, const void* sums, int64_t size, int width, int lanes, const void* factors, void* out, int64_t row);
  // A panel of `rows` (at most 14) next to each other in memory, k after k (or pairs of them). Like pack_columns, for widths below a register.
  void (*pack_narrow)(Dtype dtype, void* panel, const void* from, int64_t k_stride, int rows, int64_t k, bool may_read_past);
  // One query: scores in, weights out; returns their sum and tells the largest.
  double (*weigh_row)(void* scores, int64_t keys, double scale, const void* mask, double* largest);
};

namespace level3 {
extern const AttentionKernels attention_kernels_float;
extern const AttentionKernels attention_kernels_double;
}  // namespace level3
namespace level4 {
extern const AttentionKernels attention_kernels_float;
extern const AttentionKernels attention_kernels_double;
extern const AttentionKernels attention_kernels_pairs;
}  // namespace level4
// `pairs`: those for bfloat_kernels().
const AttentionKernels& attention_kernels(Dtype dtype, bool pairs);

}  // namespace aotwin::runtime::products
