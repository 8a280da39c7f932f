// The bytes behind tensors: from the pool, or the caller's; shared by counting references.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace aotwin::runtime {

struct Storage {
  std::atomic<int64_t> references{1};
  void* data = nullptr;
  size_t nbytes = 0;    // what torch calls the storage's size
  size_t capacity = 0;  // what may be touched: nbytes, or what the pool rounded it up to
  bool pooled = false;
  // Of a constant: the key of its first byte (see constants.h), else 0.
  std::atomic<uint64_t> constant_key{0};
};

Storage* new_pooled_storage(size_t nbytes);
Storage* new_foreign_storage(void* data, size_t nbytes);
void delete_storage(Storage* storage) noexcept;

class StorageRef {
 public:
  StorageRef() = default;
  // Takes over one reference.
  explicit StorageRef(Storage* storage) : storage_(storage) {}
  StorageRef(const StorageRef& other) : storage_(other.storage_) {
    if (storage_ != nullptr) {
      storage_->references.fetch_add(1, std::memory_order_relaxed);
    }
  }
  StorageRef(StorageRef&& other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
  StorageRef& operator=(StorageRef other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~StorageRef() {
    if (storage_ != nullptr && storage_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete_storage(storage_);
    }
  }
  Storage* operator->() const {
    return storage_;
  }
  Storage* get() const {
    return storage_;
  }
  explicit operator bool() const {
    return storage_ != nullptr;
  }

 private:
  Storage* storage_ = nullptr;
};

}  // namespace aotwin::runtime
