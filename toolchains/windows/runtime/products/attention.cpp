#include "attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "../threads/parallel.h"
#include "attention_kernels.h"
#include "packing.h"
#include "rooms.h"
#include "shares.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t keys_of_block = 128;
constexpr int64_t most_queries = 512;             // in a task: keys and values are packed once for all of them
constexpr int64_t bytes_of_task = 256 << 10;      // of its queries and sums, which stay in the second cache
constexpr int64_t few_queries = 4;
constexpr int64_t slack = 32;

struct Problem {
  Tensor query;
  Tensor key;
  Tensor value;
  Tensor mask;  // undefined, or [batch, heads, queries, keys] with strides of 0 where broadcast, floating
  Tensor out;
  Tensor log_sum;
  bool causal = false;
  double scale = 1;
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t queries = 0;
  int64_t keys = 0;
  int64_t size = 0;
  int64_t heads_of_key = 1;  // heads that share one of the keys
};

const char* row_of(const Tensor& tensor, int64_t batch, int64_t head, int64_t row) {
  return tensor.as<char>() + (batch * tensor.stride(0) + head * tensor.stride(1) + row * tensor.stride(2)) * static_cast<int64_t>(element_size(tensor.dtype()));
}

// Panels of queries from memory where each is contiguous.
void pack_rows(const ProductKernels& kernels, const Tensor& tensor, int64_t batch, int64_t head, int64_t first, int count, int width, int64_t k, void* panel) {
  const void* lane[32];
  const int64_t step = tensor.stride(2) * static_cast<int64_t>(element_size(tensor.dtype()));
  const char* const from = row_of(tensor, batch, head, first);
  for (int i = 0; i < count; ++i) {
    lane[i] = from + i * step;
  }
  kernels.pack_lanes(tensor.dtype(), panel, lane, count, width, k);
}

// C: what sums are made in. Panels hold as many numbers of that size, or pairs of bfloat16 in their place.
template <class C>
class Worker {
 public:
  Worker(const Problem& problem, const ProductKernels& products, const AttentionKernels& kernels, int64_t panels)
      : p_(problem), products_(products), kernels_(kernels), width_(products.width), depth_(units(problem.size)), panels_(panels) {}

  // Of memory that it needs.
  int64_t bytes() const {
    const auto counts = elements();
    return std::accumulate(counts.begin(), counts.end(), int64_t{0}) * static_cast<int64_t>(sizeof(C));
  }
  void use(C* memory) {
    C** const places[] = {&keys_, &values_, &queries_, &sums_, &scores_, &mask_, &state_};
    C* at = memory;
    const auto counts = elements();
    for (size_t i = 0; i < counts.size(); ++i) {
      *places[i] = at;
      at += counts[i];
    }
  }

  // Queries of one head from `first` on, `count` of them.
  void run(int64_t batch, int64_t head, int64_t first, int64_t count) {
    const int64_t key_head = head / p_.heads_of_key;
    const int64_t used = (count + width_ - 1) / width_;
    for (int64_t panel = 0; panel < used; ++panel) {
      pack_rows(products_, p_.query, batch, head, first + panel * width_, lanes_of(panel, count), width_, p_.size, queries_ + panel * width_ * depth_);
      std::fill_n(base(panel), width_, -std::numeric_limits<C>::infinity());
      std::fill_n(sum(panel), width_, C(0));
    }
    // Keys that the last query does not see are nobody's.
    const int64_t keys = p_.causal ? std::min(p_.keys, first + count) : p_.keys;
    for (int64_t key = 0; key < keys; key += keys_of_block) {
      const int64_t now = std::min(keys_of_block, keys - key);
      pack_keys(batch, key_head, key, now);
      pack_values(batch, key_head, key, now);
      for (int64_t panel = 0; panel < used; ++panel) {
        const int64_t query = first + panel * width_;
        if (!p_.causal || key < query + width_) {
          add_block(batch, head, query, lanes_of(panel, count), key, now, panel);
        }
      }
    }
    for (int64_t panel = 0; panel < used; ++panel) {
      write_panel(batch, head, first + panel * width_, lanes_of(panel, count), panel);
    }
  }

 private:
  int64_t units(int64_t k) const {
    return (k + products_.unit - 1) / products_.unit;
  }
  int64_t panels_for(int64_t rows) const {
    return (rows + products_.rows - 1) / products_.rows;
  }
  // Of the places of memory, in whole cache lines.
  std::array<int64_t, 7> elements() const {
    const int64_t block = keys_of_block * width_;
    std::array<int64_t, 7> counts = {(keys_of_block + products_.rows) * depth_ + panels_for(keys_of_block) * slack + slack,
                                     keys_of_block * p_.size + panels_for(p_.size) * slack + slack,
                                     panels_ * width_ * depth_ + slack,
                                     panels_ * width_ * p_.size,
                                     block,
                                     block + slack,
                                     panels_ * 3 * width_};
    for (int64_t& count : counts) {
      count = (count + 15) / 16 * 16;
    }
    return counts;
  }
  int lanes_of(int64_t panel, int64_t count) const {
    return static_cast<int>(std::min<int64_t>(width_, count - panel * width_));
  }
  C* base(int64_t panel) {
    return state_ + panel * 3 * width_;
  }
  C* sum(int64_t panel) {
    return base(panel) + width_;
  }
  C* correction(int64_t panel) {
    return base(panel) + 2 * width_;
  }

  void pack_keys(int64_t batch, int64_t head, int64_t first, int64_t count) {
    const int64_t panels = panels_for(count);
    C* to = keys_;
    for (int64_t i = 0; i < panels; ++i) {
      const int64_t row = part(count, panels, i);
      const int height = static_cast<int>(part(count, panels, i + 1) - row);
      pack_rows(products_, p_.key, batch, head, first + row, height, height, p_.size, to);
      to += height * depth_ + slack;
    }
  }

  void pack_values(int64_t batch, int64_t head, int64_t first, int64_t count) {
    const int64_t panels = panels_for(p_.size);
    const auto element = static_cast<int64_t>(element_size(p_.value.dtype()));
    const char* const from = row_of(p_.value, batch, head, first);
    // Inside of a row of a later key nothing is read that is not the tensor's.
    const bool last = first + count == p_.keys;
    C* to = values_;
    for (int64_t i = 0; i < panels; ++i) {
      const int64_t column = part(p_.size, panels, i);
      const int height = static_cast<int>(part(p_.size, panels, i + 1) - column);
      kernels_.pack_narrow(p_.value.dtype(), to, from + column * element, p_.value.stride(2), height, count, !last && p_.value.stride(2) >= 64);
      to += height * units(count) + slack;
    }
  }

  // In the type of the sums, whatever the panels of products hold.
  const C* mask_of(int64_t batch, int64_t head, int64_t query, int lanes, int64_t key, int64_t count, int64_t* row) {
    if (!p_.mask.defined()) {
      return nullptr;
    }
    const ProductKernels& numbers = sizeof(C) == 8 ? double_kernels() : float_kernels();
    const Tensor& mask = p_.mask;
    const auto element = static_cast<int64_t>(element_size(mask.dtype()));
    const char* const from = row_of(mask, batch, head, query) + key * mask.stride(3) * element;
    if (mask.stride(2) == 0 || p_.queries == 1) {
      *row = 0;
      numbers.pack_any(mask.dtype(), mask_, from, 0, mask.stride(3), 1, 1, count);
    } else if (mask.stride(3) == 1) {
      *row = width_;
      const void* lane[32];
      for (int i = 0; i < lanes; ++i) {
        lane[i] = from + i * mask.stride(2) * element;
      }
      numbers.pack_lanes(mask.dtype(), mask_, lane, lanes, width_, count);
    } else {
      *row = width_;
      numbers.pack_any(mask.dtype(), mask_, from, mask.stride(2), mask.stride(3), lanes, width_, count);
    }
    return mask_;
  }

  // A last panel of fewer queries is computed as a whole one.
  void add_block(int64_t batch, int64_t head, int64_t query, int lanes, int64_t key, int64_t count, int64_t panel) {
    const int width = width_;
    const int64_t panels = panels_for(count);
    const C* keys = keys_;
    C* scores = scores_;
    const C* const queries = queries_ + panel * width * depth_;
    const char* const ahead = reinterpret_cast<const char*>(keys_);  // nothing needs to be asked for
    for (int64_t i = 0; i < panels; ++i) {
      const int64_t height = part(count, panels, i + 1) - part(count, panels, i);
      products_.multiply[height][1](keys, queries, depth_, scores, true, ahead, 0, 0);
      keys += height * depth_ + slack;
      scores += height * width;
    }
    int64_t mask_row = 0;
    const C* const mask = mask_of(batch, head, query, lanes, key, count, &mask_row);
    const int64_t first_hidden = p_.causal ? query - key + 1 : std::numeric_limits<int64_t>::max() / 2;
    const Scores block{scores_, count, width, p_.scale, mask, mask_row, first_hidden, base(panel), sum(panel), correction(panel)};
    C* const sums = sums_ + panel * width * p_.size;
    if (kernels_.weigh(block) && key != 0) {
      kernels_.rescale(sums, p_.size, width, correction(panel));
    }
    const int64_t value_panels = panels_for(p_.size);
    const C* values = values_;
    for (int64_t i = 0; i < value_panels; ++i) {
      const int64_t column = part(p_.size, value_panels, i);
      const int64_t height = part(p_.size, value_panels, i + 1) - column;
      products_.multiply[height][1](values, scores_, units(count), sums + column * width, key == 0, ahead, 0, 0);
      values += height * units(count) + slack;
    }
  }

  void write_panel(int64_t batch, int64_t head, int64_t query, int lanes, int64_t panel) {
    C* const factors = correction(panel);
    const int64_t at = batch * p_.log_sum.stride(0) + head * p_.log_sum.stride(1);
    for (int i = 0; i < width_; ++i) {
      const C total = sum(panel)[i];
      // Nothing seen: the result is 0.
      factors[i] = total == 0 ? 0 : 1 / total;
      if (i < lanes) {
        p_.log_sum.as<C>()[at + (query + i) * p_.log_sum.stride(2)] =
            total == 0 ? 0 : static_cast<C>(static_cast<double>(base(panel)[i]) / kernels_.unit + static_cast<double>(std::log(total)));
      }
    }
    char* const to = const_cast<char*>(row_of(p_.out, batch, head, query));
    C* const sums = sums_ + panel * width_ * p_.size;
    if (p_.out.stride(3) == 1) {
      kernels_.write(p_.out.dtype(), sums, p_.size, width_, lanes, factors, to, p_.out.stride(2));
      return;
    }
    const auto element = static_cast<int64_t>(element_size(p_.out.dtype()));
    for (int64_t i = 0; i < p_.size; ++i) {
      kernels_.write(p_.out.dtype(), sums + i * width_, 1, width_, lanes, factors, to + i * p_.out.stride(3) * element, p_.out.stride(2));
    }
  }

  const Problem& p_;
  const ProductKernels& products_;
  const AttentionKernels& kernels_;
  int width_;
  int64_t depth_;  // elements of a panel for `size`
  int64_t panels_;
  C* keys_ = nullptr;
  C* values_ = nullptr;
  C* queries_ = nullptr;
  C* sums_ = nullptr;
  C* scores_ = nullptr;
  C* mask_ = nullptr;
  C* state_ = nullptr;
};

template <class C>
void attend_by_tiles(const Problem& p, const ProductKernels& products, const AttentionKernels& kernels) {
  const int64_t width = products.width;
  const int64_t heads = p.batch * p.heads;
  const auto work = static_cast<double>(heads * p.queries) * static_cast<double>(p.keys * p.size);
  const int threads = static_cast<int>(std::clamp<double>(work / 50000, 1, thread_count()));
  const int64_t all_panels = (p.queries + width - 1) / width;
  const int64_t most = std::clamp<int64_t>(bytes_of_task / (2 * width * p.size * static_cast<int64_t>(sizeof(C))), 1, most_queries / width);
  int64_t panels = even_parts(heads, all_panels, most, threads);
  // Tasks of unlike length: shorter ones where there would be too few for an even end.
  while (p.causal && panels > 1 && threads > 1 && heads * ((all_panels + panels - 1) / panels) < 3 * threads) {
    --panels;
  }
  const int64_t parts = (all_panels + panels - 1) / panels;
  Shares shares(heads * parts);
  const Worker<C> idle(p, products, kernels, panels);
  Rooms rooms(idle.bytes(), threads);
  parallel(threads, [&](int index, int count) {
    Worker<C> worker = idle;
    worker.use(rooms.of<C>(index));
    shares.each(index, count, [&](int64_t task) {
      const int64_t head = task / parts;
      // The last rows first: with a causal mask they are the longest tasks.
      const int64_t of_head = parts - 1 - task % parts;
      const int64_t first = part(all_panels, parts, of_head) * width;
      worker.run(head / p.heads, head % p.heads, first, std::min(p.queries, part(all_panels, parts, of_head + 1) * width) - first);
    });
  });
}

// One or a few queries, as when a model writes word after word: keys and values are read once, as they lie.
template <class C>
void attend_by_rows(const Problem& p, const ProductKernels& products, const AttentionKernels& kernels) {
  const int64_t key_heads = p.heads / p.heads_of_key;
  const int64_t rows = p.heads_of_key * p.queries;
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, p.keys * p.size));
  const int64_t padded = (p.keys + 15) / 16 * 16 + 16;
  const int threads = threads_for_parts(p.batch * key_heads, grain);
  Rooms rooms((rows * (p.size + p.size + padded) + padded) * static_cast<int64_t>(sizeof(C)) + 64, threads);
  parallel_parts(0, p.batch * key_heads, threads, [&](int64_t begin, int64_t end, int thread) {
    C* const queries = rooms.of<C>(thread);
    C* const sums = queries + rows * p.size;
    C* const scores = sums + rows * p.size;
    C* const mask = scores + rows * padded;
    for (int64_t index = begin; index < end; ++index) {
      const int64_t batch = index / key_heads;
      const int64_t key_head = index % key_heads;
      for (int64_t row = 0; row < rows; ++row) {
        const char* const from = row_of(p.query, batch, key_head * p.heads_of_key + row / p.queries, row % p.queries);
        products.pack_any(p.query.dtype(), queries + row * p.size, from, 0, 1, 1, 1, p.size);
      }
      const char* const keys = row_of(p.key, batch, key_head, 0);
      products.dot(p.key.dtype(), queries, p.size, static_cast<int>(rows), keys, p.key.stride(2), p.keys, p.size, scores, padded);
      std::fill_n(sums, rows * p.size, C(0));
      double totals[few_queries * 16];
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t head = key_head * p.heads_of_key + row / p.queries;
        const int64_t query = row % p.queries;
        const int64_t seen = p.causal ? std::min(p.keys, query + 1) : p.keys;
        C* const mine = scores + row * padded;
        const bool masked = p.mask.defined();
        if (masked) {
          products.pack_any(p.mask.dtype(), mask, row_of(p.mask, batch, head, query), 0, p.mask.stride(3), 1, 1, seen);
        }
        double largest = 0;
        totals[row] = kernels.weigh_row(mine, seen, p.scale, masked ? mask : nullptr, &largest);
        std::fill(mine + seen, mine + p.keys, C(0));
        const int64_t at = batch * p.log_sum.stride(0) + head * p.log_sum.stride(1) + query * p.log_sum.stride(2);
        p.log_sum.as<C>()[at] = static_cast<C>(totals[row] == 0 ? 0 : largest + std::log(totals[row]));
      }
      products.axpy(p.value.dtype(), scores, padded, static_cast<int>(rows), row_of(p.value, batch, key_head, 0), p.value.stride(2), p.size, p.keys, sums, p.size);
      for (int64_t row = 0; row < rows; ++row) {
        Finish finish;
        finish.out = const_cast<char*>(row_of(p.out, batch, key_head * p.heads_of_key + row / p.queries, row % p.queries));
        finish.column = p.out.stride(3);
        finish.dtype = p.out.dtype();
        finish.alpha = totals[row] == 0 ? 0 : 1 / totals[row];
        for (int64_t column = 0; column < p.size; column += 512) {
          products.finish(finish, sums + row * p.size + column, 0, 0, 1, column, static_cast<int>(std::min<int64_t>(512, p.size - column)));
        }
      }
    }
  });
}

// Strides of the query where it is dense, else dense in its order of dimensions: what torch's empty_like gives.
Dims strides_like(const Tensor& tensor) {
  if (tensor.is_dense()) {
    return tensor.strides();
  }
  int order[4] = {3, 2, 1, 0};
  for (int i = 1; i < 4; ++i) {
    for (int j = i; j > 0; --j) {
      const int64_t a = tensor.stride(order[j - 1]);
      const int64_t b = tensor.stride(order[j]);
      // Repeated elements (stride 0) have no place in the order: they stay where they were.
      if (a == 0 || b == 0 || a < b || (a == b && tensor.size(order[j - 1]) <= tensor.size(order[j]))) {
        break;
      }
      std::swap(order[j - 1], order[j]);
    }
  }
  Dims strides = Dims::filled(4, 1);
  int64_t step = 1;
  for (const int dimension : order) {
    strides[static_cast<size_t>(dimension)] = step;
    step *= std::max<int64_t>(1, tensor.size(dimension));
  }
  return strides;
}

Tensor contiguous_rows(const Tensor& tensor) {
  return tensor.stride(3) == 1 || tensor.size(3) == 1 ? tensor : contiguous(tensor);
}

// As numbers to add, not yet broadcast: a mask is often much smaller than the scores.
Tensor numbers_of(const Tensor& mask, Dtype dtype) {
  if (mask.dtype() != Dtype::boolean) {
    return dtype == Dtype::f64 ? to_dtype(mask, Dtype::f64) : mask.dtype() == Dtype::f64 ? to_dtype(mask, Dtype::f32) : mask;
  }
  const Tensor flat = contiguous(mask);
  Tensor numbers = empty(mask.sizes(), dtype == Dtype::f64 ? Dtype::f64 : Dtype::f32);
  const bool* const from = flat.as<bool>();
  const auto fill = [&](auto* to) {
    parallel_for(0, flat.numel(), 65536, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        to[i] = from[i] ? 0 : -std::numeric_limits<std::remove_pointer_t<decltype(to)>>::infinity();
      }
    });
  };
  if (dtype == Dtype::f64) {
    fill(numbers.as<double>());
  } else {
    fill(numbers.as<float>());
  }
  return numbers;
}

}  // namespace

Attention attend(const Tensor& query, const Tensor& key, const Tensor& value, bool causal, const Tensor* mask, std::optional<double> scale) {
  require(query.dim() == 4 && key.dim() == 4 && value.dim() == 4, "attention: query, key and value of shapes ", query.sizes(), ", ", key.sizes(), " and ",
          value.sizes(), " must have four dimensions");
  require(query.dtype() == key.dtype() && query.dtype() == value.dtype(), "attention: query, key and value of dtypes ", query.dtype(), ", ", key.dtype(), " and ",
          value.dtype(), " must have one dtype");
  for_float(query.dtype(), "attention", [](auto) {});
  Problem p;
  p.batch = query.size(0);
  p.heads = query.size(1);
  p.queries = query.size(2);
  p.keys = key.size(2);
  p.size = query.size(3);
  const int64_t key_heads = key.size(1);
  require(key.size(0) == p.batch && value.size(0) == p.batch && value.size(1) == key_heads && value.size(2) == p.keys && key.size(3) == p.size &&
              value.size(3) == p.size && (p.heads == 0 || (key_heads > 0 && p.heads % key_heads == 0)),
          "attention: query, key and value of shapes ", query.sizes(), ", ", key.sizes(), " and ", value.sizes(), " do not fit");
  p.heads_of_key = p.heads == 0 ? 1 : p.heads / key_heads;
  p.causal = causal;
  p.scale = scale ? *scale : 1 / std::sqrt(static_cast<double>(p.size));
  const bool wide = query.dtype() == Dtype::f64;
  Attention result;
  result.out = empty_strided(query.sizes(), strides_like(query), query.dtype());
  result.log_sum = empty_strided({p.batch, p.heads, p.queries}, {p.queries * p.heads, 1, p.heads}, wide ? Dtype::f64 : Dtype::f32);
  if (result.log_sum.numel() == 0 || p.size == 0) {
    return result;
  }
  if (p.keys == 0) {
    fill_zero(result.out);
    fill_zero(result.log_sum);
    return result;
  }
  p.query = contiguous_rows(query);
  p.key = contiguous_rows(key);
  p.value = contiguous_rows(value);
  p.out = result.out;
  p.log_sum = result.log_sum;
  if (mask != nullptr) {
    require(mask->dim() == 2 || mask->dim() == 4, "attention: a mask of shape ", mask->sizes(), " has neither two nor four dimensions");
    p.mask = expand(numbers_of(*mask, query.dtype()), {p.batch, p.heads, p.queries, p.keys});
  }
  const bool few = p.queries <= few_queries && p.heads_of_key <= 16;
  const ProductKernels& products = few && !wide ? float_kernels() : kernels_for(query.dtype(), query.dtype(), true);
  const AttentionKernels& kernels = attention_kernels(query.dtype(), products.unit > 1);
  if (wide) {
    few ? attend_by_rows<double>(p, products, kernels) : attend_by_tiles<double>(p, products, kernels);
  } else {
    few ? attend_by_rows<float>(p, products, kernels) : attend_by_tiles<float>(p, products, kernels);
  }
  return result;
}

}  // namespace aotwin::runtime::products
