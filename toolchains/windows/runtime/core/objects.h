// Objects of one size that come and go with every call (tensor handles, storages): a free list that never gives memory back, so that
// a stale handle can be recognised by its magic instead of being a fault. Their number is that of the most in use at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include "error.h"
#include "platform.h"

namespace aotwin::runtime {

template <class T>
class ObjectPool {
 public:
  template <class... Arguments>
  T* make(Arguments&&... arguments) {
    void* memory;
    {
      const std::lock_guard lock(mutex_);
      if (free_ == nullptr) {
        grow();
      }
      Slot* const slot = free_;
      free_ = slot->next;
      memory = slot->memory;
      ++used_;
    }
    return new (memory) T(std::forward<Arguments>(arguments)...);
  }

  void destroy(T* object) noexcept {
    object->~T();
    Slot* const slot = reinterpret_cast<Slot*>(reinterpret_cast<char*>(object) - offsetof(Slot, memory));
    const std::lock_guard lock(mutex_);
    slot->next = free_;
    free_ = slot;
    --used_;
  }

  uint64_t used() {
    const std::lock_guard lock(mutex_);
    return used_;
  }

 private:
  struct Slot {
    Slot* next;
    alignas(T) char memory[sizeof(T)];  // keeps what the destructor leaves in it
  };

  void grow() {
    constexpr size_t nbytes = 64 * 1024;
    char* const memory = static_cast<char*>(platform::map_memory(nbytes));
    require(memory != nullptr, "out of memory for tensor handles");
    for (size_t at = 0; at + sizeof(Slot) <= nbytes; at += sizeof(Slot)) {
      Slot* const slot = new (memory + at) Slot;
      slot->next = free_;
      free_ = slot;
    }
  }

  std::mutex mutex_;
  Slot* free_ = nullptr;
  uint64_t used_ = 0;
};

// Never destroyed: hosts may delete handles after this library's destructors have run.
template <class T>
ObjectPool<T>& objects() {
  alignas(ObjectPool<T>) static char memory[sizeof(ObjectPool<T>)];
  static ObjectPool<T>* const pool = new (memory) ObjectPool<T>;
  return *pool;
}

uint64_t handles_in_use();

}  // namespace aotwin::runtime
