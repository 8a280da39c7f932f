// Counting into bins: histc, histogram, histogramdd over bins of equal width.
#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "layout.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

template <class T>
struct Range {
  T low;
  T high;
};

// Of all elements; one that is empty is widened by one, or by half to each side.
template <class T>
Range<T> range_of(const T* values, int64_t count, int64_t step, const char* what) {
  Range<T> range{0, 0};
  for (int64_t i = 0; i < count; ++i) {
    const T value = values[i * step];
    range.low = i == 0 ? value : std::min(range.low, value);
    range.high = i == 0 ? value : std::max(range.high, value);
    require(!is_nan(value), what, ": the range cannot be found, there is a NaN");
  }
  return range;
}

template <class T>
void check_range(Range<T> range, const char* what) {
  if constexpr (std::is_floating_point_v<T>) {
    require(std::isfinite(range.low) && std::isfinite(range.high), what, ": the range [", range.low, ", ", range.high, "] is not finite");
  }
  require(range.low <= range.high, what, ": the range [", range.low, ", ", range.high, "] falls");
}

Tensor histc(const Tensor& self, int64_t bins, double low, double high) {
  require(bins > 0, "histc: the number of bins must be positive, it is ", bins);
  require(is_floating(self.dtype()) || is_integral(self.dtype()), "histc is not defined for ", self.dtype());
  const Tensor values = contiguous(self);
  Tensor result = zeros({bins}, self.dtype());
  for_real(self.dtype(), "histc", [&]<class T>(TypeTag<T>) {
    using Math = opmath_t<T>;
    const T* const from = values.as<T>();
    Range<Math> range{cast<Math>(low), cast<Math>(high)};
    if (range.low == range.high && self.numel() > 0) {
      const Range<T> found = range_of(from, values.numel(), 1, "histc");
      range = {cast<Math>(found.low), cast<Math>(found.high)};
    }
    if (range.low == range.high) {
      range = {static_cast<Math>(range.low - 1), static_cast<Math>(range.high + 1)};
    }
    check_range(range, "histc");
    Scratch memory(static_cast<size_t>(bins) * sizeof(int64_t));
    int64_t* const counts = memory.as<int64_t>();
    std::fill(counts, counts + bins, 0);
    using Wide = std::conditional_t<std::is_integral_v<T>, double, Math>;
    const Wide width = static_cast<Wide>(range.high) - static_cast<Wide>(range.low);
    for (int64_t i = 0; i < values.numel(); ++i) {
      const Math value = cast<Math>(from[i]);
      if (value >= range.low && value <= range.high) {
        const int64_t bin = static_cast<int64_t>((static_cast<Wide>(value) - static_cast<Wide>(range.low)) / width * static_cast<Wide>(bins));
        ++counts[std::min(bin, bins - 1)];
      }
    }
    for (int64_t i = 0; i < bins; ++i) {
      result.as<T>()[i] = cast<T>(counts[i]);
    }
  });
  return result;
}

// One dimension of a histogram: its edges and the bin of a value.
template <class T>
struct Axis {
  int64_t bins;
  Range<T> range;
  Tensor edges;

  void place_edges(Dtype dtype) {
    edges = empty({bins + 1}, dtype);
    T* const to = edges.as<T>();
    const T step = (range.high - range.low) / static_cast<T>(bins);
    // From both ends, so that both are met.
    for (int64_t i = 0; i <= bins; ++i) {
      to[i] = i <= bins / 2 ? range.low + step * static_cast<T>(i) : range.high - step * static_cast<T>(bins - i);
    }
  }

  // -1 outside. The last bin has both its edges.
  int64_t bin_of(T value) const {
    if (!(value >= range.low && value <= range.high)) {
      return -1;
    }
    const T* const edge = edges.as<T>();
    int64_t bin = static_cast<int64_t>((value - range.low) / (range.high - range.low) * static_cast<T>(bins));
    bin = std::clamp<int64_t>(bin, 0, bins - 1);
    // The division may be off by one where an edge is near.
    if (value < edge[bin] && bin > 0) {
      --bin;
    } else if (bin + 1 < bins && value >= edge[bin + 1]) {
      ++bin;
    }
    return bin;
  }
};

struct Histogram {
  Tensor counts;
  Tensor edges;  // of the last axis
};

constexpr int64_t most_axes = 32;

// `self`: [points, axes]; `range`: low and high of each axis, or nothing.
Histogram histogram(const Tensor& self, const Dims& bins, const double* range, int64_t range_length, const Tensor* weight,
                    bool density, const char* what) {
  const int64_t axes = static_cast<int64_t>(bins.size());
  require(self.dim() == 2 && self.size(1) == axes && axes <= most_axes, what, ": ", axes, " numbers of bins for points of shape ",
          self.sizes());
  require(range == nullptr || range_length == 2 * axes, what, ": a range of ", range_length, " numbers for ", axes, " axes");
  const int64_t points = self.size(0);
  if (weight != nullptr) {
    require(weight->numel() == points && weight->dtype() == self.dtype(), what, ": weights of shape ", weight->sizes(), " and ",
            weight->dtype(), " do not fit ", points, " points of ", self.dtype());
  }
  const Tensor values = contiguous(self);
  const Tensor weights = weight != nullptr ? contiguous(*weight) : Tensor();
  for (const int64_t count : bins) {
    require(count > 0, what, ": the number of bins must be positive, it is ", count);
  }
  Histogram result{zeros(bins, self.dtype()), Tensor()};
  const auto run = [&]<class T>(TypeTag<T>) {
    Axis<T> axis[most_axes];
    for (int64_t d = 0; d < axes; ++d) {
      axis[d].bins = bins[static_cast<size_t>(d)];
      axis[d].range = range != nullptr ? Range<T>{static_cast<T>(range[2 * d]), static_cast<T>(range[2 * d + 1])}
                                       : range_of(values.as<T>() + d, points, axes, what);
      check_range(axis[d].range, what);
      if (axis[d].range.low == axis[d].range.high) {
        axis[d].range = {axis[d].range.low - T(0.5), axis[d].range.high + T(0.5)};
      }
      axis[d].place_edges(self.dtype());
    }
    T* const counts = result.counts.as<T>();
    for (int64_t i = 0; i < points; ++i) {
      int64_t place = 0;
      for (int64_t d = 0; d < axes && place >= 0; ++d) {
        const int64_t bin = axis[d].bin_of(values.as<T>()[i * axes + d]);
        place = bin < 0 ? -1 : place * axis[d].bins + bin;
      }
      if (place >= 0) {
        counts[place] += weight != nullptr ? weights.as<T>()[i] : T(1);
      }
    }
    if (density) {
      T total = 0;
      for (int64_t i = 0; i < result.counts.numel(); ++i) {
        total += counts[i];
      }
      for (int64_t i = 0; i < result.counts.numel(); ++i) {
        T volume = total;
        int64_t rest = i;
        for (int64_t d = axes; d-- > 0; rest /= axis[d].bins) {
          const T* const edge = axis[d].edges.template as<T>() + rest % axis[d].bins;
          volume *= edge[1] - edge[0];
        }
        counts[i] /= volume;
      }
    }
    result.edges = axis[axes - 1].edges;
  };
  require(self.dtype() == Dtype::f32 || self.dtype() == Dtype::f64, what, " is not defined for ", self.dtype());
  self.dtype() == Dtype::f32 ? run(TypeTag<float>{}) : run(TypeTag<double>{});
  return result;
}

// Any shape but the last dimension as points.
Tensor as_points(const Tensor& self, int64_t axes) {
  const Tensor all = contiguous(self);
  const int64_t points = axes > 0 ? all.numel() / axes : 0;
  return view(all, {points, axes}, {axes, 1}, all.storage_offset());
}

const double* pointed(const double** range) {
  return range != nullptr ? *range : nullptr;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_histc)(AtenTensorHandle self, int64_t bins, double min, double max, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, histc(borrow(self), bins, min, max)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_histogram_bin_ct)(AtenTensorHandle self, int64_t bins, const double** range,
                                                            int64_t range_len_, AtenTensorHandle* weight, int32_t density,
                                                            AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    const std::optional<Tensor> weights = maybe(weight);
    Histogram result = histogram(as_points(borrow(self), 1), {bins}, pointed(range), range_len_, weights ? &*weights : nullptr,
                                 density != 0, "histogram");
    answer_all({ret0, ret1}, std::move(result.counts), std::move(result.edges));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__histogramdd_from_bin_cts)(AtenTensorHandle self, const int64_t* bins, int64_t bins_len_,
                                                                     const double** range, int64_t range_len_,
                                                                     AtenTensorHandle* weight, int32_t density,
                                                                     AtenTensorHandle* ret0) {
  return guarded([&] {
    const std::optional<Tensor> weights = maybe(weight);
    const Tensor& points = borrow(self);
    require(points.dim() >= 2, "histogramdd: points of shape ", points.sizes(), " have fewer than two dimensions");
    answer(ret0, histogram(as_points(points, points.size(-1)), list_of(bins, bins_len_), pointed(range), range_len_,
                           weights ? &*weights : nullptr, density != 0, "histogramdd")
                     .counts);
  });
}
}
