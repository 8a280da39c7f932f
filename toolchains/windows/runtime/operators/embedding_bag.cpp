// Sums, means and maxima of rows of a table: _embedding_bag.
#include <algorithm>

#include "arguments.h"
#include "layout.h"
#include "promotion.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

enum class Mode : int64_t { sum = 0, mean = 1, max = 2 };

struct Bags {
  Tensor indices;  // int64, contiguous
  Tensor offsets;  // int64, contiguous
  int64_t count;   // of bags
  Dtype index_dtype;

  int64_t first(int64_t bag) const {
    return offsets.as<int64_t>()[bag];
  }
  // Where the bag ends. An included last offset that does not say the number of indices is not heeded, but by torch's quick way
  // for sums and means; it counts all indices even then.
  int64_t last(int64_t bag, bool quick = false) const {
    return bag + 1 < (quick ? offsets.numel() : count) ? offsets.as<int64_t>()[bag + 1] : indices.numel();
  }
};

Bags read_bags(const Tensor& weight, const Tensor& indices, const Tensor& offsets, bool include_last, int64_t padding) {
  require(weight.dim() == 2, "embedding_bag: the weight must have two dimensions, its shape is ", weight.sizes());
  require(indices.dim() == 1 && offsets.dim() == 1, "embedding_bag: indices and offsets must have one dimension, their shapes are ",
          indices.sizes(), " and ", offsets.sizes());
  for (const Tensor* const tensor : {&indices, &offsets}) {
    require(tensor->dtype() == Dtype::i64 || tensor->dtype() == Dtype::i32,
            "embedding_bag: indices and offsets must be int64 or int32, not ", tensor->dtype());
  }
  Bags bags{contiguous(to_dtype(indices, Dtype::i64)), contiguous(to_dtype(offsets, Dtype::i64)), 0,
            promoted(indices.dtype(), offsets.dtype())};
  const int64_t rows = weight.size(0);
  for (int64_t i = 0; i < bags.indices.numel(); ++i) {
    const int64_t index = bags.indices.as<int64_t>()[i];
    require(index >= 0 && index < rows, "embedding_bag: index ", index, " is out of range for a weight of ", rows, " rows");
  }
  require(padding >= -rows && padding < std::max<int64_t>(rows, 1), "embedding_bag: padding_idx ", padding,
          " is out of range for a weight of ", rows, " rows");
  bags.count = bags.offsets.numel();
  if (include_last) {
    require(bags.count >= 1, "embedding_bag: the last offset is to be included, and there is none");
    --bags.count;
  }
  int64_t before = 0;
  for (int64_t i = 0; i < bags.offsets.numel(); ++i) {
    const int64_t offset = bags.offsets.as<int64_t>()[i];
    require(i > 0 || offset == 0, "embedding_bag: the first offset must be 0, it is ", offset);
    require(offset >= before && offset <= bags.indices.numel(), "embedding_bag: offset ", offset, " at ", i,
            " falls, or is beyond the ", bags.indices.numel(), " indices");
    before = offset;
  }
  return bags;
}

struct Results {
  Tensor output;
  Tensor bag_of_index;
  Tensor sizes;
  Tensor maxima;
};

template <class T>
void run(const Tensor& weight, const Bags& bags, Mode mode, bool quick, const Tensor* scales, int64_t padding, const Results& results,
         int64_t* counted, int64_t* best) {
  const int64_t width = weight.size(1);
  const T* const table = weight.as<T>();
  const T* const scale = scales != nullptr ? scales->as<T>() : nullptr;
  const int64_t work = std::max<int64_t>(bags.count == 0 ? 1 : bags.indices.numel() / bags.count * width, 1);
  parallel_for(0, bags.count, 8192 / work, [&](int64_t first, int64_t last) {
    Scratch memory(static_cast<size_t>(width) * sizeof(opmath_t<T>));
    opmath_t<T>* const sum = memory.as<opmath_t<T>>();
    for (int64_t bag = first; bag < last; ++bag) {
      std::fill(sum, sum + width, opmath_t<T>(0));
      int64_t size = 0;
      for (int64_t i = bags.first(bag); i < bags.last(bag, quick); ++i) {
        const int64_t row = bags.indices.as<int64_t>()[i];
        if (row == padding) {
          continue;
        }
        const T* const values = table + row * width;
        if (mode == Mode::max) {
          for (int64_t k = 0; k < width; ++k) {
            const opmath_t<T> value = cast<opmath_t<T>>(values[k]);
            if (size == 0 || value > sum[k]) {
              sum[k] = value;
              best[bag * width + k] = row;
            }
          }
        } else if (scale != nullptr) {
          const opmath_t<T> factor = cast<opmath_t<T>>(scale[i]);
          for (int64_t k = 0; k < width; ++k) {
            sum[k] += factor * cast<opmath_t<T>>(values[k]);
          }
        } else {
          for (int64_t k = 0; k < width; ++k) {
            sum[k] += cast<opmath_t<T>>(values[k]);
          }
        }
        ++size;
      }
      if (quick) {
        size = bags.last(bag) - bags.first(bag);
      }
      if (counted != nullptr) {
        counted[bag] = size;
      }
      const opmath_t<T> divisor = cast<opmath_t<T>>(mode == Mode::mean ? std::max<int64_t>(size, 1) : 1);
      T* const to = results.output.as<T>() + bag * width;
      for (int64_t k = 0; k < width; ++k) {
        to[k] = cast<T>(sum[k] / divisor);
      }
    }
  });
}

Results embedding_bag(const Tensor& table, const Tensor& indices, const Tensor& offsets, int64_t mode_number, const Tensor* scales,
                      bool include_last, int64_t padding, bool forward_only) {
  require(mode_number >= 0 && mode_number <= 2, "embedding_bag: mode ", mode_number, " is not 0 (sum), 1 (mean) or 2 (max)");
  const Mode mode = static_cast<Mode>(mode_number);
  const Bags bags = read_bags(table, indices, offsets, include_last, padding);
  const int64_t rows = table.size(0);
  Tensor factors;
  if (scales != nullptr) {
    require(mode == Mode::sum, "embedding_bag: per_sample_weights are for the mode sum only");
    require(scales->dtype() == table.dtype() && scales->sizes() == indices.sizes(), "embedding_bag: per_sample_weights of shape ",
            scales->sizes(), " and ", scales->dtype(), " do not fit indices of shape ", indices.sizes(), " and a weight of ", table.dtype());
    factors = contiguous(*scales);
  }
  const Tensor weight = contiguous(table);
  Results results;
  results.output = empty({bags.count, table.size(1)}, table.dtype());
  // The other results are what a backward pass would want; their shapes and contents follow torch's, which leaves out what its
  // quick way for sums does not make.
  const bool quick = mode != Mode::max && padding < 0 && table.dtype() != Dtype::f64 && table.stride(1) == 1;
  Tensor counted = zeros({mode == Mode::sum && forward_only ? offsets.numel() : bags.count}, Dtype::i64);
  Tensor best = mode == Mode::max ? zeros({bags.count, table.size(1)}, Dtype::i64) : counted;
  const int64_t padding_row = padding < 0 ? (padding == -1 ? -1 : padding + rows) : padding;
  for_float(table.dtype(), "embedding_bag", [&]<class T>(TypeTag<T>) {
    run<T>(weight, bags, mode, quick, scales != nullptr ? &factors : nullptr, padding_row, results,
           mode != Mode::sum ? counted.as<int64_t>() : nullptr, best.as<int64_t>());
  });
  const bool without = quick && mode == Mode::sum;
  Tensor bag_of_index = zeros({without ? 0 : bags.indices.numel()}, Dtype::i64);
  for (int64_t bag = 0; !without && bag < bags.count; ++bag) {
    std::fill(bag_of_index.as<int64_t>() + bags.first(bag), bag_of_index.as<int64_t>() + bags.last(bag), bag);
  }
  results.bag_of_index = to_dtype(bag_of_index, bags.index_dtype);
  results.sizes = to_dtype(counted, bags.index_dtype);
  results.maxima = mode == Mode::max ? to_dtype(best, bags.index_dtype) : clone(results.sizes);
  return results;
}

void embedding_bag(AtenTensorHandle weight, AtenTensorHandle indices, AtenTensorHandle offsets, int64_t mode,
                   const std::optional<Tensor>& scales, int32_t include_last, int64_t padding, bool forward_only,
                   AtenTensorHandle* const (&slots)[4]) {
  Results results = embedding_bag(borrow(weight), borrow(indices), borrow(offsets), mode, scales ? &*scales : nullptr,
                                  include_last != 0, padding, forward_only);
  answer_all(slots, std::move(results.output), std::move(results.bag_of_index), std::move(results.sizes), std::move(results.maxima));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__embedding_bag)(AtenTensorHandle weight, AtenTensorHandle indices, AtenTensorHandle offsets,
                                                          int32_t, int64_t mode, int32_t, AtenTensorHandle* per_sample_weights,
                                                          int32_t include_last_offset, int64_t padding_idx, AtenTensorHandle* ret0,
                                                          AtenTensorHandle* ret1, AtenTensorHandle* ret2, AtenTensorHandle* ret3) {
  return guarded([&] {
    embedding_bag(weight, indices, offsets, mode, maybe(per_sample_weights), include_last_offset, padding_idx, false,
                  {ret0, ret1, ret2, ret3});
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__embedding_bag_forward_only)(
    AtenTensorHandle weight, AtenTensorHandle indices, AtenTensorHandle offsets, int32_t, int64_t mode, int32_t,
    AtenTensorHandle* per_sample_weights, int32_t include_last_offset, int64_t padding_idx, AtenTensorHandle* ret0,
    AtenTensorHandle* ret1, AtenTensorHandle* ret2, AtenTensorHandle* ret3) {
  return guarded([&] {
    embedding_bag(weight, indices, offsets, mode, maybe(per_sample_weights), include_last_offset, padding_idx, true,
                  {ret0, ret1, ret2, ret3});
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch__embedding_bag)(AtenTensorHandle weight, AtenTensorHandle indices, AtenTensorHandle offsets,
                                                      int32_t, int32_t mode, int32_t, AtenTensorHandle per_sample_weights,
                                                      int32_t include_last_offset, int32_t padding_idx, AtenTensorHandle* ret0,
                                                      AtenTensorHandle* ret1, AtenTensorHandle* ret2, AtenTensorHandle* ret3) {
  return guarded([&] {
    embedding_bag(weight, indices, offsets, mode, maybe_handle(per_sample_weights), include_last_offset, padding_idx, false,
                  {ret0, ret1, ret2, ret3});
  });
}
}
