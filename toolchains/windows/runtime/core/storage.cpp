#include "storage.h"

#include "constants.h"
#include "constants_registry.h"
#include "memory.h"
#include "objects.h"

namespace aotwin::runtime {

Storage* new_pooled_storage(size_t nbytes) {
  Storage* const storage = objects<Storage>().make();
  storage->nbytes = nbytes;
  storage->pooled = true;
  if (nbytes != 0) {
    try {
      const Block block = allocate(nbytes);
      storage->data = block.data;
      storage->capacity = block.capacity;
    } catch (...) {
      objects<Storage>().destroy(storage);
      throw;
    }
  }
  return storage;
}

Storage* new_foreign_storage(void* data, size_t nbytes) {
  Storage* const storage = objects<Storage>().make();
  storage->data = data;
  storage->nbytes = nbytes;
  storage->capacity = nbytes;
  return storage;
}

void delete_storage(Storage* storage) noexcept {
  if (const uint64_t key = storage->constant_key.load(std::memory_order_relaxed); key != 0) {
    constant_gone(key, storage->nbytes);
  }
  if (storage->pooled) {
    release(storage->data);
  }
  objects<Storage>().destroy(storage);
}

}  // namespace aotwin::runtime
