// Constants: where each lies in the blob, and tensors over its bytes or over copies of them.
#pragma once

#include <malloc.h>

#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/csrc/inductor/aoti_runtime/constant_type.h>
#include <torch/csrc/inductor/aoti_runtime/model.h>

#include "aotwin_access.h"
#include "aotwin_binding.h"
#include "aotwin_pairing.h"

namespace aotwin {

using torch::aot_inductor::RAIIAtenTensorHandle;

// Memory of the container's own, aligned as AOTInductor aligns constants.
inline std::shared_ptr<uint8_t> allocate(size_t size) {
  auto* memory = static_cast<uint8_t*>(
      _aligned_malloc(size == 0 ? 1 : size, AOTWIN_CONSTANT_ALIGNMENT));
  if (memory == nullptr) {
    throw std::runtime_error(
        "cannot allocate " + std::to_string(size) + " bytes for the model's constants");
  }
  return std::shared_ptr<uint8_t>(memory, [](uint8_t* pointer) { _aligned_free(pointer); });
}

enum class Origin : uint8_t { missing, mapped, copied, user_managed };

// One constant of one buffer set. The tensor is a handle of our own beside the one in AOTInductor's
// map, which AOTInductor may replace.
struct Constant {
  // Declared first, as it must outlive the tensor over it; null where the tensor owns its memory or
  // lies in the mapping.
  std::shared_ptr<uint8_t> memory;
  RAIIAtenTensorHandle tensor;
  Origin origin = Origin::missing;
};

// A constant that is about to take its place.
struct NewConstant {
  size_t index;
  Constant constant;
};

// What the generated model says of its constants, in the form that we need.
class Layout {
 public:
  struct Entry {
    // Position in the generated `constants_info_`.
    size_t index;
    uint64_t offset;
    size_t size;
    bool may_be_written;
  };

  explicit Layout(const AOTInductorModel& model) {
    uint64_t offset = 0;
    for (size_t index = 0; index < model.num_constants(); ++index) {
      const auto at = static_cast<int64_t>(index);
      if (model.constant_from_folded(at)) {
        continue;
      }
      const size_t size = model.constant_data_size(at);
      const bool known = entries_.size() < aotwin_pairing.num_constants;
      const bool written = known && aotwin_pairing.may_be_written[entries_.size()] != 0;
      by_name_.emplace(model.constant_name(at), entries_.size());
      entries_.push_back({index, offset, size, written});
      offset += size;
    }
    check(offset);
  }

  const std::vector<Entry>& entries() const {
    return entries_;
  }

  // nullptr for names that the model does not have, and for constants that it folds itself.
  const Entry* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &entries_[found->second];
  }

 private:
  void check(uint64_t size) const {
    const bool sizes_agree = size == aotwin_pairing.constants_size ||
        (size == 0 && aotwin_pairing.constants_size == AOTWIN_CONSTANT_ALIGNMENT);
    if (aotwin_pairing.format_version != AOTWIN_PAIRING_VERSION ||
        entries_.size() != aotwin_pairing.num_constants || !sizes_agree) {
      throw std::runtime_error(
          "this DLL was linked with another model's weights: its code has " +
          std::to_string(entries_.size()) + " constants of " + std::to_string(size) +
          " bytes, it was paired with " + std::to_string(aotwin_pairing.num_constants) + " of " +
          std::to_string(aotwin_pairing.constants_size) + " bytes");
    }
  }

  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> by_name_;
};

// Results of a weight that lie next to each other in the blob, where it lies in blocks: weights_layout.py.
inline constexpr int64_t block_results = 32;

// A weight of our own run time in blocks of results, one after the other: its strides are the first's, and its
// storage is larger than they say.
inline bool lies_in_blocks(AOTInductorModel& model, size_t index) {
  const auto at = static_cast<int64_t>(index);
  const auto dim = static_cast<int64_t>(model.constant_ndim(at));
  const int64_t* sizes = model.constant_shape(at);
  const int64_t* strides = model.constant_stride(at);
  if ((dim != 2 && dim != 4) || model.constant_dtype(at) != aoti_torch_dtype_float32() ||
      model.constant_offset(at) != 0 || sizes[0] <= block_results || sizes[0] % block_results != 0) {
    return false;
  }
  // From the fastest dimension to the slowest: results, channels or terms, width, height.
  const int64_t order[] = {0, 1, 3, 2};
  int64_t expected = 1;
  int64_t numel = 1;
  for (int64_t i = 0; i < dim; ++i) {
    const int64_t size = sizes[order[i]];
    if (size != 1 && strides[order[i]] != expected) {
      return false;
    }
    expected *= i == 0 ? block_results : size;
    numel *= size;
  }
  return numel > sizes[0] && model.constant_data_size(at) == static_cast<size_t>(numel) * sizeof(float);
}

// A tensor over blocks. Its storage is all of them, which its strides alone would not say: by that it is known for one.
inline RAIIAtenTensorHandle tensor_of_blocks(AOTInductorModel& model, size_t index, void* storage) {
  const auto at = static_cast<int64_t>(index);
  const auto count = static_cast<int64_t>(model.constant_data_size(at) / sizeof(float));
  const int64_t one = 1;
  AtenTensorHandle flat = nullptr;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_create_tensor_from_blob(
      storage,
      /* ndim = */ 1,
      &count,
      &one,
      /* storage_offset = */ 0,
      model.constant_dtype(at),
      device_of_constant(model, at),
      /* device_index = */ 0,
      &flat));
  const RAIIAtenTensorHandle owned(flat);
  AtenTensorHandle tensor = nullptr;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch__reinterpret_tensor(
      flat,
      static_cast<int64_t>(model.constant_ndim(at)),
      model.constant_shape(at),
      model.constant_stride(at),
      /* storage_offset = */ 0,
      &tensor));
  return RAIIAtenTensorHandle(tensor);
}

// A tensor over memory that holds a constant's whole storage.
inline RAIIAtenTensorHandle tensor_over(AOTInductorModel& model, size_t index, void* storage) {
  const auto at = static_cast<int64_t>(index);
  if (lies_in_blocks(model, index)) {
    return tensor_of_blocks(model, index, storage);
  }
  AtenTensorHandle tensor = nullptr;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_create_tensor_from_blob_v2(
      storage,
      static_cast<int64_t>(model.constant_ndim(at)),
      model.constant_shape(at),
      model.constant_stride(at),
      static_cast<int64_t>(model.constant_offset(at)),
      model.constant_dtype(at),
      device_of_constant(model, at),
      /* device_index = */ 0,
      &tensor,
      model.constant_layout(at),
      model.opaque_metadata(at),
      static_cast<int64_t>(model.opaque_metadata_size(at))));
  return RAIIAtenTensorHandle(tensor);
}

// Another handle of the same tensor; it keeps the tensor's storage alive.
inline RAIIAtenTensorHandle same_tensor(AtenTensorHandle tensor) {
  AtenTensorHandle handle = nullptr;
  AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_new_tensor_handle(tensor, &handle));
  return RAIIAtenTensorHandle(handle);
}

// All constants over a blob. Used where they lie, but copied where the model may write; or all
// copied, where the caller unmaps or frees his bytes afterwards.
inline std::vector<NewConstant> constants_over(
    AOTInductorModel& model,
    const Layout& layout,
    const uint8_t* blob,
    bool copy_all) {
  std::vector<NewConstant> result;
  result.reserve(layout.entries().size());
  for (const Layout::Entry& entry : layout.entries()) {
    Constant constant;
    // Nothing writes through this pointer: the build marks each constant that the model may write.
    auto* storage = const_cast<uint8_t*>(blob + entry.offset);
    constant.origin = Origin::mapped;
    if (copy_all || entry.may_be_written) {
      // One allocation each: replacing a few of them later gives their memory back.
      constant.memory = allocate(entry.size);
      std::memcpy(constant.memory.get(), storage, entry.size);
      storage = constant.memory.get();
      constant.origin = Origin::copied;
    }
    constant.tensor = tensor_over(model, entry.index, storage);
    if (constant.origin == Origin::mapped) {
      AOTI_TORCH_ERROR_CODE_CHECK(aotwin_mark_constant(constant.tensor.get()));
    }
    result.push_back({entry.index, std::move(constant)});
  }
  return result;
}

} // namespace aotwin
