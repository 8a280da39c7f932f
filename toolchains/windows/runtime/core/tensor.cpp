#include "tensor.h"

#include <algorithm>

#include "memory.h"

namespace aotwin::runtime {
namespace {

// Bytes from the storage's start to the end of the furthest element; 0 for no elements. Throws on overflow and negative values.
size_t extent(const Dims& sizes, const Dims& strides, int64_t storage_offset, size_t item) {
  require(
      sizes.size() == strides.size(), "sizes ", sizes, " and strides ", strides, " are not equally many");
  require(storage_offset >= 0, "negative storage offset ", storage_offset);
  bool none = false;
  int64_t furthest = 0;
  bool overflow = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    require(sizes[i] >= 0, "negative size in ", sizes);
    require(strides[i] >= 0, "negative stride in ", strides);
    none = none || sizes[i] == 0;
    int64_t reach = 0;
    overflow = overflow || __builtin_mul_overflow(sizes[i] == 0 ? 0 : sizes[i] - 1, strides[i], &reach) ||
        __builtin_add_overflow(furthest, reach, &furthest);
  }
  if (none) {
    return 0;
  }
  int64_t nbytes = 0;
  overflow = overflow || __builtin_add_overflow(furthest, storage_offset, &furthest) ||
      __builtin_add_overflow(furthest, 1, &furthest) || __builtin_mul_overflow(furthest, static_cast<int64_t>(item), &nbytes);
  require(!overflow, "sizes ", sizes, " with strides ", strides, " are more than 64 bits can count");
  return static_cast<size_t>(nbytes);
}

bool has_strides_of(const Dims& sizes, const Dims& strides, const Dims& wanted) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != 1 && strides[i] != wanted[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

int64_t product(const Dims& sizes) {
  int64_t result = 1;
  bool overflow = false;
  for (const int64_t size : sizes) {
    if (size == 0) {
      return 0;
    }
    overflow = overflow || __builtin_mul_overflow(result, size, &result);
  }
  require(!overflow, "sizes ", sizes, " are more elements than 64 bits can count");
  return result;
}

Tensor::Tensor(StorageRef storage, Dims sizes, Dims strides, int64_t storage_offset, Dtype dtype)
    : storage_(std::move(storage)),
      sizes_(std::move(sizes)),
      strides_(std::move(strides)),
      storage_offset_(storage_offset),
      numel_(product(sizes_)),
      dtype_(dtype) {
  char* const data = static_cast<char*>(storage_->data);
  data_ = data == nullptr ? nullptr : data + static_cast<size_t>(storage_offset) * element_size(dtype);
  int64_t expected = 1;
  for (size_t i = sizes_.size(); i-- > 0 && numel_ != 0;) {
    if (sizes_[i] != 1) {
      if (strides_[i] != expected) {
        contiguous_ = false;
        break;
      }
      expected *= sizes_[i];
    }
  }
}

size_t Tensor::wrap(int64_t dimension) const {
  const int64_t count = dim();
  require(
      dimension >= -count && dimension < count, "dimension ", dimension, " is out of range for a tensor of sizes ", sizes_);
  return static_cast<size_t>(dimension < 0 ? dimension + count : dimension);
}

bool Tensor::is_channels_last() const {
  if (sizes_.size() != 4 && sizes_.size() != 5) {
    return false;
  }
  // torch walks channels, then space from the last, then batch, and wants strides that do not get smaller: sizes of 1 may tie,
  // and a tensor whose channel is 1 with plain strides is not taken for channels last by accident.
  int64_t least = 0;
  if (strides_[1] == 0) {
    return false;
  }
  const auto step = [&](size_t i) {
    if (sizes_[i] == 0 || strides_[i] < least) {
      return false;
    }
    if (i == 0 && least == strides_[1]) {
      return false;
    }
    least = strides_[i];
    if (sizes_[i] > 1) {
      least *= sizes_[i];
    }
    return true;
  };
  if (!step(1)) {
    return false;
  }
  for (size_t i = sizes_.size() - 1; i >= 2; --i) {
    if (!step(i)) {
      return false;
    }
  }
  return step(0) && has_strides_of(sizes_, strides_, channels_last_strides(sizes_));
}

bool Tensor::is_dense() const {
  if (contiguous_) {
    return true;
  }
  Dims order;
  for (size_t i = 0; i < sizes_.size(); ++i) {
    if (sizes_[i] != 1) {
      order.push_back(static_cast<int64_t>(i));
    }
  }
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return strides_[static_cast<size_t>(a)] < strides_[static_cast<size_t>(b)];
  });
  int64_t expected = 1;
  for (const int64_t i : order) {
    if (strides_[static_cast<size_t>(i)] != expected) {
      return false;
    }
    expected *= sizes_[static_cast<size_t>(i)];
  }
  return true;
}

uint64_t Tensor::constant_key() const {
  const uint64_t key = storage_ ? storage_->constant_key.load(std::memory_order_relaxed) : 0;
  return key == 0 ? 0 : key + static_cast<uint64_t>(storage_offset_) * element_size(dtype_);
}

Dims contiguous_strides(const Dims& sizes) {
  Dims strides = Dims::filled(sizes.size(), 1);
  int64_t next = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = next;
    next *= std::max<int64_t>(sizes[i], 1);
  }
  return strides;
}

Dims channels_last_strides(const Dims& sizes) {
  require(sizes.size() == 4 || sizes.size() == 5, "channels last is for 4 or 5 dimensions, not for ", sizes);
  Dims strides = Dims::filled(sizes.size(), 1);
  int64_t next = std::max<int64_t>(sizes[1], 1);
  for (size_t i = sizes.size(); i-- > 2;) {
    strides[i] = next;
    next *= std::max<int64_t>(sizes[i], 1);
  }
  strides[0] = next;
  return strides;
}

Dims broadcast(const Dims& a, const Dims& b) {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims result = longer;
  const size_t shift = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const int64_t x = longer[i + shift];
    const int64_t y = shorter[i];
    require(x == y || x == 1 || y == 1, "sizes ", a, " and ", b, " do not broadcast: ", x, " against ", y);
    result[i + shift] = x == 1 ? y : x;
  }
  return result;
}

int64_t wrap_dim(int64_t dimension, int64_t dim) {
  const int64_t count = std::max<int64_t>(dim, 1);
  require(
      dimension >= -count && dimension < count,
      "dimension ", dimension, " is out of range: expected ", -count, " to ", count - 1);
  return dimension < 0 ? dimension + count : dimension;
}

Tensor empty(const Dims& sizes, Dtype dtype) {
  return empty_strided(sizes, contiguous_strides(sizes), dtype);
}

Tensor empty_strided(const Dims& sizes, const Dims& strides, Dtype dtype) {
  return Tensor(StorageRef(new_pooled_storage(extent(sizes, strides, 0, element_size(dtype)))), sizes, strides, 0, dtype);
}

Tensor empty_like_channels_last(const Dims& sizes, Dtype dtype) {
  return empty_strided(sizes, channels_last_strides(sizes), dtype);
}

Tensor zeros(const Dims& sizes, Dtype dtype) {
  Tensor result = empty(sizes, dtype);
  fill_zero(result);
  return result;
}

Tensor from_memory(void* data, const Dims& sizes, const Dims& strides, int64_t storage_offset, Dtype dtype) {
  const size_t nbytes = extent(sizes, strides, storage_offset, element_size(dtype));
  require(data != nullptr || nbytes == 0, "a tensor of sizes ", sizes, " over a null pointer");
  return Tensor(StorageRef(new_foreign_storage(data, nbytes)), sizes, strides, storage_offset, dtype);
}

Tensor view(const Tensor& tensor, const Dims& sizes, const Dims& strides, int64_t storage_offset) {
  return view_as(tensor, sizes, strides, storage_offset, tensor.dtype());
}

Tensor view_as(const Tensor& tensor, const Dims& sizes, const Dims& strides, int64_t storage_offset, Dtype dtype) {
  require(tensor.defined(), "a view of an undefined tensor");
  const size_t nbytes = extent(sizes, strides, storage_offset, element_size(dtype));
  require(
      nbytes <= tensor.storage()->capacity,
      "a view of sizes ", sizes, ", strides ", strides, " and offset ", storage_offset, " (", dtype, ") needs ", nbytes,
      " bytes; the storage has ", tensor.storage()->nbytes);
  return Tensor(tensor.storage(), sizes, strides, storage_offset, dtype);
}

Tensor expand(const Tensor& tensor, const Dims& sizes) {
  const Dims& own = tensor.sizes();
  require(own.size() <= sizes.size(), "sizes ", own, " cannot be expanded to ", sizes);
  const size_t shift = sizes.size() - own.size();
  Dims strides = Dims::filled(sizes.size(), 0);
  for (size_t i = 0; i < own.size(); ++i) {
    require(own[i] == sizes[i + shift] || own[i] == 1, "sizes ", own, " cannot be expanded to ", sizes);
    strides[i + shift] = own[i] == sizes[i + shift] ? tensor.strides()[i] : 0;
  }
  return Tensor(tensor.storage(), sizes, strides, tensor.storage_offset(), tensor.dtype());
}

Tensor contiguous(const Tensor& tensor) {
  if (tensor.is_contiguous()) {
    return tensor;
  }
  Tensor result = empty(tensor.sizes(), tensor.dtype());
  copy_into(result, tensor);
  return result;
}

Tensor to_dtype(const Tensor& tensor, Dtype dtype) {
  if (tensor.dtype() == dtype) {
    return tensor;
  }
  Tensor result = empty(tensor.sizes(), dtype);
  copy_into(result, tensor);
  return result;
}

// Strides that keep the order of dimensions. torch's rule for tensors that are not dense (infer_dense_strides): dimensions in
// descending order of stride, ties and zeros staying where they are.
static Dims dense_strides_like(const Tensor& tensor) {
  const size_t count = tensor.sizes().size();
  Dims order;
  for (size_t i = count; i-- > 0;) {
    order.push_back(static_cast<int64_t>(i));
  }
  const auto should_swap = [&](int64_t a, int64_t b) {
    const int64_t sa = tensor.strides()[static_cast<size_t>(a)];
    const int64_t sb = tensor.strides()[static_cast<size_t>(b)];
    if (sa == 0 || sb == 0) {
      return 0;
    }
    if (sa != sb) {
      return sa > sb ? 1 : -1;
    }
    return tensor.sizes()[static_cast<size_t>(a)] > tensor.sizes()[static_cast<size_t>(b)] ? 1 : 0;
  };
  for (size_t i = 1; i < count; ++i) {
    size_t at = i;
    for (size_t j = i; j-- > 0;) {
      const int comparison = should_swap(order[j], order[at]);
      if (comparison > 0) {
        std::swap(order[j], order[at]);
        at = j;
      } else if (comparison < 0) {
        break;
      }
    }
  }
  Dims strides = Dims::filled(count, 1);
  int64_t next = 1;
  for (const int64_t i : order) {
    strides[static_cast<size_t>(i)] = next;
    next *= std::max<int64_t>(tensor.sizes()[static_cast<size_t>(i)], 1);
  }
  return strides;
}

Tensor clone(const Tensor& tensor) {
  require(tensor.defined(), "clone of an undefined tensor");
  Tensor result = empty_strided(
      tensor.sizes(), tensor.is_dense() ? tensor.strides() : dense_strides_like(tensor), tensor.dtype());
  copy_into(result, tensor);
  return result;
}

Scratch::Scratch(size_t nbytes) : data_(allocate(nbytes).data) {}

Scratch::~Scratch() {
  release(data_);
}

}  // namespace aotwin::runtime
