#include "fft.h"

#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "fft_lines.h"
#include "layout.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

// Without memory of its own, and few elements: by insertion. Equal strides keep their order.
void sort_by_stride(const Tensor& tensor, int64_t* first, int64_t* last) {
  for (int64_t* i = first; i != last; ++i) {
    for (int64_t* j = i; j != first && tensor.stride(j[-1]) < tensor.stride(j[0]); --j) {
      std::swap(j[-1], j[0]);
    }
  }
}

// A tensor's dimensions brought into the order that torch transforms them in: those without transform first, by falling stride,
// then the others; the result lies in memory in this order.
struct Order {
  Order(const Tensor& self, const Dims& transformed) : dims(), batch(0) {
    Dims marked = Dims::filled(self.sizes().size(), 0);
    for (const int64_t dim : transformed) {
      marked[static_cast<size_t>(dim)] = 1;
    }
    for (size_t dim = 0; dim < marked.size(); ++dim) {
      if (marked[dim] == 0) {
        dims.push_back(static_cast<int64_t>(dim));
      }
    }
    batch = dims.size();
    sort_by_stride(self, dims.begin(), dims.end());
    for (const int64_t dim : transformed) {
      dims.push_back(dim);
    }
  }

  Dims strides(const Dims& sizes) const {
    Dims result = Dims::filled(sizes.size(), 0);
    int64_t stride = 1;
    for (size_t i = dims.size(); i-- > 0;) {
      result[static_cast<size_t>(dims[i])] = stride;
      stride *= sizes[static_cast<size_t>(dims[i])];
    }
    return result;
  }

  Dims dims;
  size_t batch;
};

Dims wrapped(const Tensor& self, const Dims& dims, const char* what) {
  Dims result;
  for (const int64_t dim : dims) {
    const int64_t at = wrap_dim(dim, self.dim());
    require(std::find(result.begin(), result.end(), at) == result.end(), what, ": dimension ", dim, " occurs twice in ", dims);
    require(self.dim() > 0 && self.size(at) > 0, what, ": dimension ", dim, " of ", self.sizes(), " has no elements");
    result.push_back(at);
  }
  return result;
}

double factor_of(int64_t normalization, int64_t elements) {
  require(normalization >= 0 && normalization <= 2, "fft: normalization ", normalization, " is not 0, 1 or 2");
  const double count = static_cast<double>(elements);
  return normalization == 0 ? 1 : normalization == 1 ? 1 / std::sqrt(count) : 1 / count;
}

// Along the dimensions `dims` [first, last) of a result that lies in the given order.
template <class T>
void transform_dimensions(const Tensor& data, const Order& order, size_t first, size_t last, bool forward, double factor) {
  for (size_t i = first; i < last; ++i) {
    const int64_t length = data.size(order.dims[i]);
    const int64_t inner = data.stride(order.dims[i]);
    const int64_t outer = data.numel() / (length * inner);
    transform_lines(data.as<std::complex<T>>(), outer, length, inner, forward, i + 1 == last ? factor : 1);
  }
}

// The second half of a spectrum of real input: each element is the conjugate of the one mirrored in all transformed dimensions.
template <class T>
void fill_mirrored(const Tensor& half, const Tensor& whole, const Order& order) {
  const int64_t last = order.dims.back();
  const int64_t length = whole.size(last);
  const int64_t known = half.size(last);
  const int64_t rows = whole.numel() / length;
  // Rows are numbered in the order of memory, the same for both.
  parallel_for(0, rows, 16384 / length, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; ++row) {
      int64_t mirrored = 0;
      int64_t rest = row;
      int64_t stride = 1;
      for (size_t i = order.dims.size() - 1; i-- > 0;) {
        const int64_t size = whole.size(order.dims[i]);
        const int64_t at = rest % size;
        rest /= size;
        mirrored += stride * (i < order.batch || at == 0 ? at : size - at);
        stride *= size;
      }
      const std::complex<T>* const from = half.as<std::complex<T>>() + row * known;
      const std::complex<T>* const other = half.as<std::complex<T>>() + mirrored * known;
      std::complex<T>* const to = whole.as<std::complex<T>>() + row * length;
      for (int64_t k = 0; k < length; ++k) {
        to[k] = k < known ? from[k] : std::conj(other[length - k]);
      }
    }
  });
}

template <class F>
void for_precision(Dtype dtype, const char* what, F&& f) {
  const Dtype part = real_part(dtype);
  require(part == Dtype::f32 || part == Dtype::f64, what, " is not defined for ", dtype);
  part == Dtype::f32 ? f(TypeTag<float>{}) : f(TypeTag<double>{});
}

int64_t elements_along(const Tensor& tensor, const Dims& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) {
    count *= tensor.size(dim);
  }
  return count;
}

}  // namespace

Tensor fft_complex(const Tensor& self, const Dims& asked, int64_t normalization, bool forward) {
  require(is_complex(self.dtype()), "_fft_c2c: a complex tensor is needed, not ", self.dtype());
  if (asked.empty()) {
    return clone(self);
  }
  Dims dims = wrapped(self, asked, "_fft_c2c");
  sort_by_stride(self, dims.begin(), dims.end());
  const Order order(self, dims);
  Tensor result = empty_strided(self.sizes(), order.strides(self.sizes()), self.dtype());
  copy_into(result, self);
  for_precision(self.dtype(), "_fft_c2c", [&]<class T>(TypeTag<T>) {
    if (result.numel() > 0) {
      transform_dimensions<T>(result, order, order.batch, order.dims.size(), forward,
                              factor_of(normalization, elements_along(self, dims)));
    }
  });
  return result;
}

Tensor fft_from_real(const Tensor& self, const Dims& asked, int64_t normalization, bool onesided) {
  require(!asked.empty(), "_fft_r2c: there is no dimension to transform");
  Dims dims = wrapped(self, asked, "_fft_r2c");
  sort_by_stride(self, dims.begin(), dims.end() - 1);
  const Order order(self, dims);
  Dims sizes = self.sizes();
  int64_t& last = sizes[static_cast<size_t>(dims.back())];
  const int64_t length = last;
  last = length / 2 + 1;
  const bool single = self.dtype() == Dtype::f32;
  const Dtype dtype = single ? Dtype::c64 : Dtype::c128;
  Tensor half = empty_strided(sizes, order.strides(sizes), dtype);
  Tensor source = empty_strided(self.sizes(), order.strides(self.sizes()), self.dtype());
  if (source.strides() == self.strides()) {
    source = self;
  } else {
    copy_into(source, self);
  }
  require(self.dtype() == Dtype::f32 || self.dtype() == Dtype::f64, "_fft_r2c is not defined for ", self.dtype());
  Tensor result = half;
  if (!onesided) {
    result = empty_strided(self.sizes(), order.strides(self.sizes()), dtype);
  }
  for_precision(self.dtype(), "_fft_r2c", [&]<class T>(TypeTag<T>) {
    if (half.numel() == 0) {
      return;
    }
    const double factor = factor_of(normalization, elements_along(self, dims));
    const bool alone = dims.size() == 1;
    transform_real_rows<T>(source.as<T>(), half.as<std::complex<T>>(), self.numel() / length, length, alone ? factor : 1);
    transform_dimensions<T>(half, order, order.batch, order.dims.size() - 1, true, factor);
    if (!onesided) {
      fill_mirrored<T>(half, result, order);
    }
  });
  return result;
}

Tensor fft_to_real(const Tensor& self, const Dims& asked, int64_t normalization, int64_t length) {
  require(is_complex(self.dtype()), "_fft_c2r: a complex tensor is needed, not ", self.dtype());
  require(!asked.empty() && length > 0, "_fft_c2r: there is no dimension to transform, or no length");
  const Dims dims = wrapped(self, asked, "_fft_c2r");
  const int64_t last = dims.back();
  const int64_t known = length / 2 + 1;
  Dims others = dims;
  others.pop_back();
  const Tensor spectrum = others.empty() ? self : fft_complex(self, others, 0, false);
  Dims sizes = self.sizes();
  sizes[static_cast<size_t>(last)] = length;
  const Order order(spectrum, dims);
  Tensor result = empty_strided(sizes, order.strides(sizes), real_part(self.dtype()));
  Tensor whole = empty_strided(sizes, order.strides(sizes), self.dtype());
  const Tensor flat = [&] {
    Tensor copy = empty_strided(self.sizes(), order.strides(self.sizes()), self.dtype());
    copy_into(copy, spectrum);
    return copy;
  }();
  for_precision(self.dtype(), "_fft_c2r", [&]<class T>(TypeTag<T>) {
    if (whole.numel() == 0) {
      return;
    }
    const int64_t given = self.size(last);
    const std::complex<T>* const from = flat.as<std::complex<T>>();
    std::complex<T>* const to = whole.as<std::complex<T>>();
    const int64_t rows = whole.numel() / length;
    parallel_for(0, rows, 16384 / length, [&](int64_t first, int64_t end) {
      for (int64_t row = first; row < end; ++row) {
        for (int64_t k = 0; k < length; ++k) {
          const int64_t at = k < known ? k : length - k;
          const std::complex<T> value = at < given ? from[row * given + at] : std::complex<T>(0);
          const bool real = k == 0 || (length % 2 == 0 && k == length / 2);
          to[row * length + k] = real ? std::complex<T>(value.real()) : k < known ? value : std::conj(value);
        }
      }
    });
    int64_t count = length;
    for (const int64_t dim : others) {
      count *= self.size(dim);
    }
    transform_lines<T>(to, rows, length, 1, false, factor_of(normalization, count));
    for (int64_t i = 0; i < whole.numel(); ++i) {
      result.as<T>()[i] = to[i].real();
    }
  });
  return result;
}

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__fft_c2c)(AtenTensorHandle self, const int64_t* dim, int64_t dim_len_,
                                                    int64_t normalization, int32_t forward, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, fft_complex(borrow(self), list_of(dim, dim_len_), normalization, forward != 0)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch__fft_c2c)(AtenTensorHandle self, const int64_t* dim_ptr, int64_t dim_size, int64_t normalization,
                                                int32_t forward, AtenTensorHandle* ret) {
  return guarded([&] { answer(ret, fft_complex(borrow(self), list_of(dim_ptr, dim_size), normalization, forward != 0)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__fft_r2c)(AtenTensorHandle self, const int64_t* dim, int64_t dim_len_,
                                                    int64_t normalization, int32_t onesided, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, fft_from_real(borrow(self), list_of(dim, dim_len_), normalization, onesided != 0)); });
}
}
