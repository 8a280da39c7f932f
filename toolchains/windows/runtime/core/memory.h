// The pool that all memory of tensors and Scratch comes from: two-level segregated fit over segments of the system's memory, so
// that blocks of any size are split, joined and used again, and a warm run, whose requests repeat, asks the system for nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim.h"

namespace aotwin::runtime {

inline constexpr size_t memory_alignment = 64;

struct Block {
  void* data;
  size_t capacity;  // >= what was asked for
};

// Never null: throws Error where the system has no memory.
Block allocate(size_t nbytes);
void release(void* data) noexcept;

}  // namespace aotwin::runtime

extern "C" {

struct aotwin_memory_statistics {
  uint64_t used;          // bytes in blocks that are in use
  uint64_t peak;          // largest `used` since the last trim
  uint64_t held;          // bytes that the pool has from the system
  uint64_t system_calls;  // how often it asked the system for memory
  uint64_t blocks;        // blocks in use
  uint64_t handles;       // tensor handles in use
};

// The pool keeps at most twice the peak and 32 MiB. Gives back to the system what is not in use: to be called when a model is closed.
void aotwin_memory_trim(void);
void aotwin_memory_read_statistics(struct aotwin_memory_statistics* statistics);
}
