// Many queries: panels of them against blocks of keys, with a running maximum. Scores are only ever in a near cache.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "../threads/parallel.h"
#include "attention_problem.h"
#include "packing.h"
#include "rooms.h"
#include "shares.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t keys_of_block = 128;
constexpr int64_t most_queries = 512;             // in a task: keys and values are packed once for all of them
constexpr int64_t bytes_of_task = 256 << 10;      // of its queries and sums, which stay in the second cache
constexpr int64_t slack = 32;

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
  Worker(const AttentionProblem& problem, const ProductKernels& products, const AttentionKernels& kernels, int64_t panels)
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

  const AttentionProblem& p_;
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

}  // namespace

template <class C>
void attend_by_tiles(const AttentionProblem& p, const ProductKernels& products, const AttentionKernels& kernels) {
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

template void attend_by_tiles<float>(const AttentionProblem& p, const ProductKernels& products, const AttentionKernels& kernels);
template void attend_by_tiles<double>(const AttentionProblem& p, const ProductKernels& products, const AttentionKernels& kernels);

}  // namespace aotwin::runtime::products
