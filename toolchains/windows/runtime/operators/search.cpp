// Searching in sorted sequences, and repeating positions: searchsorted, bucketize, repeat_interleave.
#include <algorithm>

#include "arguments.h"
#include "layout.h"
#include "promotion.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

// The first place whose element is not below the value (or, with `right`, is above it). Elements that are NaN are above all.
template <class T>
int64_t place_of(T value, const T* sequence, int64_t length, const int64_t* sorter, bool right) {
  const opmath_t<T> wanted = cast<opmath_t<T>>(value);
  int64_t low = 0;
  int64_t high = length;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const opmath_t<T> element = cast<opmath_t<T>>(sequence[sorter != nullptr ? sorter[middle] : middle]);
    if (right ? !(element > wanted) : !(element >= wanted)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void check_sorter(const Tensor& sorter, const Tensor& sequence) {
  require(sorter.sizes() == sequence.sizes() && sorter.dtype() == Dtype::i64, "searchsorted: the sorter of shape ", sorter.sizes(),
          " and ", sorter.dtype(), " does not fit a sequence of shape ", sequence.sizes());
  const Tensor all = contiguous(sorter);
  const int64_t length = sequence.dim() == 0 ? 1 : sequence.size(-1);
  for (int64_t i = 0; i < all.numel(); ++i) {
    const int64_t position = all.as<int64_t>()[i];
    require(position >= 0 && position < length, "searchsorted: the sorter's ", position, " is out of range for ", length, " elements");
  }
}

Tensor search(const Tensor& sequence, const Tensor& values, bool int32, bool right, const Tensor* sorter, const char* what) {
  require(sequence.dim() > 0, what, ": the sequence has no dimension");
  const bool rows = sequence.dim() > 1;
  if (rows) {
    bool fits = sequence.dim() == values.dim();
    for (int64_t d = 0; fits && d + 1 < sequence.dim(); ++d) {
      fits = sequence.size(d) == values.size(d);
    }
    require(fits, what, ": sequences of shape ", sequence.sizes(), " and values of shape ", values.sizes(),
            " differ before the last dimension");
  }
  if (sorter != nullptr) {
    check_sorter(*sorter, sequence);
  }
  const int64_t length = sequence.size(-1);
  require(!int32 || length < INT32_MAX, what, ": ", length, " elements are too many for a result in int32");
  const Tensor ordered = contiguous(sequence);
  const Tensor wanted = contiguous(values);
  const Tensor order = sorter != nullptr ? contiguous(*sorter) : Tensor();
  Tensor result = empty(values.sizes(), int32 ? Dtype::i32 : Dtype::i64);
  const int64_t row = rows && values.size(-1) > 0 ? values.size(-1) : std::max<int64_t>(values.numel(), 1);
  for_real(sequence.dtype(), what, [&]<class T>(TypeTag<T>) {
    parallel_for(0, wanted.numel(), 512, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t from = i / row * length;
        const int64_t place = place_of(wanted.as<T>()[i], ordered.as<T>() + from, length,
                                       sorter != nullptr ? order.as<int64_t>() + from : nullptr, right);
        if (int32) {
          result.as<int32_t>()[i] = static_cast<int32_t>(place);
        } else {
          result.as<int64_t>()[i] = place;
        }
      }
    });
  });
  return result;
}

// Sequences and values of different dtypes meet in the one that both promote to.
Tensor search_promoted(const Tensor& sequence, const Tensor& values, bool int32, bool right, const Tensor* sorter,
                       const char* what) {
  if (sequence.dtype() == values.dtype()) {
    return search(sequence, values, int32, right, sorter, what);
  }
  const Dtype common = result_dtype(sequence, values);
  return search(to_dtype(sequence, common), to_dtype(values, common), int32, right, sorter, what);
}

bool goes_right(int32_t right, const char* const* side) {
  if (side == nullptr || *side == nullptr) {
    return right != 0;
  }
  const std::string_view text = *side;
  require(text == "left" || text == "right", "searchsorted: the side '", text, "' is neither left nor right");
  require(text == "right" || right == 0, "searchsorted: side is 'left' while right is true");
  return text == "right";
}

Tensor search_tensor(AtenTensorHandle sequence, AtenTensorHandle self, int32_t out_int32, int32_t right, const char** side,
                     AtenTensorHandle* sorter) {
  const std::optional<Tensor> order = maybe(sorter);
  return search_promoted(borrow(sequence), borrow(self), out_int32 != 0, goes_right(right, side), order ? &*order : nullptr,
                         "searchsorted");
}

Tensor search_number(AtenTensorHandle sequence, double self, int32_t out_int32, int32_t right, const char** side,
                     AtenTensorHandle* sorter) {
  const std::optional<Tensor> order = maybe(sorter);
  const Tensor& ordered = borrow(sequence);
  // A number of Python's takes the sequence's dtype, unless that holds integers only.
  Tensor value = empty({}, floating_result(ordered.dtype()));
  for_float(value.dtype(), "searchsorted", [&]<class T>(TypeTag<T>) { *value.as<T>() = cast<T>(self); });
  return search(to_dtype(ordered, value.dtype()), value, out_int32 != 0, goes_right(right, side), order ? &*order : nullptr,
                "searchsorted");
}

Tensor repeat_interleave(const Tensor& repeats, const int64_t* output_size) {
  require(repeats.dim() == 1, "repeat_interleave: repeats must have one dimension, their shape is ", repeats.sizes());
  require(repeats.dtype() == Dtype::i64 || repeats.dtype() == Dtype::i32, "repeat_interleave: repeats must be int64 or int32, not ",
          repeats.dtype());
  const Tensor counts = contiguous(to_dtype(repeats, Dtype::i64));
  const int64_t* const count = counts.as<int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    require(count[i] >= 0, "repeat_interleave: the ", i, "th of the repeats is ", count[i], ", which is negative");
    total += count[i];
  }
  require(output_size == nullptr || *output_size == total, "repeat_interleave: a result of ", value_or<int64_t>(output_size, 0),
          " elements is asked for, the repeats add up to ", total);
  Tensor result = empty({total}, repeats.dtype());
  for_integral(repeats.dtype(), "repeat_interleave", [&]<class T>(TypeTag<T>) {
    T* to = result.as<T>();
    for (int64_t i = 0; i < counts.numel(); ++i) {
      to = std::fill_n(to, count[i], static_cast<T>(i));
    }
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_searchsorted_Tensor)(AtenTensorHandle sorted_sequence, AtenTensorHandle self,
                                                               int32_t out_int32, int32_t right, const char** side,
                                                               AtenTensorHandle* sorter, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, search_tensor(sorted_sequence, self, out_int32, right, side, sorter)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_searchsorted_Scalar)(AtenTensorHandle sorted_sequence, double self, int32_t out_int32,
                                                               int32_t right, const char** side, AtenTensorHandle* sorter,
                                                               AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, search_number(sorted_sequence, self, out_int32, right, side, sorter)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_bucketize_Tensor)(AtenTensorHandle self, AtenTensorHandle boundaries, int32_t out_int32,
                                                            int32_t right, AtenTensorHandle* ret0) {
  return guarded([&] {
    const Tensor& edges = borrow(boundaries);
    require(edges.dim() == 1, "bucketize: the boundaries must have one dimension, their shape is ", edges.sizes());
    answer(ret0, search_promoted(edges, borrow(self), out_int32 != 0, right != 0, nullptr, "bucketize"));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_repeat_interleave_Tensor)(AtenTensorHandle repeats, int64_t* output_size,
                                                                    AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, repeat_interleave(borrow(repeats), output_size)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_repeat_interleave_Tensor)(AtenTensorHandle repeats, int64_t* output_size,
                                                                AtenTensorHandle* out) {
  return guarded([&] { answer(out, repeat_interleave(borrow(repeats), output_size)); });
}
}
