// Element types: our numbers, torch's names, bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <iterator>

#include "aotwin.h"

namespace aotwin {

struct Dtype {
  aotwin_dtype value;
  // torch's short name; `aoti_torch_dtype_<name>` gives torch's own number of it.
  const char* name;
  uint64_t nbytes;
};

inline constexpr Dtype dtypes[] = {
    {AOTWIN_FLOAT32, "float32", 4},
    {AOTWIN_FLOAT64, "float64", 8},
    {AOTWIN_FLOAT16, "float16", 2},
    {AOTWIN_BFLOAT16, "bfloat16", 2},
    {AOTWIN_INT8, "int8", 1},
    {AOTWIN_INT16, "int16", 2},
    {AOTWIN_INT32, "int32", 4},
    {AOTWIN_INT64, "int64", 8},
    {AOTWIN_UINT8, "uint8", 1},
    {AOTWIN_UINT16, "uint16", 2},
    {AOTWIN_UINT32, "uint32", 4},
    {AOTWIN_UINT64, "uint64", 8},
    {AOTWIN_BOOL, "bool", 1},
    {AOTWIN_COMPLEX32, "complex32", 4},
    {AOTWIN_COMPLEX64, "complex64", 8},
    {AOTWIN_COMPLEX128, "complex128", 16},
    {AOTWIN_FLOAT8_E4M3FN, "float8_e4m3fn", 1},
    {AOTWIN_FLOAT8_E5M2, "float8_e5m2", 1},
    {AOTWIN_FLOAT8_E4M3FNUZ, "float8_e4m3fnuz", 1},
    {AOTWIN_FLOAT8_E5M2FNUZ, "float8_e5m2fnuz", 1},
};

inline const Dtype* find_dtype(int32_t value) {
  const bool known = value > 0 && static_cast<size_t>(value) <= std::size(dtypes);
  return known ? &dtypes[value - 1] : nullptr;
}

inline aotwin_dtype dtype_named(const char* name) {
  for (const Dtype& each : dtypes) {
    if (std::strcmp(each.name, name) == 0) {
      return each.value;
    }
  }
  return AOTWIN_DTYPE_NONE;
}

inline const char* dtype_text(int32_t value) {
  const Dtype* found = find_dtype(value);
  return found != nullptr ? found->name : "no element type";
}

} // namespace aotwin
