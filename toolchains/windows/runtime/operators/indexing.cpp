// index.Tensor and index_put.
#include <algorithm>
#include <cstring>

#include "arguments.h"
#include "index_plan.h"
#include "layout.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

// Dimensions that both operands see as one are joined, so that the innermost run is as long as it can be.
void join_dimensions(Dims& sizes, Dims& a, Dims& b) {
  for (size_t i = sizes.size(); i-- > 1;) {
    if (sizes[i] == 1 || (a[i - 1] == a[i] * sizes[i] && b[i - 1] == b[i] * sizes[i])) {
      if (sizes[i] != 1) {
        a[i - 1] = a[i];
        b[i - 1] = b[i];
      }
      sizes[i - 1] *= sizes[i];
      sizes.erase(i);
      a.erase(i);
      b.erase(i);
    }
  }
}

// Calls f(offset in self, offset in the other, run length, step in self, step in the other) for runs over the dimensions
// without index, for each k in [first, last).
struct Runs {
  Runs(const IndexPlan& plan, const Dims& strides) : index_shape(plan.index_shape), offsets(plan.offsets.as<int64_t>()) {
    sizes = plan.rest_sizes;
    self_strides = plan.rest_strides;
    plan.split(strides, index_strides, other_strides);
    join_dimensions(sizes, self_strides, other_strides);
    if (!sizes.empty()) {
      length = sizes.back();
      self_step = self_strides.back();
      other_step = other_strides.back();
      sizes.pop_back();
      self_strides.pop_back();
      other_strides.pop_back();
    }
    runs = product(sizes);
  }

  template <class F>
  void each(int64_t first, int64_t last, F&& f) const {
    if (length == 0 || runs == 0) {
      return;
    }
    Walk<1> outer(index_shape, {&index_strides}, first);
    for (int64_t k = first; k < last; ++k, outer.next()) {
      Walk<2> inner(sizes, {&self_strides, &other_strides}, 0);
      for (int64_t run = 0; run < runs; ++run, inner.next()) {
        f(offsets[k] + inner[0], outer[0] + inner[1]);
      }
    }
  }

  Dims index_shape;
  const int64_t* offsets;
  Dims sizes, self_strides, index_strides, other_strides;
  int64_t length = 1, self_step = 1, other_step = 1, runs = 1;
};

Tensor index(const Tensor& self, const std::optional<Tensor>* indices, size_t count) {
  const IndexPlan plan(self, indices, count);
  Tensor result = empty_strided(plan.result_sizes, plan.result_strides, self.dtype());
  for_bytes(self.dtype(), "index", [&]<class T>(TypeTag<T>) {
    const Runs runs(plan, result.strides());
    const T* const from = self.as<T>();
    T* const to = result.as<T>();
    const int64_t work = std::max<int64_t>(runs.length * runs.runs, 1);
    parallel_for(0, plan.offsets.numel(), 16384 / work, [&](int64_t first, int64_t last) {
      runs.each(first, last, [&](int64_t source, int64_t target) {
        if (runs.self_step == 1 && runs.other_step == 1 && runs.length > 4) {
          std::memcpy(to + target, from + source, static_cast<size_t>(runs.length) * sizeof(T));
          return;
        }
        for (int64_t i = 0; i < runs.length; ++i) {
          to[target + i * runs.other_step] = from[source + i * runs.self_step];
        }
      });
    });
  });
  return result;
}

// `target` has the strides that the plan was made for. Where an index occurs twice the last value stays, or all are added; on
// one thread, so that the order is always the same, unless threads can share the dimensions without index.
void put(const Tensor& target, const IndexPlan& plan, const Tensor& values, bool accumulate) {
  require(target.dtype() == values.dtype(), "index_put: self is ", target.dtype(), ", the values are ", values.dtype());
  const Tensor all = expand(values, plan.result_sizes);
  const Runs runs(plan, all.strides());
  const int64_t count = plan.offsets.numel();
  const auto over_threads = [&](auto&& one_run) {
    if (runs.runs == 1 && runs.length >= 256 && count * runs.length > 32768) {
      parallel_for(0, runs.length, 128, [&](int64_t first, int64_t last) {
        runs.each(0, count, [&](int64_t to, int64_t from) {
          one_run(to + first * runs.self_step, from + first * runs.other_step, last - first);
        });
      });
    } else {
      runs.each(0, count, [&](int64_t to, int64_t from) { one_run(to, from, runs.length); });
    }
  };
  if (accumulate) {
    for_any(target.dtype(), "index_put", [&]<class T>(TypeTag<T>) {
      over_threads([&](int64_t to, int64_t from, int64_t length) {
        for (int64_t i = 0; i < length; ++i) {
          T& element = target.as<T>()[to + i * runs.self_step];
          const T value = all.as<T>()[from + i * runs.other_step];
          if constexpr (std::is_same_v<T, bool>) {
            element = element || value;
          } else {
            element = cast<T>(static_cast<opmath_t<T>>(cast<opmath_t<T>>(element) + cast<opmath_t<T>>(value)));
          }
        }
      });
    });
    return;
  }
  for_bytes(target.dtype(), "index_put", [&]<class T>(TypeTag<T>) {
    over_threads([&](int64_t to, int64_t from, int64_t length) {
      if (runs.self_step == 1 && runs.other_step == 1) {
        std::memcpy(target.as<T>() + to, all.as<T>() + from, static_cast<size_t>(length) * sizeof(T));
        return;
      }
      for (int64_t i = 0; i < length; ++i) {
        target.as<T>()[to + i * runs.self_step] = all.as<T>()[from + i * runs.other_step];
      }
    });
  });
}

bool shares_memory(const Tensor& a, const Tensor& b) {
  return a.storage().get() == b.storage().get();
}

void put_into(const Tensor& out, const Tensor& self, const std::optional<Tensor>* indices, size_t count, const Tensor& values,
              bool accumulate) {
  require(out.sizes() == self.sizes() && out.dtype() == self.dtype(), "index_put: the result of shape ", out.sizes(), " and ",
          out.dtype(), " is not like self, of shape ", self.sizes(), " and ", self.dtype());
  const Tensor source = shares_memory(out, values) ? clone(values) : values;
  const IndexPlan plan(out, indices, count);
  if (out.data() != self.data() || !(out.strides() == self.strides())) {
    copy_into(out, self);
  }
  put(out, plan, source, accumulate);
}

constexpr int64_t most_dimensions = 64;

struct IndexList {
  std::optional<Tensor> tensors[most_dimensions];
  size_t count;
};

void check_count(int64_t count) {
  require(count >= 0 && count <= most_dimensions, "index: ", count, " indices");
}

IndexList read(const AtenTensorHandle* const* handles, int64_t count) {
  check_count(count);
  IndexList list{{}, static_cast<size_t>(count)};
  for (int64_t i = 0; i < count; ++i) {
    list.tensors[i] = maybe(handles[i]);
  }
  return list;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_index_Tensor)(AtenTensorHandle self, const AtenTensorHandle** indices,
                                                        int64_t indices_len_, AtenTensorHandle* ret0) {
  return guarded([&] {
    const IndexList list = read(indices, indices_len_);
    answer(ret0, index(borrow(self), list.tensors, list.count));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_index_put)(AtenTensorHandle self, const AtenTensorHandle** indices, int64_t indices_len_,
                                                     AtenTensorHandle values, int32_t accumulate, AtenTensorHandle* ret0) {
  return guarded([&] {
    const IndexList list = read(indices, indices_len_);
    Tensor result = clone(borrow(self));
    put_into(result, result, list.tensors, list.count, borrow(values), accumulate != 0);
    answer(ret0, std::move(result));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_index_put_out)(AtenTensorHandle out, AtenTensorHandle self, const AtenTensorHandle* indices,
                                                     const uint32_t num_indices, const AtenTensorHandle values, bool accumulate) {
  return guarded([&] {
    check_count(num_indices);
    IndexList list{{}, num_indices};
    for (uint32_t i = 0; i < num_indices; ++i) {
      list.tensors[i] = maybe_handle(indices[i]);
    }
    put_into(borrow(out), borrow(self), list.tensors, list.count, borrow(values), accumulate);
  });
}
}
