// Copies between tensors of any sizes, strides and dtypes. Dimensions are put in the order of the destination's strides and joined
// where both sides allow it; what is left is rows that lie together on both sides, a transposition, or single elements.
#include <algorithm>
#include <cstring>

#include "../threads/parallel.h"
#include "convert.h"
#include "tensor.h"
#include "transpose.h"

namespace aotwin::runtime {
namespace {

// A thread more pays from about this many bytes on: a memcpy of 64 KiB takes as long as waking it.
constexpr int64_t bytes_per_thread = 64 * 1024;

struct Dimension {
  int64_t size;
  int64_t to;  // strides in bytes
  int64_t from;
};

struct Plan {
  static constexpr size_t most = 64;  // torch's own limit
  Dimension dimensions[most];
  size_t count = 0;

  Dimension& inner() {
    return dimensions[count - 1];
  }
};

Plan plan_copy(const Tensor& destination, const Tensor& source) {
  require(destination.sizes().size() <= Plan::most, "tensors of more than ", Plan::most, " dimensions are not copied");
  Plan plan;
  const int64_t to_item = static_cast<int64_t>(element_size(destination.dtype()));
  const int64_t from_item = static_cast<int64_t>(element_size(source.dtype()));
  for (size_t i = 0; i < destination.sizes().size(); ++i) {
    if (destination.sizes()[i] != 1) {
      plan.dimensions[plan.count++] = {
          destination.sizes()[i], destination.strides()[i] * to_item, source.strides()[i] * from_item};
    }
  }
  std::stable_sort(plan.dimensions, plan.dimensions + plan.count, [](const Dimension& a, const Dimension& b) {
    return a.to > b.to;
  });
  size_t kept = 0;
  for (size_t i = 1; i < plan.count; ++i) {
    Dimension& last = plan.dimensions[kept];
    const Dimension& next = plan.dimensions[i];
    if (last.to == next.to * next.size && last.from == next.from * next.size) {
      last = {last.size * next.size, next.to, next.from};
    } else {
      plan.dimensions[++kept] = next;
    }
  }
  plan.count = plan.count == 0 ? 0 : kept + 1;
  if (plan.count == 0) {
    plan.dimensions[plan.count++] = {1, to_item, from_item};
  }
  return plan;
}

// Runs over the outer dimensions of a plan: offsets of the index-th combination, then of each following one.
class Odometer {
 public:
  Odometer(const Dimension* dimensions, size_t count, int64_t index) : dimensions_(dimensions), count_(count) {
    for (size_t i = count; i-- > 0;) {
      position_[i] = index % dimensions[i].size;
      index /= dimensions[i].size;
      to += position_[i] * dimensions[i].to;
      from += position_[i] * dimensions[i].from;
    }
  }
  void next() {
    for (size_t i = count_; i-- > 0;) {
      to += dimensions_[i].to;
      from += dimensions_[i].from;
      if (++position_[i] < dimensions_[i].size) {
        return;
      }
      to -= position_[i] * dimensions_[i].to;
      from -= position_[i] * dimensions_[i].from;
      position_[i] = 0;
    }
  }

  int64_t to = 0;
  int64_t from = 0;

 private:
  const Dimension* dimensions_;
  size_t count_;
  int64_t position_[Plan::most];
};

int64_t combinations(const Dimension* dimensions, size_t count) {
  int64_t result = 1;
  for (size_t i = 0; i < count; ++i) {
    result *= dimensions[i].size;
  }
  return result;
}

// row(to, from, count) over all rows; long rows are cut so that there is work for every thread.
template <class F>
void for_rows(const Plan& plan, char* to, const char* from, int64_t bytes_per_element, F&& row) {
  const Dimension inner = plan.dimensions[plan.count - 1];
  const size_t outer = plan.count - 1;
  const int64_t rows = combinations(plan.dimensions, outer);
  const int64_t row_bytes = std::max<int64_t>(inner.size * bytes_per_element, 1);
  if (rows == 1) {
    parallel_for(0, inner.size, std::max<int64_t>(bytes_per_thread / bytes_per_element, 1), [&](int64_t first, int64_t last) {
      row(to + first * inner.to, from + first * inner.from, last - first);
    });
    return;
  }
  const int64_t threads = thread_count();
  // Cut rows in pieces where there are fewer than a few for each thread and they are long.
  const int64_t pieces = rows >= 4 * threads ? 1 : std::clamp<int64_t>(row_bytes / bytes_per_thread, 1, 4 * threads);
  const int64_t piece = (inner.size + pieces - 1) / pieces;
  parallel_for(0, rows * pieces, std::max<int64_t>(bytes_per_thread * pieces / row_bytes, 1), [&](int64_t first, int64_t last) {
    Odometer at(plan.dimensions, outer, first / pieces);
    int64_t part = first % pieces;
    for (int64_t i = first; i < last; ++i) {
      const int64_t start = part * piece;
      if (start < inner.size) {
        row(to + at.to + start * inner.to, from + at.from + start * inner.from, std::min(piece, inner.size - start));
      }
      if (++part == pieces) {
        part = 0;
        at.next();
      }
    }
  });
}

// The dimension along which the source lies together, if it is another than the innermost.
size_t transposed_dimension(Plan& plan, int64_t to_item, int64_t from_item) {
  constexpr int64_t worth = 4;  // two columns and more are: pixels of three channels
  if (plan.count < 2 || plan.inner().to != to_item || plan.inner().from == from_item || plan.inner().from == 0) {
    return plan.count;
  }
  for (size_t i = 0; i + 1 < plan.count; ++i) {
    if (plan.dimensions[i].from == from_item && plan.dimensions[i].size >= worth) {
      return i;
    }
  }
  return plan.count;
}

void copy_transposed(Plan plan, size_t along, char* to, const char* from, size_t item) {
  const Dimension columns = plan.inner();
  const Dimension rows = plan.dimensions[along];
  for (size_t i = along; i + 2 < plan.count; ++i) {
    plan.dimensions[i] = plan.dimensions[i + 1];
  }
  const size_t outer = plan.count - 2;
  const TransposeTile transpose = transpose_tile(item);
  // A tile's source is whole cache lines and stays in the first-level cache while it is written out.
  constexpr int64_t tile = 64;
  // Few columns: longer tiles, for the same bytes.
  const int64_t tile_rows = columns.size <= 8 ? 8 * tile : tile;
  const int64_t row_tiles = (rows.size + tile_rows - 1) / tile_rows;
  const int64_t column_tiles = (columns.size + tile - 1) / tile;
  const int64_t tiles = combinations(plan.dimensions, outer) * row_tiles * column_tiles;
  const int64_t tile_bytes = std::min(rows.size, tile_rows) * std::min(columns.size, tile) * static_cast<int64_t>(item);
  parallel_for(0, tiles, std::max<int64_t>(bytes_per_thread / 2 / tile_bytes, 1), [&](int64_t first, int64_t last) {
    int64_t within = first % (row_tiles * column_tiles);
    Odometer at(plan.dimensions, outer, first / (row_tiles * column_tiles));
    for (int64_t i = first; i < last; ++i) {
      const int64_t row = within / column_tiles * tile_rows;
      const int64_t column = within % column_tiles * tile;
      transpose(
          to + at.to + row * rows.to + column * columns.to, rows.to,
          from + at.from + row * rows.from + column * columns.from, columns.from,
          std::min(tile_rows, rows.size - row), std::min(tile, columns.size - column));
      if (++within == row_tiles * column_tiles) {
        within = 0;
        at.next();
      }
    }
  });
}

void copy_same_dtype(const Tensor& destination, const Tensor& source) {
  Plan plan = plan_copy(destination, source);
  const size_t item = element_size(destination.dtype());
  const int64_t step = static_cast<int64_t>(item);
  char* const to = destination.as<char>();
  const char* const from = source.as<const char>();
  if (const size_t along = transposed_dimension(plan, step, step); along != plan.count) {
    copy_transposed(plan, along, to, from, item);
    return;
  }
  const Dimension inner = plan.inner();
  if (inner.to == step && inner.from == step) {
    for_rows(plan, to, from, step, [&](char* t, const char* f, int64_t count) {
      std::memcpy(t, f, static_cast<size_t>(count * step));
    });
    return;
  }
  for_bytes(destination.dtype(), "copy", [&]<class T>(TypeTag<T>) {
    if (inner.to == step && inner.from == 0) {
      for_rows(plan, to, from, step, [](char* t, const char* f, int64_t count) {
        T value;
        std::memcpy(&value, f, sizeof(T));
        for (int64_t i = 0; i < count; ++i) {
          std::memcpy(t + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
        }
      });
      return;
    }
    for_rows(plan, to, from, step, [&](char* t, const char* f, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        std::memcpy(t + i * inner.to, f + i * inner.from, sizeof(T));
      }
    });
  });
}

void copy_converting(const Tensor& destination, const Tensor& source) {
  Plan plan = plan_copy(destination, source);
  const int64_t to_item = static_cast<int64_t>(element_size(destination.dtype()));
  const int64_t from_item = static_cast<int64_t>(element_size(source.dtype()));
  const Converter convert(destination.dtype(), source.dtype());
  if (destination.numel() >= 4096 && source.is_dense() && transposed_dimension(plan, to_item, from_item) != plan.count) {
    // Converted in the source's order first, then transposed: twice through memory, but each time along cache lines.
    const Tensor between = empty_strided(source.sizes(), source.strides(), destination.dtype());
    copy_converting(between, source);
    copy_same_dtype(destination, between);
    return;
  }
  const Dimension inner = plan.inner();
  for_rows(plan, destination.as<char>(), source.as<const char>(), to_item + from_item, [&](char* t, const char* f, int64_t count) {
    convert(t, inner.to, f, inner.from, count);
  });
}

// First and last byte of all elements.
bool memory_overlaps(const Tensor& a, const Tensor& b) {
  const auto last = [](const Tensor& tensor) {
    int64_t reach = 1;
    for (size_t i = 0; i < tensor.sizes().size(); ++i) {
      reach += (tensor.sizes()[i] - 1) * tensor.strides()[i];
    }
    return tensor.as<char>() + static_cast<size_t>(reach) * element_size(tensor.dtype());
  };
  return a.as<char>() < last(b) && b.as<char>() < last(a);
}

}  // namespace

void copy_into(const Tensor& destination, const Tensor& source) {
  require(destination.defined() && source.defined(), "copy: a tensor is undefined");
  Tensor from = source.sizes() == destination.sizes() ? source : expand(source, destination.sizes());
  if (destination.numel() == 0) {
    return;
  }
  for (size_t i = 0; i < destination.sizes().size(); ++i) {
    require(
        destination.strides()[i] != 0 || destination.sizes()[i] == 1,
        "copy: several elements of the destination (sizes ", destination.sizes(), ", strides ", destination.strides(),
        ") are the same memory; clone it first");
  }
  const bool same_dtype = destination.dtype() == from.dtype();
  if (memory_overlaps(destination, from)) {
    if (same_dtype && destination.data() == from.data() && destination.strides() == from.strides()) {
      return;
    }
    Tensor apart = empty(from.sizes(), from.dtype());
    copy_same_dtype(apart, from);
    from = std::move(apart);
  }
  if (same_dtype) {
    copy_same_dtype(destination, from);
  } else {
    copy_converting(destination, from);
  }
}

void fill_zero(const Tensor& tensor) {
  require(tensor.defined(), "zero: the tensor is undefined");
  if (tensor.numel() == 0) {
    return;
  }
  if (tensor.is_dense()) {
    parallel_for(0, static_cast<int64_t>(tensor.nbytes()), bytes_per_thread, [&](int64_t first, int64_t last) {
      std::memset(tensor.as<char>() + first, 0, static_cast<size_t>(last - first));
    });
    return;
  }
  alignas(16) static char nothing[16] = {};
  copy_into(tensor, from_memory(nothing, {}, {}, 0, tensor.dtype()));
}

}  // namespace aotwin::runtime
