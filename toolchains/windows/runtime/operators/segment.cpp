// Reductions over neighbouring stretches of one dimension: segment_reduce.
#include <limits>

#include "arguments.h"
#include "layout.h"
#include "reduction.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

// Bounds of the segments: offsets as they are given, or summed up from lengths. Shape [leading..., segments + 1].
Tensor bounds_of(const std::optional<Tensor>& lengths, const std::optional<Tensor>& offsets) {
  if (offsets) {
    return contiguous(to_dtype(*offsets, Dtype::i64));
  }
  const Tensor counts = contiguous(to_dtype(*lengths, Dtype::i64));
  Dims sizes = counts.sizes();
  const int64_t segments = sizes.back();
  ++sizes.back();
  Tensor bounds = empty(sizes, Dtype::i64);
  for (int64_t row = 0; segments >= 0 && row < bounds.numel() / (segments + 1); ++row) {
    int64_t* const to = bounds.as<int64_t>() + row * (segments + 1);
    to[0] = 0;
    for (int64_t i = 0; i < segments; ++i) {
      const int64_t length = counts.as<int64_t>()[row * segments + i];
      require(length >= 0, "segment_reduce: a length is ", length);
      to[i + 1] = to[i] + length;
    }
  }
  return bounds;
}

template <class T>
T start_of(Reduction reduction, const double* initial) {
  using Limits = std::numeric_limits<opmath_t<T>>;
  if (initial != nullptr) {
    return cast<T>(*initial);
  }
  switch (reduction) {
    case Reduction::amax:
      return cast<T>(-Limits::infinity());
    case Reduction::amin:
      return cast<T>(Limits::infinity());
    case Reduction::prod:
      return cast<T>(1);
    default:
      return cast<T>(0);
  }
}

template <class T>
T joined(Reduction reduction, T a, T b) {
  using Math = opmath_t<T>;
  const Math x = cast<Math>(a);
  const Math y = cast<Math>(b);
  switch (reduction) {
    case Reduction::amax:
      return is_nan(b) || (!is_nan(a) && y > x) ? b : a;
    case Reduction::amin:
      return is_nan(b) || (!is_nan(a) && y < x) ? b : a;
    case Reduction::prod:
      return cast<T>(x * y);
    default:
      return cast<T>(x + y);
  }
}

Tensor segment_reduce(const Tensor& data, const char* reduce, const std::optional<Tensor>& lengths, const std::optional<Tensor>& offsets,
                      int64_t axis, bool trusted, const double* initial) {
  require(lengths.has_value() || offsets.has_value(), "segment_reduce: neither lengths nor offsets are given");
  const Reduction reduction = reduction_named(reduce, "segment_reduce");
  require(data.numel() > 0, "segment_reduce: the data of shape ", data.sizes(), " has no elements");
  axis = wrap_dim(axis, data.dim());
  const Tensor& given = offsets ? *offsets : *lengths;
  require(given.dim() > 0 && given.dim() <= data.dim() && axis == given.dim() - 1, "segment_reduce: axis ", axis,
          " is not the last dimension of lengths or offsets, of shape ", given.sizes());
  const Tensor bounds = bounds_of(lengths, offsets);
  const Tensor source = contiguous(data);
  const int64_t length = data.size(axis);
  const int64_t segments = bounds.size(-1) - 1;
  int64_t outer = 1;
  int64_t inner = 1;
  Dims sizes = data.sizes();
  for (int64_t d = 0; d < data.dim(); ++d) {
    require(d >= axis || given.size(d) == data.size(d), "segment_reduce: lengths or offsets of shape ", given.sizes(),
            " do not fit data of shape ", data.sizes());
    if (d != axis) {
      (d < axis ? outer : inner) *= data.size(d);
    }
  }
  sizes[static_cast<size_t>(axis)] = segments;
  for (int64_t row = 0; row < outer; ++row) {
    const int64_t* const bound = bounds.as<int64_t>() + row * (segments + 1);
    for (int64_t i = 0; i <= segments; ++i) {
      require(bound[i] >= (i > 0 ? bound[i - 1] : 0) && bound[i] <= length, "segment_reduce: a segment ends at ", bound[i],
              ", the dimension has ", length, " elements");
    }
    require(trusted || offsets || bound[segments] == length, "segment_reduce: the lengths add up to ", bound[segments],
            ", the dimension has ", length, " elements");
  }
  Tensor result = empty(sizes, data.dtype());
  for_float(data.dtype(), "segment_reduce", [&]<class T>(TypeTag<T>) {
    parallel_for(0, outer * segments, 64, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part) {
        const int64_t row = part / segments;
        const int64_t* const bound = bounds.as<int64_t>() + row * (segments + 1) + part % segments;
        for (int64_t k = 0; k < inner; ++k) {
          T value = start_of<T>(reduction, initial);
          for (int64_t i = bound[0]; i < bound[1]; ++i) {
            value = joined(reduction, value, source.as<T>()[(row * length + i) * inner + k]);
          }
          const int64_t count = bound[1] - bound[0];
          if (reduction == Reduction::mean) {
            if (count == 0 && initial == nullptr) {
              value = cast<T>(std::numeric_limits<opmath_t<T>>::quiet_NaN());
            } else if (count > 0 && !is_nan(value)) {
              value = cast<T>(cast<opmath_t<T>>(value) / cast<opmath_t<T>>(count));
            }
          }
          result.as<T>()[part * inner + k] = value;
        }
      }
    });
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_segment_reduce)(AtenTensorHandle data, const char* reduce,
                                                                     AtenTensorHandle* lengths, AtenTensorHandle* indices,
                                                                     AtenTensorHandle* offsets, int64_t axis, int32_t unsafe,
                                                                     double* initial, AtenTensorHandle* ret0) {
  return guarded([&] {
    require(!maybe(indices).has_value(), "segment_reduce: indices are not covered, and torch does not cover them");
    answer(ret0, segment_reduce(borrow(data), reduce, maybe(lengths), maybe(offsets), axis, unsafe != 0, initial));
  });
}
