#include "constants.h"

#include <atomic>
#include <mutex>
#include <vector>

#include "constants_registry.h"
#include "tensor.h"

namespace aotwin::runtime {
namespace {

std::atomic<uint64_t> next_key{1};

struct Listeners {
  std::mutex mutex;
  std::vector<ConstantReleased> functions;
};

Listeners& listeners() {
  static Listeners* const instance = new Listeners;
  return *instance;
}

}  // namespace

uint64_t new_constant_key(size_t nbytes) {
  return next_key.fetch_add(nbytes + 1, std::memory_order_relaxed);
}

void on_constant_released(ConstantReleased function) {
  Listeners& all = listeners();
  const std::lock_guard lock(all.mutex);
  all.functions.push_back(function);
}

void constant_gone(uint64_t key, size_t nbytes) noexcept {
  Listeners& all = listeners();
  const std::lock_guard lock(all.mutex);
  for (const ConstantReleased function : all.functions) {
    function(key, key + nbytes + 1);
  }
}

}  // namespace aotwin::runtime

extern "C" AOTITorchError AOTWIN_SHIM(aotwin_mark_constant)(AtenTensorHandle handle) {
  using namespace aotwin::runtime;
  return guarded([&] {
    const Tensor& tensor = borrow(handle);
    require(tensor.defined(), "aotwin_mark_constant: the tensor is undefined");
    Storage* const storage = tensor.storage().get();
    require(!storage->pooled, "aotwin_mark_constant: the memory of this tensor is the run time's own, which is used again");
    uint64_t none = 0;
    storage->constant_key.compare_exchange_strong(none, new_constant_key(storage->nbytes));
  });
}
