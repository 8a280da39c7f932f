// Handles of torch's tensors: over the caller's memory, and of results.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tensor_checks.h"
#include "torch_library.h"

namespace aotwin {

// An owned AtenTensorHandle.
class Handle {
 public:
  Handle(const Torch& torch, TensorHandle handle) : torch_(&torch), handle_(handle) {}
  Handle(Handle&& other) noexcept
      : torch_(other.torch_), handle_(std::exchange(other.handle_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(torch_, other.torch_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() {
    if (handle_ != nullptr) {
      torch_->delete_tensor_object(handle_);
    }
  }
  TensorHandle get() const {
    return handle_;
  }
  TensorHandle release() {
    return std::exchange(handle_, nullptr);
  }

 private:
  const Torch* torch_;
  TensorHandle handle_;
};

// torch keeps no history of what happens in this scope; copies into views would be refused else.
class NoGrad {
 public:
  explicit NoGrad(const Torch& torch) : torch_(torch), before_(torch.grad_mode_is_enabled()) {
    torch_.grad_mode_set_enabled(false);
  }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
  ~NoGrad() {
    torch_.grad_mode_set_enabled(before_);
  }

 private:
  const Torch& torch_;
  const bool before_;
};

inline Handle over(
    const Torch& torch,
    void* data,
    const Layout& layout,
    const std::vector<int64_t>& strides,
    const Dtype& dtype,
    const std::string& title) {
  // torch asks for an address even of nothing.
  static char nothing[64];
  TensorHandle handle = nullptr;
  torch.check(
      torch.create_tensor_from_blob(
          data != nullptr ? data : nothing,
          static_cast<int64_t>(layout.sizes.size()),
          layout.sizes.data(),
          strides.data(),
          0,
          torch.dtype_number(dtype.value),
          torch.cpu,
          0,
          &handle),
      "making a tensor of " + title);
  return Handle(torch, handle);
}

// An input as the compiled code wants it: it trusts dtype, sizes and strides without looking.
inline Handle input_handle(const Torch& torch, const aotwin_tensor& tensor, const Spec& spec) {
  const Dtype& dtype = *find_dtype(tensor.dtype);
  const Layout layout = layout_of(tensor, dtype, spec.title);
  const std::vector<int64_t> wanted = dense_strides(layout.sizes, spec.described->dim_order);
  if (layout.numel == 0 || same_order(layout.sizes, layout.strides, wanted)) {
    return over(torch, tensor.data, layout, wanted, dtype, spec.title);
  }
  const Handle given = over(torch, tensor.data, layout, layout.strides, dtype, spec.title);
  TensorHandle copy = nullptr;
  torch.check(
      torch.empty_strided(
          static_cast<int64_t>(layout.sizes.size()),
          layout.sizes.data(),
          wanted.data(),
          torch.dtype_number(dtype.value),
          torch.cpu,
          0,
          &copy),
      "making room for " + spec.title);
  Handle owned(torch, copy);
  torch.check(torch.copy_(copy, given.get(), 0), "copying " + spec.title);
  return owned;
}

// A result as the caller sees it.
inline aotwin_tensor view_of(const Torch& torch, TensorHandle handle) {
  aotwin_tensor view{};
  bool defined = handle != nullptr;
  if (defined) {
    torch.check(torch.is_defined(handle, &defined), "looking at a result");
  }
  if (!defined) {
    return view;
  }
  int64_t rank = 0;
  int64_t* sizes = nullptr;
  int64_t* strides = nullptr;
  int32_t number = 0;
  torch.check(torch.get_dim(handle, &rank), "asking for a result's rank");
  torch.check(torch.get_sizes(handle, &sizes), "asking for a result's sizes");
  torch.check(torch.get_strides(handle, &strides), "asking for a result's strides");
  torch.check(torch.get_dtype(handle, &number), "asking for a result's dtype");
  torch.check(torch.get_data_ptr(handle, &view.data), "asking for a result's elements");
  view.rank = static_cast<int32_t>(rank);
  view.sizes = sizes;
  view.strides = strides;
  view.dtype = torch.dtype_of_number(number);
  uint64_t extent = 1;
  for (int64_t i = 0; i < rank; ++i) {
    extent = sizes[i] == 0 ? 0 : extent;
    extent += extent != 0 ? static_cast<uint64_t>((sizes[i] - 1) * strides[i]) : 0;
  }
  const Dtype* dtype = find_dtype(view.dtype);
  view.nbytes = dtype != nullptr ? extent * dtype->nbytes : 0;
  return view;
}

// Copies a result into the caller's memory, whose layout was checked where it could be before.
inline void copy_result(
    const Torch& torch, TensorHandle result, const aotwin_tensor& tensor, const std::string& title) {
  const aotwin_tensor found = view_of(torch, result);
  if (found.dtype != tensor.dtype) {
    throw Failure(
        AOTWIN_ERROR_DTYPE,
        title + " is " + dtype_text(found.dtype) + ", its buffer was said to be " +
            dtype_text(tensor.dtype));
  }
  if (found.rank != tensor.rank) {
    throw Failure(
        AOTWIN_ERROR_RANK,
        title + " has the shape " + shape_text(found.sizes, found.rank) + ", its buffer has rank " +
            std::to_string(tensor.rank));
  }
  const Dtype& dtype = *find_dtype(tensor.dtype);
  const Layout layout = layout_of(tensor, dtype, title);
  if (!std::equal(layout.sizes.begin(), layout.sizes.end(), found.sizes)) {
    throw Failure(
        AOTWIN_ERROR_SIZE,
        title + " has the shape " + shape_text(found.sizes, found.rank) + ", its buffer " +
            shape_text(tensor.sizes, tensor.rank));
  }
  if (layout.numel == 0) {
    return;
  }
  const Handle target = over(torch, tensor.data, layout, layout.strides, dtype, title);
  torch.check(torch.copy_(target.get(), result, 0), "copying " + title);
}

} // namespace aotwin
