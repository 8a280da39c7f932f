// Meetings of the threads of one region: they all run, so waiting is short, unless the machine has other work for them.
#pragma once

#include <atomic>
#include <thread>

namespace aotwin::runtime::products {

class Barrier {
 public:
  // For the `meeting`th time, counted from one.
  void wait(int threads, int64_t meeting = 1) {
    if (threads == 1) {
      return;
    }
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    for (int turn = 0; arrived_.load(std::memory_order_acquire) < threads * meeting; ++turn) {
      if (turn < 4096) {
        __builtin_ia32_pause();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  alignas(64) std::atomic<int64_t> arrived_{0};
};

}  // namespace aotwin::runtime::products
