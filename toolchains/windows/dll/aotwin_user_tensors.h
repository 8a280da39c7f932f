// Constants that the host hands over as tensors: checked against what the code was compiled for.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "aotwin_constants.h"

namespace aotwin {

inline std::string sizes_text(const int64_t* values, int64_t count) {
  std::string text = "[";
  for (int64_t i = 0; i < count; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(values[i]);
  }
  return text + "]";
}

// Kernels are compiled for fixed shapes, strides and types of constants: another tensor in their place
// would be read out of its bounds. `exact_strides` where the tensor itself is going to be used.
inline void check_user_tensor(
    AOTInductorModel& model,
    size_t index,
    AtenTensorHandle tensor,
    bool exact_strides) {
  const auto at = static_cast<int64_t>(index);
  const std::string name = std::string("constant ") + model.constant_name(at);
  if (tensor == nullptr) {
    throw std::runtime_error(name + ": the tensor's handle is null");
  }
  int32_t device = 0;
  int32_t dtype = 0;
  int32_t layout = 0;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(tensor, &device));
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(tensor, &dtype));
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_layout(tensor, &layout));
  if (device != device_of_constant(model, at)) {
    throw std::runtime_error(name + ": the tensor is not on the CPU");
  }
  if (layout != aoti_torch_layout_strided() || layout != model.constant_layout(at)) {
    throw std::runtime_error(name + ": only plain (strided) tensors can be replaced");
  }
  if (dtype != model.constant_dtype(at)) {
    throw std::runtime_error(
        name + ": expected torch's dtype number " + std::to_string(model.constant_dtype(at)) +
        ", got " + std::to_string(dtype));
  }
  int64_t dim = 0;
  int64_t* sizes = nullptr;
  int64_t* strides = nullptr;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dim(tensor, &dim));
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_sizes(tensor, &sizes));
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_strides(tensor, &strides));
  const auto expected_dim = static_cast<int64_t>(model.constant_ndim(at));
  const int64_t* expected_sizes = model.constant_shape(at);
  const int64_t* expected_strides = model.constant_stride(at);
  bool sizes_agree = dim == expected_dim;
  bool strides_agree = sizes_agree;
  bool empty = false;
  for (int64_t i = 0; sizes_agree && i < dim; ++i) {
    sizes_agree = sizes[i] == expected_sizes[i];
    strides_agree = strides_agree && (sizes[i] < 2 || strides[i] == expected_strides[i]);
    empty = empty || sizes[i] == 0;
  }
  if (!sizes_agree) {
    throw std::runtime_error(
        name + ": expected shape " + sizes_text(expected_sizes, expected_dim) + ", got " +
        sizes_text(sizes, dim));
  }
  if (exact_strides && !strides_agree && !empty) {
    throw std::runtime_error(
        name + ": a user-managed tensor is used as it lies, and its strides " +
        sizes_text(strides, dim) + " are not those that the code was compiled for, " +
        sizes_text(expected_strides, dim));
  }
}

// A copy in the layout that the code was compiled for, whatever the tensor's own strides are.
inline Constant copied_constant(
    AOTInductorModel& model,
    const Layout::Entry& entry,
    AtenTensorHandle tensor) {
  Constant constant;
  constant.memory = allocate(entry.size);
  // The storage may be larger than what the tensor covers.
  std::memset(constant.memory.get(), 0, entry.size);
  constant.tensor = tensor_over(model, entry.index, constant.memory.get());
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_copy_(constant.tensor, tensor, /* non_blocking = */ 0));
  constant.origin = Origin::copied;
  return constant;
}

inline Constant user_managed_constant(AtenTensorHandle tensor) {
  Constant constant;
  constant.tensor = same_tensor(tensor);
  constant.origin = Origin::user_managed;
  return constant;
}

// The same constant for the other buffer set: shared, or copied where the model may write it.
inline Constant constant_for_other_set(
    AOTInductorModel& model,
    const Layout::Entry& entry,
    const Constant& source,
    bool user_managed) {
  if (entry.may_be_written && !user_managed) {
    return copied_constant(model, entry, source.tensor);
  }
  Constant constant;
  constant.memory = source.memory;
  constant.tensor = same_tensor(source.tensor);
  constant.origin = source.origin;
  return constant;
}

} // namespace aotwin
