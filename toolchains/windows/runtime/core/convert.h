// Rows of elements turned from one dtype into another.
#pragma once

#include <cstdint>

#include "dtype.h"

namespace aotwin::runtime {

// Strides in bytes.
using ConvertRow = void (*)(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t count);

// For two different dtypes. Throws Error where there is no conversion (float4).
class Converter {
 public:
  Converter(Dtype to, Dtype from);
  void operator()(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t count) const;

 private:
  using Load = void (*)(void* wide, const char* from, int64_t stride, int64_t count);
  using Store = void (*)(char* to, int64_t stride, const void* wide, int64_t count);

  ConvertRow direct_ = nullptr;
  Load load_ = nullptr;
  Store store_ = nullptr;
};

}  // namespace aotwin::runtime
