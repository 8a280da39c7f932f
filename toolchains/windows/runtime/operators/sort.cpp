// sort and topk along one dimension.
#include <algorithm>

#include "arguments.h"
#include "layout.h"
#include "order.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

// Stable whether asked for or not, as torch's CPU sort is.
void sort_lines(const Tensor& self, int64_t dim, bool descending, AtenTensorHandle* values, AtenTensorHandle* indices) {
  dim = wrap_dim(dim, self.dim());
  Tensor sorted = empty_preserving(self, self.dtype());
  Tensor positions = empty_strided(self.sizes(), sorted.strides(), Dtype::i64);
  const Lines<3> lines({&self, &sorted, &positions}, dim);
  const int64_t length = self.dim() == 0 ? 1 : self.size(dim);
  if (self.numel() > 0) {
    for_ordered(self.dtype(), "sort", [&]<class T>(TypeTag<T>) {
      parallel_for(0, lines.count, 4096 / length, [&](int64_t first, int64_t last) {
        SortSpace<T> space(length);
        lines.each(first, last, [&](const std::array<int64_t, 3>& at, int64_t) {
          const T* const source = self.as<T>() + at[0];
          const uint32_t* const order = space.sort(source, lines.step[0], descending);
          T* const value = sorted.as<T>() + at[1];
          int64_t* const index = positions.as<int64_t>() + at[2];
          for (int64_t i = 0; i < length; ++i) {
            value[i * lines.step[1]] = source[order[i] * lines.step[0]];
            index[i * lines.step[2]] = order[i];
          }
        });
      });
    });
  } else {
    for_ordered(self.dtype(), "sort", [](auto) {});
  }
  answer_all({values, indices}, std::move(sorted), std::move(positions));
}

template <class Key>
struct Ranked {
  Key key;
  uint32_t position;
  // Among equals the first comes first, so that the answer does not depend on the method.
  friend bool operator<(const Ranked& a, const Ranked& b) {
    return a.key < b.key || (a.key == b.key && a.position < b.position);
  }
};

// The `wanted` first of the line by key, in order.
template <class Key, class KeyAt>
void select_first(Ranked<Key>* ranked, int64_t length, int64_t wanted, KeyAt&& key_at) {
  if (wanted * 8 <= length) {
    // A heap of the best so far, its worst at the top: most elements fail one comparison.
    for (int64_t i = 0; i < wanted; ++i) {
      ranked[i] = {key_at(i), static_cast<uint32_t>(i)};
    }
    std::make_heap(ranked, ranked + wanted);
    for (int64_t i = wanted; i < length; ++i) {
      const Key key = key_at(i);
      if (key < ranked[0].key) {
        std::pop_heap(ranked, ranked + wanted);
        ranked[wanted - 1] = {key, static_cast<uint32_t>(i)};
        std::push_heap(ranked, ranked + wanted);
      }
    }
    std::sort_heap(ranked, ranked + wanted);
    return;
  }
  for (int64_t i = 0; i < length; ++i) {
    ranked[i] = {key_at(i), static_cast<uint32_t>(i)};
  }
  if (wanted < length) {
    std::nth_element(ranked, ranked + wanted, ranked + length);
  }
  std::sort(ranked, ranked + wanted);
}

void top(const Tensor& self, int64_t wanted, int64_t dim, bool largest, AtenTensorHandle* values, AtenTensorHandle* indices) {
  dim = wrap_dim(dim, self.dim());
  const int64_t length = self.dim() == 0 ? 1 : self.size(dim);
  require(wanted >= 0 && wanted <= length, "topk: ", wanted, " elements are asked for, dimension ", dim, " of ", self.sizes(), " has ",
          length);
  Dims sizes = self.sizes();
  if (!sizes.empty()) {
    sizes[static_cast<size_t>(dim)] = wanted;
  }
  Tensor found = empty(sizes, self.dtype());
  Tensor positions = empty(sizes, Dtype::i64);
  const Lines<3> lines({&self, &found, &positions}, dim);
  for_ordered(self.dtype(), "topk", [&]<class T>(TypeTag<T>) {
    using Key = key_t_of<T>;
    if (wanted == 0 || found.numel() == 0) {
      return;
    }
    require(length < int64_t(1) << 32, "topk: a dimension of ", length, " elements is too long");
    parallel_for(0, lines.count, 8192 / length, [&](int64_t first, int64_t last) {
      Scratch memory(static_cast<size_t>(length) * sizeof(Ranked<Key>));
      Ranked<Key>* const ranked = memory.as<Ranked<Key>>();
      lines.each(first, last, [&](const std::array<int64_t, 3>& at, int64_t) {
        const T* const source = self.as<T>() + at[0];
        select_first(ranked, length, wanted, [&](int64_t i) { return order_key(source[i * lines.step[0]], largest); });
        for (int64_t i = 0; i < wanted; ++i) {
          found.as<T>()[at[1] + i * lines.step[1]] = source[ranked[i].position * lines.step[0]];
          positions.as<int64_t>()[at[2] + i * lines.step[2]] = ranked[i].position;
        }
      });
    });
  });
  answer_all({values, indices}, std::move(found), std::move(positions));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_sort)(AtenTensorHandle self, int64_t dim, int32_t descending, AtenTensorHandle* ret0,
                                                AtenTensorHandle* ret1) {
  return guarded([&] { sort_lines(borrow(self), dim, descending != 0, ret0, ret1); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_sort_stable)(AtenTensorHandle self, int32_t*, int64_t dim, int32_t descending,
                                                       AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] { sort_lines(borrow(self), dim, descending != 0, ret0, ret1); });
}

// Sorted whether asked for or not: the order of unsorted results is nobody's to rely on.
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_topk)(AtenTensorHandle self, int64_t k, int64_t dim, int32_t largest, int32_t,
                                                AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] { top(borrow(self), k, dim, largest != 0, ret0, ret1); });
}
}
