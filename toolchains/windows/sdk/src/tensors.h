// Tensors of the caller: what is checked before torch sees them, and their handles.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aotwin_description.h"
#include "torch_library.h"

namespace aotwin {

// torch's own limit is far above; it keeps hostile ranks from being memory.
inline constexpr int32_t longest_rank = 64;

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

// What is known of an input or output: the DLL's description with our dtype.
struct Spec {
  const AotwinTensorDescription* described;
  aotwin_dtype dtype;
  // "input 'x'"
  std::string title;
};

// Sizes of one name are equal within a call: name -> size and who said so.
using Symbols = std::map<std::string_view, std::pair<int64_t, const Spec*>>;

inline std::string shape_text(const int64_t* sizes, int32_t rank, const char* const* symbols = nullptr) {
  std::string text = "[";
  for (int32_t i = 0; i < rank; ++i) {
    text += i == 0 ? "" : ", ";
    if (symbols != nullptr && symbols[i] != nullptr) {
      text += symbols[i][0] != 0 ? symbols[i] : "any";
    } else {
      text += sizes[i] < 0 ? "any" : std::to_string(sizes[i]);
    }
  }
  return text + "]";
}

// A tensor's sizes and strides, spelled out and checked against its buffer.
struct Layout {
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
  int64_t numel = 1;
};

inline std::vector<int64_t> dense_strides(
    const std::vector<int64_t>& sizes, const int32_t* dim_order) {
  std::vector<int64_t> strides(sizes.size());
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    const size_t dimension = dim_order != nullptr ? static_cast<size_t>(dim_order[i]) : i;
    strides[dimension] = step;
    step *= sizes[dimension] > 0 ? sizes[dimension] : 1;
  }
  return strides;
}

inline Layout layout_of(const aotwin_tensor& tensor, const Dtype& dtype, const std::string& title) {
  const auto fail = [&](aotwin_status code, const std::string& why) {
    throw Failure(code, title + why);
  };
  Layout layout;
  if (tensor.rank < 0 || tensor.rank > longest_rank) {
    fail(AOTWIN_ERROR_RANK, " has the impossible rank " + std::to_string(tensor.rank));
  }
  if (tensor.rank > 0 && tensor.sizes == nullptr) {
    fail(AOTWIN_ERROR_ARGUMENT, " has no sizes: the pointer is null");
  }
  for (int32_t i = 0; i < tensor.rank; ++i) {
    const int64_t size = tensor.sizes[i];
    if (size < 0) {
      fail(AOTWIN_ERROR_SIZE, " has the negative size " + std::to_string(size));
    }
    if (__builtin_mul_overflow(layout.numel, size > 0 ? size : 1, &layout.numel)) {
      fail(AOTWIN_ERROR_SIZE, " has more elements than there are addresses");
    }
    layout.sizes.push_back(size);
  }
  layout.strides = tensor.strides != nullptr
      ? std::vector<int64_t>(tensor.strides, tensor.strides + tensor.rank)
      : dense_strides(layout.sizes, nullptr);
  // Elements from the first to behind the last one.
  int64_t extent = 1;
  bool overflow = false;
  for (size_t i = 0; i < layout.sizes.size(); ++i) {
    if (layout.strides[i] < 0) {
      fail(AOTWIN_ERROR_BUFFER, " has the negative stride " + std::to_string(layout.strides[i]));
    }
    if (layout.sizes[i] == 0) {
      layout.numel = 0;
    }
    int64_t reach = 0;
    overflow = overflow ||
        __builtin_mul_overflow(layout.sizes[i] > 0 ? layout.sizes[i] - 1 : 0, layout.strides[i], &reach) ||
        __builtin_add_overflow(extent, reach, &extent);
  }
  uint64_t needed = 0;
  overflow = overflow || __builtin_mul_overflow(static_cast<uint64_t>(extent), dtype.nbytes, &needed);
  if (layout.numel == 0) {
    return layout;
  }
  if (tensor.data == nullptr) {
    fail(AOTWIN_ERROR_ARGUMENT, " has no elements: the pointer is null");
  }
  if (overflow || needed > tensor.nbytes) {
    fail(
        AOTWIN_ERROR_BUFFER,
        " needs " + (overflow ? "more bytes than there are" : std::to_string(needed) + " bytes") +
            " for its sizes and strides, its buffer has " + std::to_string(tensor.nbytes));
  }
  return layout;
}

// Checks dtype, rank and sizes against what is known.
inline const Dtype& check_against(const aotwin_tensor& tensor, const Spec& spec, Symbols& symbols) {
  const Dtype* dtype = find_dtype(tensor.dtype);
  if (dtype == nullptr) {
    throw Failure(
        AOTWIN_ERROR_DTYPE,
        spec.title + " has the dtype " + std::to_string(tensor.dtype) + ", which is no element type");
  }
  if (spec.dtype != AOTWIN_DTYPE_NONE && spec.dtype != tensor.dtype) {
    throw Failure(
        AOTWIN_ERROR_DTYPE,
        spec.title + " must be " + dtype_text(spec.dtype) + ", got " + dtype->name);
  }
  const AotwinTensorDescription& known = *spec.described;
  if (known.rank < 0) {
    return *dtype;
  }
  const auto expected = [&] { return shape_text(known.sizes, known.rank, known.symbols); };
  if (tensor.rank != known.rank) {
    throw Failure(
        AOTWIN_ERROR_RANK,
        spec.title + " must have " + std::to_string(known.rank) + " dimensions " + expected() +
            ", got " + std::to_string(tensor.rank));
  }
  require(tensor.rank == 0 || tensor.sizes != nullptr, (spec.title + " has no sizes: the pointer is null").c_str());
  for (int32_t i = 0; i < known.rank; ++i) {
    const int64_t size = tensor.sizes[i];
    if (known.sizes[i] >= 0) {
      if (size != known.sizes[i]) {
        throw Failure(
            AOTWIN_ERROR_SIZE,
            spec.title + " must have the shape " + expected() + ", got " +
                shape_text(tensor.sizes, tensor.rank));
      }
    } else if (known.symbols[i][0] != 0) {
      const auto [at, fresh] = symbols.try_emplace(known.symbols[i], size, &spec);
      if (!fresh && at->second.first != size) {
        throw Failure(
            AOTWIN_ERROR_SIZE,
            spec.title + " must have the shape " + expected() + ", where " + known.symbols[i] +
                " is " + std::to_string(at->second.first) + " as in " + at->second.second->title +
                ", got " + shape_text(tensor.sizes, tensor.rank));
      }
    }
  }
  return *dtype;
}

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

// True where both strides reach the same elements: those of sizes 0 and 1 do not matter.
inline bool same_order(
    const std::vector<int64_t>& sizes,
    const std::vector<int64_t>& one,
    const std::vector<int64_t>& other) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > 1 && one[i] != other[i]) {
      return false;
    }
  }
  return true;
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
