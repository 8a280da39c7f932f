#include "index_plan.h"

#include "layout.h"
#include "nonzero.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

struct Index {
  Tensor positions;  // int64
  size_t dim;
};

constexpr size_t most_indices = 64;

// A mask stands for as many index tensors as it has dimensions.
size_t collect(const Tensor& self, const std::optional<Tensor>* indices, size_t count, Index (&found)[most_indices]) {
  size_t dim = 0;
  size_t number = 0;
  const auto add = [&](Tensor&& positions) {
    require(number < most_indices, "index: more than ", most_indices, " indices");
    found[number++] = {std::move(positions), dim++};
  };
  for (size_t i = 0; i < count; ++i) {
    if (!indices[i] || !indices[i]->defined()) {
      ++dim;
      continue;
    }
    const Tensor& index = *indices[i];
    if (index.dtype() == Dtype::boolean || index.dtype() == Dtype::u8) {
      for (int64_t d = 0; d < index.dim(); ++d) {
        const size_t at = dim + static_cast<size_t>(d);
        require(at < self.sizes().size() && self.sizes()[at] == index.size(d), "index: the mask of shape ", index.sizes(),
                " does not fit a tensor of shape ", self.sizes(), " at dimension ", at);
      }
      const Tensor rows = nonzero(index);
      if (index.dim() == 0) {
        // One row or none, of no coordinates: an index of that length into a dimension of size 1 that self does not have.
        fail("index: masks without dimensions are not covered");
      }
      for (int64_t d = 0; d < index.dim(); ++d) {
        add(view(rows, {rows.size(0)}, {1}, d * rows.size(0)));
      }
    } else {
      require(index.dtype() == Dtype::i64 || index.dtype() == Dtype::i32, "index: indices must be int64, int32, bool or uint8, not ",
              index.dtype());
      add(to_dtype(index, Dtype::i64));
    }
  }
  require(dim <= self.sizes().size(), "index: ", dim, " indices for a tensor of shape ", self.sizes());
  return number;
}

// offsets[k] += position * stride, with the position checked and counted from the end where it is negative.
void add_offsets(const Tensor& offsets, const Tensor& positions, int64_t size, int64_t stride, size_t dim) {
  const Tensor all = contiguous(expand(positions, offsets.sizes()));
  const int64_t* const from = all.as<int64_t>();
  int64_t* const to = offsets.as<int64_t>();
  parallel_for(0, offsets.numel(), 32768, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k) {
      const int64_t position = from[k];
      require(position >= -size && position < size, "index ", position, " is out of bounds for dimension ", dim, " with size ", size);
      to[k] += (position < 0 ? position + size : position) * stride;
    }
  });
}

}  // namespace

IndexPlan::IndexPlan(const Tensor& self, const std::optional<Tensor>* indices, size_t count) {
  Index found[most_indices];
  const size_t number = collect(self, indices, count, found);
  require(number > 0, "index: no index is given");
  for (size_t i = 0; i < number; ++i) {
    index_shape = broadcast(index_shape, found[i].positions.sizes());
  }
  offsets = zeros(index_shape, Dtype::i64);
  Dims indexed = Dims::filled(self.sizes().size(), 0);
  for (size_t i = 0; i < number; ++i) {
    const size_t dim = found[i].dim;
    indexed[dim] = 1;
    if (offsets.numel() > 0) {
      add_offsets(offsets, found[i].positions, self.sizes()[dim], self.strides()[dim], dim);
    }
  }
  const bool neighbours = found[number - 1].dim - found[0].dim + 1 == number;
  index_position = neighbours ? found[0].dim : 0;
  for (size_t dim = 0; dim < indexed.size(); ++dim) {
    if (indexed[dim] == 0) {
      rest_sizes.push_back(self.sizes()[dim]);
      rest_strides.push_back(self.strides()[dim]);
    }
  }
  require(self.numel() > 0 || offsets.numel() == 0 || product(rest_sizes) == 0, "index: a tensor of shape ", self.sizes(),
          " has no elements to be taken");

  // The result's strides: of the tensor restrided to the result's shape (0 along the indices), then of each index.
  Dims restrided[most_indices + 1];
  const Dims* pointers[most_indices + 1];
  const auto assemble = [&](const Dims& of_index, const Dims& of_rest) {
    Dims all;
    for (size_t i = 0; i < index_position; ++i) {
      all.push_back(of_rest[i]);
    }
    for (const int64_t value : of_index) {
      all.push_back(value);
    }
    for (size_t i = index_position; i < of_rest.size(); ++i) {
      all.push_back(of_rest[i]);
    }
    return all;
  };
  result_sizes = assemble(index_shape, rest_sizes);
  restrided[0] = assemble(Dims::filled(index_shape.size(), 0), rest_strides);
  pointers[0] = &restrided[0];
  for (size_t i = 0; i < number; ++i) {
    restrided[i + 1] =
        assemble(expand(found[i].positions, index_shape).strides(), Dims::filled(rest_sizes.size(), 0));
    pointers[i + 1] = &restrided[i + 1];
  }
  result_strides = elementwise_strides(result_sizes, pointers, number + 1);
}

void IndexPlan::split(const Dims& strides, Dims& of_index, Dims& of_rest) const {
  for (size_t i = 0; i < strides.size(); ++i) {
    (i >= index_position && i < index_position + index_shape.size() ? of_index : of_rest).push_back(strides[i]);
  }
}

}  // namespace aotwin::runtime
