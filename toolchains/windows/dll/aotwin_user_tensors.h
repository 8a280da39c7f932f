// Constants that the host hands over as tensors: checked against what the code was compiled for.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "aotwin_constants.h"

namespace aotwin {

inline std::string sizes_text(const int64_t* values, int64_t count) {
  std::string text = "[";
  for (int64_t i = 0; i < count; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(values[i]);
  }
  return text + "]";
}

// Whether a tensor, of the constant's type and shape, is in blocks itself, as one is that came from a container:
// it has the constant's strides, and all bytes that the constant has are its storage's.
inline bool is_in_blocks(
    AOTInductorModel& model,
    const Layout::Entry& entry,
    AtenTensorHandle tensor) {
  const auto at = static_cast<int64_t>(entry.index);
  int64_t* strides = nullptr;
  int64_t offset = 0;
  int64_t nbytes = 0;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_strides(tensor, &strides));
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_storage_offset(tensor, &offset));
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_storage_size(tensor, &nbytes));
  for (size_t i = 0; i < model.constant_ndim(at); ++i) {
    if (model.constant_shape(at)[i] != 1 && strides[i] != model.constant_stride(at)[i]) {
      return false;
    }
  }
  return nbytes - offset * static_cast<int64_t>(sizeof(float)) >= static_cast<int64_t>(entry.size);
}

// Kernels are compiled for fixed shapes, strides and types of constants: another tensor in their place
// would be read out of its bounds. `used_as_it_lies` where the tensor itself is going to be used.
inline void check_user_tensor(
    AOTInductorModel& model,
    const Layout::Entry& entry,
    AtenTensorHandle tensor,
    bool used_as_it_lies) {
  const auto at = static_cast<int64_t>(entry.index);
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
  // Weights in blocks go to operators only, which look at a tensor's own strides.
  const bool in_blocks = lies_in_blocks(model, entry.index);
  if (used_as_it_lies && in_blocks && strides_agree && !is_in_blocks(model, entry, tensor)) {
    throw std::runtime_error(
        name + ": the tensor has the strides of a weight in blocks, " +
        sizes_text(strides, dim) + ", and a storage that is too small for it");
  }
  if (used_as_it_lies && !in_blocks && !strides_agree && !empty) {
    throw std::runtime_error(
        name + ": a user-managed tensor is used as it lies, and its strides " +
        sizes_text(strides, dim) + " are not those that the code was compiled for, " +
        sizes_text(expected_strides, dim));
  }
}

// Copies a tensor into storage that is to be in blocks: through its own strides, block by block.
inline void copy_into_blocks(
    AOTInductorModel& model,
    const Layout::Entry& entry,
    AtenTensorHandle tensor,
    uint8_t* storage) {
  const auto at = static_cast<int64_t>(entry.index);
  const auto dim = static_cast<int64_t>(model.constant_ndim(at));
  int64_t* strides = nullptr;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_strides(tensor, &strides));
  std::vector<int64_t> sizes(model.constant_shape(at), model.constant_shape(at) + dim);
  const int64_t blocks = sizes[0] / block_results;
  sizes[0] = block_results;
  for (int64_t block = 0; block < blocks; ++block) {
    AtenTensorHandle source = nullptr;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch__reinterpret_tensor(
        tensor, dim, sizes.data(), strides, block * block_results * strides[0], &source));
    const RAIIAtenTensorHandle owned_source(source);
    AtenTensorHandle target = nullptr;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_create_tensor_from_blob(
        storage + block * (entry.size / blocks),
        dim,
        sizes.data(),
        model.constant_stride(at),
        /* storage_offset = */ 0,
        model.constant_dtype(at),
        device_of_constant(model, at),
        /* device_index = */ 0,
        &target));
    const RAIIAtenTensorHandle owned_target(target);
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_copy_(target, source, /* non_blocking = */ 0));
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
  if (!lies_in_blocks(model, entry.index)) {
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_copy_(constant.tensor, tensor, /* non_blocking = */ 0));
  } else if (is_in_blocks(model, entry, tensor)) {
    void* data = nullptr;
    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_get_data_ptr(tensor, &data));
    std::memcpy(constant.memory.get(), data, entry.size);
  } else {
    copy_into_blocks(model, entry, tensor, constant.memory.get());
  }
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
