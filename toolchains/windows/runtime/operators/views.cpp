// Views that generated code leaves to the library, and changes of a tensor's own shape.
#include <algorithm>

#include "arguments.h"
#include "layout.h"

namespace aotwin::runtime {

namespace {

Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length) {
  require(self.dim() > 0, "narrow: a tensor without dimensions cannot be narrowed");
  dim = wrap_dim(dim, self.dim());
  const int64_t size = self.size(dim);
  require(length >= 0 && start >= -size && start <= size, "narrow: start ", start, " and length ", length, " do not fit dimension ", dim,
          " of ", self.sizes());
  const int64_t first = start < 0 ? start + size : start;
  require(first + length <= size, "narrow: start ", start, " and length ", length, " reach over dimension ", dim, " of ", self.sizes());
  Dims sizes = self.sizes();
  sizes[static_cast<size_t>(dim)] = length;
  return view(self, sizes, self.strides(), self.storage_offset() + first * self.stride(dim));
}

Tensor permute(const Tensor& self, const Dims& order) {
  require(static_cast<int64_t>(order.size()) == self.dim(), "permute: ", order, " does not name each dimension of ", self.sizes());
  Dims sizes;
  Dims strides;
  Dims seen = Dims::filled(order.size(), 0);
  for (const int64_t dim : order) {
    const size_t at = static_cast<size_t>(wrap_dim(dim, self.dim()));
    require(seen[at] == 0, "permute: dimension ", dim, " occurs twice in ", order);
    seen[at] = 1;
    sizes.push_back(self.sizes()[at]);
    strides.push_back(self.strides()[at]);
  }
  return view(self, sizes, strides, self.storage_offset());
}

Tensor slice(const Tensor& self, int64_t dim, const int64_t* start, const int64_t* end, int64_t step) {
  require(self.dim() > 0, "slice: a tensor without dimensions cannot be sliced");
  require(step > 0, "slice: the step must be positive, it is ", step);
  dim = wrap_dim(dim, self.dim());
  const int64_t size = self.size(dim);
  const auto bounded = [&](int64_t position, int64_t least) {
    return std::clamp(position < 0 ? position + size : position, least, size);
  };
  const int64_t first = bounded(value_or<int64_t>(start, 0), 0);
  const int64_t last = bounded(value_or(end, size), first);
  Dims sizes = self.sizes();
  Dims strides = self.strides();
  sizes[static_cast<size_t>(dim)] = (last - first + step - 1) / step;
  strides[static_cast<size_t>(dim)] *= step;
  return view(self, sizes, strides, self.storage_offset() + first * self.stride(dim));
}

Tensor squeeze(const Tensor& self, int64_t dim) {
  dim = wrap_dim(dim, self.dim());
  return self.dim() > 0 && self.size(dim) == 1 ? without_dim(self, dim) : self;
}

// A shape with one -1 in it, filled in.
Dims inferred(const Tensor& self, Dims shape) {
  int64_t known = 1;
  int64_t* unknown = nullptr;
  for (int64_t& size : shape) {
    if (size == -1 && unknown == nullptr) {
      unknown = &size;
      continue;
    }
    require(size >= 0, "reshape: ", shape, " is no shape");
    known *= size;
  }
  if (unknown != nullptr) {
    require(known > 0 && self.numel() % known == 0, "reshape: ", self.sizes(), " does not fit ", shape);
    *unknown = self.numel() / known;
    known *= *unknown;
  }
  require(known == self.numel(), "reshape: ", self.sizes(), " has ", self.numel(), " elements, ", shape, " asks for ", known);
  return shape;
}

// Strides of a view with this shape over the same memory, if there are any: each run of dimensions that lie behind each other in
// memory is split anew.
std::optional<Dims> view_strides(const Tensor& self, const Dims& shape) {
  if (self.numel() == 0) {
    return shape == self.sizes() ? self.strides() : contiguous_strides(shape);
  }
  Dims strides = Dims::filled(shape.size(), 0);
  int64_t to = static_cast<int64_t>(shape.size()) - 1;
  int64_t base = self.dim() > 0 ? self.strides().back() : 1;
  int64_t run = 1;
  int64_t taken = 1;
  for (int64_t from = self.dim() - 1; from >= 0; --from) {
    run *= self.size(from);
    if (from > 0 && (self.size(from - 1) == 1 || self.stride(from - 1) == run * base)) {
      continue;
    }
    while (to >= 0 && (taken < run || shape[static_cast<size_t>(to)] == 1)) {
      strides[static_cast<size_t>(to)] = taken * base;
      taken *= shape[static_cast<size_t>(to)];
      --to;
    }
    if (taken != run) {
      return std::nullopt;
    }
    if (from > 0) {
      base = self.stride(from - 1);
      run = 1;
      taken = 1;
    }
  }
  if (self.dim() == 0) {
    return contiguous_strides(shape);
  }
  return to == -1 ? std::optional<Dims>(strides) : std::nullopt;
}

Tensor reshape(const Tensor& self, const Dims& asked) {
  const Dims shape = inferred(self, asked);
  if (const std::optional<Dims> strides = view_strides(self, shape)) {
    return view(self, shape, *strides, self.storage_offset());
  }
  const Tensor copy = contiguous(self);
  return view(copy, shape, contiguous_strides(shape), copy.storage_offset());
}

Tensor view_with_dtype(const Tensor& self, Dtype dtype) {
  const int64_t old_size = static_cast<int64_t>(element_size(self.dtype()));
  const int64_t new_size = static_cast<int64_t>(element_size(dtype));
  Dims sizes = self.sizes();
  Dims strides = self.strides();
  int64_t offset = self.storage_offset();
  if (old_size != new_size) {
    require(self.dim() > 0, "view of ", self.dtype(), " as ", dtype, ": a tensor without dimensions has no room for it");
    require(strides.back() == 1 || self.numel() == 0, "view of ", self.dtype(), " as ", dtype, ": the last dimension must have stride 1, it has ",
            strides.back());
  }
  if (old_size > new_size) {
    const int64_t ratio = old_size / new_size;
    sizes.back() *= ratio;
    for (size_t i = 0; i + 1 < strides.size(); ++i) {
      strides[i] *= ratio;
    }
    offset *= ratio;
  } else if (old_size < new_size) {
    const int64_t ratio = new_size / old_size;
    bool fits = sizes.back() % ratio == 0 && offset % ratio == 0;
    sizes.back() /= ratio;
    for (size_t i = 0; i + 1 < strides.size(); ++i) {
      fits = fits && strides[i] % ratio == 0;
      strides[i] /= ratio;
    }
    offset /= ratio;
    require(fits, "view of ", self.dtype(), " as ", dtype, ": sizes ", self.sizes(), ", strides ", self.strides(), " and offset ",
            self.storage_offset(), " do not divide by ", ratio);
  }
  return view_as(self, sizes, strides, offset, dtype);
}

Tensor as_real(const Tensor& self) {
  require(is_complex(self.dtype()), "view_as_real: a complex tensor is needed, not ", self.dtype());
  Dims sizes = self.sizes();
  Dims strides = self.strides();
  for (int64_t& stride : strides) {
    stride *= 2;
  }
  sizes.push_back(2);
  strides.push_back(1);
  return view_as(self, sizes, strides, self.storage_offset() * 2, real_part(self.dtype()));
}

Tensor as_complex(const Tensor& self) {
  const Dtype dtype = self.dtype() == Dtype::f32 ? Dtype::c64 : self.dtype() == Dtype::f64 ? Dtype::c128 : Dtype::c32;
  require(dtype != Dtype::c32 || self.dtype() == Dtype::f16, "view_as_complex: a floating tensor is needed, not ", self.dtype());
  require(self.dim() > 0 && self.size(-1) == 2, "view_as_complex: the last dimension of ", self.sizes(), " must be of size 2");
  Dims sizes = self.sizes();
  Dims strides = self.strides();
  bool fits = strides.back() == 1 && self.storage_offset() % 2 == 0;
  sizes.pop_back();
  strides.pop_back();
  for (int64_t& stride : strides) {
    fits = fits && stride % 2 == 0;
    stride /= 2;
  }
  require(fits, "view_as_complex: strides ", self.strides(), " and offset ", self.storage_offset(), " do not allow it");
  return view_as(self, sizes, strides, self.storage_offset() / 2, dtype);
}

// torch's numbers of memory formats.
enum : int32_t { contiguous_format = 0, preserve_format = 1, channels_last = 2, channels_last_3d = 3 };

// The old elements stay where they are in memory; a storage that is too small is replaced by a larger one, with them in it.
void resize(AtenTensorHandle handle, const Dims& sizes, const int32_t* format) {
  const Tensor& self = borrow(handle);
  const int32_t wanted = value_or<int32_t>(format, contiguous_format);
  require(wanted != preserve_format, "resize_: the memory format cannot be 'preserve'");
  if (sizes == self.sizes() && format == nullptr) {
    return;
  }
  const Dims strides = wanted == contiguous_format ? contiguous_strides(sizes) : channels_last_strides(sizes);
  int64_t extent = product(sizes) > 0 ? 1 : 0;
  for (size_t i = 0; extent > 0 && i < sizes.size(); ++i) {
    extent += (sizes[i] - 1) * strides[i];
  }
  const size_t element = element_size(self.dtype());
  const size_t needed = (static_cast<size_t>(self.storage_offset()) + static_cast<size_t>(extent)) * element;
  if (extent == 0 || needed <= self.storage()->nbytes) {
    rebind(handle, view(self, sizes, strides, self.storage_offset()));
    return;
  }
  const int64_t elements = static_cast<int64_t>(needed / element);
  const int64_t kept = static_cast<int64_t>(self.storage()->nbytes / element);
  Tensor whole = empty({elements}, self.dtype());
  copy_into(view(whole, {kept}, {1}, 0), view(self, {kept}, {1}, 0));
  rebind(handle, view(whole, sizes, strides, self.storage_offset()));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_narrow)(AtenTensorHandle self, int64_t dim, int64_t start, int64_t length,
                                                  AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, narrow(borrow(self), dim, start, length)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_narrow)(AtenTensorHandle self, int64_t dim, int64_t start, int64_t length,
                                                   AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, narrow(borrow(self), dim, start, length)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_permute)(AtenTensorHandle self, const int64_t* dims, int64_t dims_len_,
                                                   AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, permute(borrow(self), list_of(dims, dims_len_))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_slice_Tensor)(AtenTensorHandle self, int64_t dim, int64_t* start, int64_t* end,
                                                        int64_t step, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, slice(borrow(self), dim, start, end, step)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_squeeze_dim)(AtenTensorHandle self, int64_t dim, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, squeeze(borrow(self), dim)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_reshape)(AtenTensorHandle self, const int64_t* shape, int64_t shape_len_,
                                                   AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, reshape(borrow(self), list_of(shape, shape_len_))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_view_dtype)(AtenTensorHandle self, int32_t dtype, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, view_with_dtype(borrow(self), dtype_or(&dtype, Dtype::f32))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_view_dtype)(AtenTensorHandle self, int32_t dtype, AtenTensorHandle* ret) {
  return guarded([&] { answer(ret, view_with_dtype(borrow(self), dtype_or(&dtype, Dtype::f32))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_view_as_real)(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, as_real(borrow(self))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_view_as_real)(AtenTensorHandle self, AtenTensorHandle* ret) {
  return guarded([&] { answer(ret, as_real(borrow(self))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_view_as_complex)(AtenTensorHandle self, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, as_complex(borrow(self))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_resize_)(AtenTensorHandle self, const int64_t* size, int64_t size_len_,
                                                   int32_t* memory_format) {
  return guarded([&] { resize(self, list_of(size, size_len_), memory_format); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_resize_as_)(AtenTensorHandle self, AtenTensorHandle the_template,
                                                      int32_t* memory_format) {
  return guarded([&] {
    const Tensor& like = borrow(the_template);
    int32_t format = value_or<int32_t>(memory_format, contiguous_format);
    if (format == preserve_format) {
      format = !suggests_channels_last(like) ? contiguous_format : like.dim() == 4 ? channels_last : channels_last_3d;
    }
    resize(self, like.sizes(), memory_format != nullptr ? &format : nullptr);
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_set__source_Tensor)(AtenTensorHandle self, AtenTensorHandle source) {
  return guarded([&] {
    const Tensor& from = borrow(source);
    require(borrow(self).dtype() == from.dtype(), "set_: self is ", borrow(self).dtype(), ", the source ", from.dtype());
    rebind(self, Tensor(from));
  });
}
}
