// Tensors of the run time: a value that shares a reference-counted storage, and the handles by which they leave the DLL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dims.h"
#include "dtype.h"
#include "error.h"
#include "shim.h"
#include "storage.h"

namespace aotwin::runtime {

class Tensor {
 public:
  Tensor() = default;  // undefined
  // No check: `view` and `empty` are the ways to make one.
  Tensor(StorageRef storage, Dims sizes, Dims strides, int64_t storage_offset, Dtype dtype);

  bool defined() const {
    return static_cast<bool>(storage_);
  }
  Dtype dtype() const {
    return dtype_;
  }
  int64_t dim() const {
    return static_cast<int64_t>(sizes_.size());
  }
  const Dims& sizes() const {
    return sizes_;
  }
  const Dims& strides() const {
    return strides_;
  }
  // A negative dimension counts from the end; out of range throws.
  int64_t size(int64_t dimension) const {
    return sizes_[wrap(dimension)];
  }
  int64_t stride(int64_t dimension) const {
    return strides_[wrap(dimension)];
  }
  int64_t numel() const {
    return numel_;
  }
  // In elements.
  int64_t storage_offset() const {
    return storage_offset_;
  }
  // The first element; may be null where numel() is 0.
  void* data() const {
    return data_;
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  bool is_contiguous() const {
    return contiguous_;
  }
  // 4-d and 5-d: strides of NHWC or NDHWC (torch's rule: sizes of 1 may have any stride).
  bool is_channels_last() const;
  // Every element is written once and there are no gaps, in whatever order of dimensions.
  bool is_dense() const;
  size_t nbytes() const {
    return static_cast<size_t>(numel_) * element_size(dtype_);
  }
  // Not 0 where the storage is a constant (aotwin_mark_constant): an identity of the first element that the process never uses
  // again. Shape, strides and dtype are not in it. 0 for memory whose contents may change.
  uint64_t constant_key() const;

  const StorageRef& storage() const {
    return storage_;
  }

 private:
  size_t wrap(int64_t dimension) const;

  StorageRef storage_;
  Dims sizes_;
  Dims strides_;
  void* data_ = nullptr;
  int64_t storage_offset_ = 0;
  int64_t numel_ = 0;
  Dtype dtype_ = Dtype::f32;
  bool contiguous_ = true;
};

Tensor empty(const Dims& sizes, Dtype dtype);  // contiguous, uninitialised, 64-byte aligned, from the pool
Tensor empty_strided(const Dims& sizes, const Dims& strides, Dtype dtype);
Tensor empty_like_channels_last(const Dims& sizes, Dtype dtype);  // 4-d: NHWC, 5-d: NDHWC strides
Tensor zeros(const Dims& sizes, Dtype dtype);
// Memory that the caller owns and keeps alive. `data` is the storage's first byte.
Tensor from_memory(void* data, const Dims& sizes, const Dims& strides, int64_t storage_offset, Dtype dtype);

// The same storage seen otherwise; throws where it would reach outside of it.
Tensor view(const Tensor& tensor, const Dims& sizes, const Dims& strides, int64_t storage_offset);
Tensor view_as(const Tensor& tensor, const Dims& sizes, const Dims& strides, int64_t storage_offset, Dtype dtype);
Tensor expand(const Tensor& tensor, const Dims& sizes);
Tensor contiguous(const Tensor& tensor);  // itself, or a copy
Tensor to_dtype(const Tensor& tensor, Dtype dtype);  // itself, or a contiguous copy
// A copy with torch's "preserve" strides: those of the source where it is dense, else contiguous in its order of dimensions.
Tensor clone(const Tensor& tensor);

// Broadcast, conversion, any strides, overlap; parallel, at the speed of memory.
void copy_into(const Tensor& destination, const Tensor& source);
void fill_zero(const Tensor& tensor);

Dims contiguous_strides(const Dims& sizes);
Dims channels_last_strides(const Dims& sizes);  // 4-d and 5-d
Dims broadcast(const Dims& a, const Dims& b);
// 0 <= result < dim; "dimension 3 is out of range for ..." otherwise. A 0-d tensor has the dimensions -1 and 0, as in torch.
int64_t wrap_dim(int64_t dimension, int64_t dim);

// Checks null and magic, throws.
const Tensor& borrow(AtenTensorHandle handle);
// An optional argument of a shim: null, or a pointer to a handle.
std::optional<Tensor> maybe(const AtenTensorHandle* handle);
// An optional argument that is passed as a handle which may be null.
std::optional<Tensor> maybe_handle(AtenTensorHandle handle);
// A new handle, which the caller deletes.
AtenTensorHandle give(Tensor&& tensor);
// Sets what a handle refers to: for out-variants that replace shape or storage.
void rebind(AtenTensorHandle handle, Tensor&& tensor);

// Temporary memory: pooled, 64-byte aligned, returned at the end of the scope.
class Scratch {
 public:
  explicit Scratch(size_t nbytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* data() {
    return data_;
  }
  template <class T>
  T* as() {
    return static_cast<T*>(data_);
  }

 private:
  void* data_;
};

}  // namespace aotwin::runtime
