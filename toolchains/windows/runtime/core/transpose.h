// Blocks of elements written in another order of dimensions than they are read in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aotwin::runtime {

// to[row * to_stride + column * item] = from[row * item + column * from_stride]; strides in bytes; item is 1, 2, 4, 8 or 16.
using TransposeTile = void (*)(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t rows, int64_t columns);
TransposeTile transpose_tile(size_t item);

}  // namespace aotwin::runtime
