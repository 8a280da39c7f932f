// How the arguments of a C shim are read, and its results handed out.
#pragma once

#include <cmath>
#include <cstdint>

#include "../core/tensor.h"

struct AtenGeneratorOpaque;
using AtenGeneratorHandle = AtenGeneratorOpaque*;

namespace aotwin::runtime {

// A list of integers, which may be null where it is empty.
inline Dims list_of(const int64_t* values, int64_t count) {
  require(count >= 0 && (count == 0 || values != nullptr), "a list of ", count, " integers is missing");
  return Dims(values, static_cast<size_t>(count));
}

template <class T>
T value_or(const T* argument, T fallback) {
  return argument != nullptr ? *argument : fallback;
}

inline Dtype dtype_or(const int32_t* dtype, Dtype fallback) {
  const Dtype result = dtype != nullptr ? static_cast<Dtype>(*dtype) : fallback;
  element_size(result);  // throws for a number that is no dtype
  return result;
}

inline void answer(AtenTensorHandle* slot, Tensor&& tensor) {
  require(slot != nullptr, "no place is given for a result");
  *slot = give(static_cast<Tensor&&>(tensor));
}

// All places are checked before the first is filled, so that a failing call leaks no handle.
template <class... Tensors>
void answer_all(AtenTensorHandle* const (&slots)[sizeof...(Tensors)], Tensors&&... tensors) {
  for (AtenTensorHandle* const slot : slots) {
    require(slot != nullptr, "no place is given for a result");
  }
  size_t index = 0;
  ((*slots[index++] = give(static_cast<Tensor&&>(tensors))), ...);
}

inline void check_device(const int32_t* device) {
  require(device == nullptr || *device == 0, "a tensor of device type ", value_or(device, 0), " is asked for: only the CPU (0) is there");
}

inline void check_layout(const int32_t* layout) {
  require(layout == nullptr || *layout == 0, "a tensor of layout ", value_or(layout, 0), " is asked for: only strided (0) is there");
}

// The dtype that a floating result has for this input: integers give float32, torch's default.
inline Dtype floating_result(Dtype dtype) {
  return is_integral(dtype, true) ? Dtype::f32 : dtype;
}

// The real counterpart of a complex dtype; other dtypes are their own.
inline Dtype real_part(Dtype dtype) {
  return dtype == Dtype::c64 ? Dtype::f32 : dtype == Dtype::c128 ? Dtype::f64 : dtype == Dtype::c32 ? Dtype::f16 : dtype;
}

template <class T>
bool is_nan(T value) {
  if constexpr (is_complex_v<T>) {
    return std::isnan(value.real()) || std::isnan(value.imag());
  } else if constexpr (std::is_floating_point_v<T> || is_half_v<T>) {
    return std::isnan(cast<opmath_t<T>>(value));
  } else {
    return false;
  }
}

}  // namespace aotwin::runtime
