// Asks Windows about pointers from outside, so that a wrong one is an error rather than a fault.
#pragma once

#include <windows.h>

#include <cstdint>

namespace aotwin {

// How many of `size` bytes from `pointer` on can be read: all, or those before the first gap.
inline uint64_t readable_bytes(const void* pointer, uint64_t size) {
  constexpr DWORD readable = PAGE_READONLY | PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READ |
      PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
  const auto start = reinterpret_cast<uintptr_t>(pointer);
  uint64_t seen = 0;
  while (seen < size) {
    MEMORY_BASIC_INFORMATION region{};
    // Fails for addresses that no process can have.
    if (VirtualQuery(reinterpret_cast<void*>(start + seen), &region, sizeof(region)) == 0 ||
        region.State != MEM_COMMIT || (region.Protect & readable) == 0 ||
        (region.Protect & PAGE_GUARD) != 0) {
      return seen;
    }
    seen = reinterpret_cast<uintptr_t>(region.BaseAddress) + region.RegionSize - start;
  }
  return size;
}

} // namespace aotwin
