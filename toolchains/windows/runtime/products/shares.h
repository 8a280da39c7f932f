// The tasks of a region, numbered one after the other. Each thread takes those of its own share first, which follow each other: what it wrote in one
// region is in its own cache in the next, where tasks go through rows in the same order. Then it takes what others have not come to, so that a
// thread which other work delays gets fewer.
#pragma once

#include <algorithm>
#include <atomic>

#include "packing.h"

namespace aotwin::runtime::products {

class Shares {
 public:
  explicit Shares(int64_t tasks) : tasks_(tasks) {}

  // take(task) for each task that thread `index` of the region's `threads` gets.
  template <class F>
  void each(int index, int threads, F&& take) {
    const int shares = std::min(threads, most);
    for (int i = 0; i < shares; ++i) {
      const int share = (index + i) % shares;
      const int64_t end = part(tasks_, shares, share + 1);
      for (int64_t task = next(share, shares); task < end; task = next(share, shares)) {
        take(task);
      }
    }
  }

 private:
  static constexpr int most = 64;  // threads beyond these begin with another's share

  int64_t next(int share, int shares) {
    return part(tasks_, shares, share) + taken_[share].count.fetch_add(1, std::memory_order_relaxed);
  }

  struct alignas(64) Taken {
    std::atomic<int64_t> count{0};
  };
  int64_t tasks_;
  Taken taken_[most];
};

}  // namespace aotwin::runtime::products
