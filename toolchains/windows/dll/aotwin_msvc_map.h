// An adapter for the entry points through which torch_cpu.dll passes its
// `std::unordered_map<std::string, AtenTensorHandle>`: MSVC's there, libc++'s here.
//
// Layout of MSVC's containers in release mode on x86_64, unchanged since Visual Studio 2015 and bound by
// its promise of binary compatibility (sources: github.com/microsoft/STL, stl/inc/xhash, list, xstring):
//
//     unordered_map   0 traits: two empty classes and a float max_load_factor, padded to 8
//                     8 list: head node*   16 list: size
//                    24 bucket vector: first*, last*, end*   48 mask   56 number of buckets
//     list node       0 next*   8 previous*   16 value; the head node has no value
//     value          16 std::string (32 bytes)   48 tensor handle
//     std::string     0 char[16] where the capacity is below 16, else char*   16 size   24 capacity
//
// Nothing is read before Windows was asked whether it can be: a host built with another standard library
// gets an error, not a fault.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include <torch/csrc/inductor/aoti_runtime/interface.h>

#include "aotwin_memory.h"

namespace aotwin {

struct MsvcString {
  union {
    char inside[16];
    const char* outside;
  };
  uint64_t size;
  uint64_t capacity;
};

struct MsvcNode;

// All that the head node has.
struct MsvcLinks {
  const MsvcNode* next;
  const MsvcNode* previous;
};

struct MsvcNode : MsvcLinks {
  MsvcString key;
  AtenTensorHandle value;
};

struct MsvcMap {
  float max_load_factor;
  const MsvcNode* head;
  uint64_t size;
  const void* buckets[3];
  uint64_t mask;
  uint64_t num_buckets;
};

static_assert(sizeof(MsvcString) == 32);
static_assert(sizeof(MsvcNode) == 56);
static_assert(sizeof(MsvcMap) == 64);

// Far above any model, far below what would take memory away.
inline constexpr uint64_t most_constants = 10'000'000;
inline constexpr uint64_t longest_name = 1 << 16;

[[noreturn]] inline void not_msvc(const char* pairs_entry_point, const char* what) {
  throw std::runtime_error(
      std::string("the constants are no std::unordered_map of Microsoft's release-mode C++ library (") +
      what + "). Pass them as an array of names and handles through " + pairs_entry_point);
}

class MsvcMapReader {
 public:
  explicit MsvcMapReader(const char* pairs_entry_point) : pairs_entry_point_(pairs_entry_point) {}

  std::unordered_map<std::string, AtenTensorHandle> read(const void* address) const {
    const auto map = value<MsvcMap>(address);
    check(map);
    std::unordered_map<std::string, AtenTensorHandle> result;
    const MsvcNode* previous = map.head;
    const auto head = value<MsvcLinks>(map.head);
    const MsvcNode* current = head.next;
    for (uint64_t i = 0; i < map.size; ++i) {
      if (current == map.head) {
        not_msvc(pairs_entry_point_, "its list is shorter than its size");
      }
      const auto node = value<MsvcNode>(current);
      if (node.previous != previous) {
        not_msvc(pairs_entry_point_, "its list is not linked both ways");
      }
      result.emplace(text(node.key), node.value);
      previous = current;
      current = node.next;
    }
    if (current != map.head || head.previous != previous) {
      not_msvc(pairs_entry_point_, "its list does not close");
    }
    return result;
  }

 private:
  void bytes(const void* address, void* destination, size_t size) const {
    if (readable_bytes(address, size) != size) {
      not_msvc(pairs_entry_point_, "it points to memory that cannot be read");
    }
    std::memcpy(destination, address, size);
  }

  template <typename Type>
  Type value(const void* address) const {
    Type result;
    bytes(address, &result, sizeof(result));
    return result;
  }

  void check(const MsvcMap& map) const {
    // The comparison is false for NaN.
    if (!(map.max_load_factor > 0.0F && map.max_load_factor < 1e6F)) {
      not_msvc(pairs_entry_point_, "its load factor makes no sense");
    }
    const bool power_of_two =
        map.num_buckets != 0 && (map.num_buckets & (map.num_buckets - 1)) == 0;
    if (map.size > most_constants || !power_of_two || map.mask != map.num_buckets - 1) {
      not_msvc(pairs_entry_point_, "its sizes make no sense");
    }
    // Two list iterators per bucket.
    const auto first = reinterpret_cast<uintptr_t>(map.buckets[0]);
    const auto last = reinterpret_cast<uintptr_t>(map.buckets[1]);
    if (last - first != 2 * sizeof(void*) * map.num_buckets) {
      not_msvc(pairs_entry_point_, "its buckets make no sense");
    }
  }

  std::string text(const MsvcString& string) const {
    if (string.capacity < 15 || string.size > string.capacity || string.size > longest_name) {
      not_msvc(pairs_entry_point_, "a name's sizes make no sense");
    }
    if (string.capacity == 15) {
      return std::string(string.inside, string.size);
    }
    std::string result(string.size, '\0');
    bytes(string.outside, result.data(), result.size());
    return result;
  }

  const char* pairs_entry_point_;
};

} // namespace aotwin
