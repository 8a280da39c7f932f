// Padding: constant (negative pads cut off), reflect, replicate, circular.
#include <algorithm>

#include "arguments.h"
#include "layout.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

enum class Mode { constant, reflect, replicate, circular };

Mode mode_named(const char* name) {
  const std::string_view text = name != nullptr ? name : "";
  if (text == "constant") {
    return Mode::constant;
  }
  if (text == "reflect") {
    return Mode::reflect;
  }
  if (text == "replicate") {
    return Mode::replicate;
  }
  if (text == "circular") {
    return Mode::circular;
  }
  fail("pad: the mode '", text, "' is not among constant, reflect, replicate, circular");
}

// Where the padded position comes from; -1: from nowhere.
int64_t source_of(Mode mode, int64_t position, int64_t size) {
  if (position >= 0 && position < size) {
    return position;
  }
  switch (mode) {
    case Mode::constant:
      return -1;
    case Mode::reflect:
      return position < 0 ? -position : 2 * (size - 1) - position;
    case Mode::replicate:
      return position < 0 ? 0 : size - 1;
    case Mode::circular:
      return position < 0 ? position + size : position - size;
  }
  return -1;
}

void check(const Tensor& self, const Dims& pads, Mode mode) {
  require(pads.size() % 2 == 0 && static_cast<int64_t>(pads.size()) <= 2 * self.dim(), "pad: ", pads, " does not fit a tensor of shape ",
          self.sizes());
  if (mode == Mode::constant) {
    return;
  }
  const int64_t padded = static_cast<int64_t>(pads.size() / 2);
  require(self.dim() == padded + 1 || self.dim() == padded + 2, "pad: ", pads, " in this mode does not fit a tensor of shape ",
          self.sizes());
  for (int64_t i = 0; i < padded; ++i) {
    const int64_t size = self.size(self.dim() - 1 - i);
    for (int64_t side = 0; side < 2; ++side) {
      const int64_t pad = pads[static_cast<size_t>(2 * i + side)];
      const bool fits = mode == Mode::reflect ? pad < size : mode == Mode::circular ? pad <= size : size > 0 || pad <= 0;
      require(fits, "pad: ", pad, " is too much for dimension ", self.dim() - 1 - i, " of ", self.sizes());
    }
  }
}

Tensor padded(const Tensor& self, const Dims& pads, const char* mode_name, const double* value) {
  const Mode mode = mode_named(mode_name);
  check(self, pads, mode);
  require(mode == Mode::constant || value == nullptr || *value == 0, "pad: a value is of use in the mode constant only");
  if (pads.empty()) {
    return clone(self);
  }
  Dims sizes = self.sizes();
  const size_t rank = sizes.size();
  Dims before = Dims::filled(rank, 0);
  for (size_t i = 0; i < pads.size() / 2; ++i) {
    const size_t dim = rank - 1 - i;
    before[dim] = pads[2 * i];
    sizes[dim] += pads[2 * i] + pads[2 * i + 1];
    require(sizes[dim] >= 0, "pad: ", pads, " leaves nothing of dimension ", dim, " of ", self.sizes());
  }
  Tensor result = mode == Mode::circular ? empty(sizes, self.dtype()) : empty_suggested(sizes, self, self.dtype());
  if (result.numel() == 0) {
    return result;
  }
  Tensor filler = empty({}, self.dtype());
  Tensor number = empty({}, Dtype::f64);
  *number.as<double>() = value_or(value, 0.0);
  copy_into(filler, number);
  Dims outer = sizes;
  outer.pop_back();
  for_bytes(self.dtype(), "pad", [&]<class T>(TypeTag<T>) {
    const T fill = *filler.as<T>();
    const int64_t columns = sizes.back();
    parallel_for(0, product(outer), 16384 / columns, [&](int64_t first, int64_t last) {
      Dims target_strides = result.strides();
      target_strides.pop_back();
      Walk<1> walk(outer, {&target_strides}, first);
      for (int64_t row = first; row < last; ++row, walk.next()) {
        int64_t source = 0;
        for (size_t d = 0; d + 1 < rank; ++d) {
          const int64_t from = source_of(mode, walk.index()[d] - before[d], self.sizes()[d]);
          if (from < 0) {
            source = -1;
            break;
          }
          source += from * self.strides()[d];
        }
        T* const to = result.as<T>() + walk[0];
        for (int64_t column = 0; column < columns; ++column) {
          const int64_t from = source < 0 ? -1 : source_of(mode, column - before.back(), self.sizes().back());
          to[column * result.strides().back()] = from < 0 ? fill : self.as<T>()[source + from * self.strides().back()];
        }
      }
    });
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_pad)(AtenTensorHandle self, const int64_t* pad, int64_t pad_len_, const char* mode,
                                               double* value, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, padded(borrow(self), list_of(pad, pad_len_), mode, value)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_pad)(AtenTensorHandle self, const int64_t* pad, int64_t pad_len_, const char* mode,
                                                double* value, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, padded(borrow(self), list_of(pad, pad_len_), mode, value)); });
}
}
