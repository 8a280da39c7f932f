// The run time of our own: it lies in this very library, with torch's C shims under their names.
#pragma once

#include <windows.h>

#include "threads/control.h"
#include "torch_library.h"

extern "C" void aotwin_memory_trim(void);
extern "C" int32_t aotwin_tensor_storage(void* tensor, const void** storage, int64_t* references);

namespace aotwin {

inline HMODULE own_module() {
  static const char anchor = 0;
  HMODULE module = nullptr;
  GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
      reinterpret_cast<LPCWSTR>(&anchor),
      &module);
  return module;
}

inline const Torch& own_run_time() {
  static const std::unique_ptr<Torch> instance = [] {
    std::unique_ptr<Torch> functions = resolve_torch(own_module());
    functions->own = true;
    return functions;
  }();
  return *instance;
}

// Threads of the regions that this thread starts in this scope; 0: as many as the process has.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads) : before_(aotwin_limit_threads(threads)) {}
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;
  ~ThreadLimit() {
    aotwin_limit_threads(before_);
  }

 private:
  const int before_;
};

} // namespace aotwin
