// A meeting of the threads of one region, once: they all run, so waiting is short, unless the machine has other work for them.
#pragma once

#include <atomic>
#include <thread>

namespace aotwin::runtime::products {

class Barrier {
 public:
  void wait(int threads) {
    if (threads == 1) {
      return;
    }
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    for (int turn = 0; arrived_.load(std::memory_order_acquire) < threads; ++turn) {
      if (turn < 4096) {
        __builtin_ia32_pause();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  std::atomic<int> arrived_{0};
};

}  // namespace aotwin::runtime::products
