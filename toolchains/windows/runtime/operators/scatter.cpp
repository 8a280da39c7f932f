// Writing along one dimension at given positions: scatter, scatter_reduce, index_reduce.
#include <algorithm>

#include "arguments.h"
#include "layout.h"
#include "reduction.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

Tensor as_positions(const Tensor& index, const char* what) {
  require(index.dtype() == Dtype::i64 || index.dtype() == Dtype::i32, what, ": the index must be int64 or int32, not ", index.dtype());
  return to_dtype(index, Dtype::i64);
}

int64_t checked(int64_t position, int64_t size, int64_t dim) {
  require(position >= 0 && position < size, "index ", position, " is out of bounds for dimension ", dim, " with size ", size);
  return position;
}

// Leading part of `tensor`, of the given shape.
Tensor corner(const Tensor& tensor, const Dims& sizes) {
  return view(tensor, sizes, tensor.strides(), tensor.storage_offset());
}

void check_shapes(const Tensor& out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor* source, const char* what) {
  require(out.sizes() == self.sizes() && out.dtype() == self.dtype(), what, ": the result of shape ", out.sizes(), " and ",
          out.dtype(), " is not like self, of shape ", self.sizes(), " and ", self.dtype());
  if (source != nullptr) {
    require(source->dtype() == self.dtype(), what, ": self is ", self.dtype(), ", the source ", source->dtype());
  }
  if (index.numel() == 0) {
    return;
  }
  require(std::max<int64_t>(index.dim(), 1) == std::max<int64_t>(self.dim(), 1), what, ": the index of shape ", index.sizes(),
          " does not have as many dimensions as self, ", self.sizes());
  for (int64_t d = 0; d < index.dim(); ++d) {
    const bool fits = (d == dim || index.size(d) <= (self.dim() == 0 ? 1 : self.size(d))) &&
                      (source == nullptr || (source->dim() == 0 ? 1 : source->size(d)) >= index.size(d));
    require(fits, what, ": the index of shape ", index.sizes(), " reaches over self, ", self.sizes(), ", or the source, ",
            source != nullptr ? source->sizes() : index.sizes());
  }
}

void start(const Tensor& out, const Tensor& self) {
  if (out.data() != self.data() || !(out.strides() == self.strides())) {
    copy_into(out, self);
  }
}

// Calls one(target, value position) for every element of the index, line by line along `dim`; lines share no target, so they go to
// threads, and within a line the order is that of the index.
template <class T, class One>
void each_target(const Tensor& target, int64_t dim, const Tensor& positions, const Tensor& source, One&& one) {
  const Tensor out = at_least_1d(target);
  const Tensor index = at_least_1d(positions);
  const Tensor from = corner(at_least_1d(source), index.sizes());
  Dims sizes = index.sizes();
  sizes[static_cast<size_t>(dim)] = out.size(dim);
  const Tensor to = corner(out, sizes);
  const Lines<3> lines({&index, &to, &from}, dim);
  const int64_t length = index.size(dim);
  lines.each_parallel(length, [&](const std::array<int64_t, 3>& at, int64_t) {
    const int64_t* const place = index.as<int64_t>() + at[0];
    T* const line = to.as<T>() + at[1];
    const T* const values = from.as<T>() + at[2];
    for (int64_t i = 0; i < length; ++i) {
      const int64_t position = checked(place[i * lines.step[0]], out.size(dim), dim);
      one(line[position * lines.step[1]], values[i * lines.step[2]]);
    }
  });
}

// A tensor of the shape with one element behind all positions.
template <class T>
Tensor repeated(T value, const Tensor& shape, Dtype dtype) {
  Tensor one = empty({}, dtype);
  *one.as<T>() = value;
  return expand(one, shape.sizes());
}

bool overlaps(const Tensor& a, const Tensor& b) {
  return a.storage().get() == b.storage().get();
}

void scatter(const Tensor& out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
  dim = wrap_dim(dim, self.dim());
  const Tensor positions = as_positions(index, "scatter");
  check_shapes(out, self, dim, positions, &source, "scatter");
  const Tensor values = overlaps(out, source) ? clone(source) : source;
  start(out, self);
  if (positions.numel() == 0) {
    return;
  }
  for_bytes(self.dtype(), "scatter",
            [&]<class T>(TypeTag<T>) { each_target<T>(out, dim, positions, values, [](T& to, T value) { to = value; }); });
}

void scatter_value(const Tensor& out, const Tensor& self, int64_t dim, const Tensor& index, double value) {
  for_any(self.dtype(), "scatter", [&]<class T>(TypeTag<T>) {
    scatter(out, self, dim, index, repeated<T>(cast<T>(value), index, self.dtype()));
  });
}

template <class T>
void divide_by_counts(const Tensor& out, const Tensor& counts) {
  const Tensor flat = at_least_1d(out);
  const Tensor numbers = at_least_1d(counts);
  const int64_t dim = flat.dim() - 1;
  const Lines<2> lines({&flat, &numbers}, dim);
  lines.each_parallel(flat.size(dim), [&](const std::array<int64_t, 2>& at, int64_t) {
    for (int64_t i = 0; i < flat.size(dim); ++i) {
      divide(flat.as<T>()[at[0] + i * lines.step[0]], numbers.as<int64_t>()[at[1] + i * lines.step[1]]);
    }
  });
}

// `positions` and `source` have the same number of dimensions as self; see each_target.
void reduce_into(const Tensor& out, const Tensor& self, int64_t dim, const Tensor& positions, const Tensor& source,
                 Reduction reduction, bool include_self, const char* what) {
  const Tensor values = overlaps(out, source) ? clone(source) : source;
  start(out, self);
  if (positions.numel() == 0) {
    return;
  }
  for_any(self.dtype(), what, [&]<class T>(TypeTag<T>) {
    if (!include_self) {
      const Tensor first = repeated<T>(neutral<T>(reduction), positions, self.dtype());
      each_target<T>(out, dim, positions, first, [](T& to, T value) { to = value; });
    }
    each_target<T>(out, dim, positions, values, [&](T& to, T value) { join(reduction, to, value); });
    if (reduction == Reduction::mean) {
      const Tensor counts = zeros(self.sizes(), Dtype::i64);
      const Tensor one = repeated<int64_t>(1, positions, Dtype::i64);
      each_target<int64_t>(counts, dim, positions, one, [](int64_t& to, int64_t value) { to += value; });
      if (include_self) {
        for (int64_t i = 0; i < counts.numel(); ++i) {
          ++counts.as<int64_t>()[i];
        }
      }
      divide_by_counts<T>(out, counts);
    }
  });
}

void scatter_reduce(const Tensor& out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                    const char* reduce, bool include_self) {
  dim = wrap_dim(dim, self.dim());
  const Tensor positions = as_positions(index, "scatter_reduce");
  check_shapes(out, self, dim, positions, &source, "scatter_reduce");
  reduce_into(out, self, dim, positions, source, reduction_named(reduce, "scatter_reduce"), include_self, "scatter_reduce");
}

Tensor index_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, const char* reduce,
                    bool include_self) {
  dim = wrap_dim(dim, self.dim());
  require(index.dim() <= 1, "index_reduce: the index must have one dimension, its shape is ", index.sizes());
  require(source.dtype() == self.dtype(), "index_reduce: self is ", self.dtype(), ", the source ", source.dtype());
  const Tensor flat = at_least_1d(source);
  const Tensor target = at_least_1d(self);
  Dims expected = target.sizes();
  expected[static_cast<size_t>(dim)] = index.numel();
  require(flat.sizes() == expected, "index_reduce: the source has shape ", source.sizes(), ", for self of shape ", self.sizes(), " and ",
          index.numel(), " positions it must have ", expected);
  const Reduction reduction = reduction_named(reduce, "index_reduce");
  require(reduction != Reduction::sum, "index_reduce: the reduction 'sum' is not among prod, mean, amax, amin");
  const Tensor positions = at_least_1d(as_positions(index, "index_reduce"));
  Dims strides = Dims::filled(expected.size(), 0);
  strides[static_cast<size_t>(dim)] = positions.stride(0);
  const Tensor spread = view(positions, expected, strides, positions.storage_offset());
  Tensor result = clone(self);
  reduce_into(at_least_1d(result), at_least_1d(result), dim, spread, flat, reduction, include_self, "index_reduce");
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_scatter_src_out)(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                                           AtenTensorHandle index, AtenTensorHandle src) {
  return guarded([&] { scatter(borrow(out), borrow(self), dim, borrow(index), borrow(src)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_scatter_out)(AtenTensorHandle out, AtenTensorHandle self, int64_t dim, AtenTensorHandle index,
                                                   AtenTensorHandle src) {
  return guarded([&] { scatter(borrow(out), borrow(self), dim, borrow(index), borrow(src)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_scatter_value_out)(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                                             AtenTensorHandle index, double value) {
  return guarded([&] { scatter_value(borrow(out), borrow(self), dim, borrow(index), value); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_scatter_reduce_two_out)(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                                                  AtenTensorHandle index, AtenTensorHandle src, const char* reduce,
                                                                  int32_t include_self) {
  return guarded([&] { scatter_reduce(borrow(out), borrow(self), dim, borrow(index), borrow(src), reduce, include_self != 0); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_scatter_reduce_out)(AtenTensorHandle out, AtenTensorHandle self, int64_t dim,
                                                          AtenTensorHandle index, AtenTensorHandle src, const char* reduce,
                                                          int32_t include_self) {
  return guarded([&] { scatter_reduce(borrow(out), borrow(self), dim, borrow(index), borrow(src), reduce, include_self != 0); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_index_reduce)(AtenTensorHandle self, int64_t dim, AtenTensorHandle index,
                                                        AtenTensorHandle source, const char* reduce, int32_t include_self,
                                                        AtenTensorHandle* ret0) {
  return guarded(
      [&] { answer(ret0, index_reduce(borrow(self), dim, borrow(index), borrow(source), reduce, include_self != 0)); });
}
}
