// Tensors of the caller: what is checked before torch sees them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aotwin_description.h"
#include "dtypes.h"
#include "status.h"

namespace aotwin {

// torch's own limit is far above; it keeps hostile ranks from being memory.
inline constexpr int32_t longest_rank = 64;

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

} // namespace aotwin
