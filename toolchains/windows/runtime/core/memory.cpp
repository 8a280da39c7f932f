#include "memory.h"

#include <algorithm>
#include <bit>
#include <mutex>

#include "error.h"
#include "objects.h"
#include "platform.h"

namespace aotwin::runtime {
namespace {

// A block begins with a header of one cache line, so that data is aligned; free blocks keep their list links there too.
struct alignas(memory_alignment) Header {
  Header* before;  // the block that lies directly before in the segment; null at its start
  size_t nbytes;   // of the data that follows
  bool free;
  bool last;       // the mark that ends a segment: never free
  Header* next_free;
  Header* previous_free;

  char* data() {
    return reinterpret_cast<char*>(this + 1);
  }
  Header* after() {
    return reinterpret_cast<Header*>(data() + nbytes);
  }
};
static_assert(sizeof(Header) == memory_alignment);

struct Segment {
  Segment* next;
  Segment* previous;
  size_t nbytes;
};
static_assert(sizeof(Segment) <= memory_alignment);

// Sizes are multiples of 64. First level: powers of two; second: 16 steps of each. Sizes below 1024 have a list of their own each.
constexpr int steps_log2 = 4;
constexpr int steps = 1 << steps_log2;
constexpr int small_log2 = 10;
constexpr int levels = 44 - small_log2 + 1;
constexpr size_t largest = size_t{1} << 43;
constexpr size_t page = 64 * 1024;

struct Place {
  int level;
  int step;
};

Place place_of(size_t nbytes) {
  if (nbytes < (size_t{1} << small_log2)) {
    return {0, static_cast<int>(nbytes / memory_alignment)};
  }
  const int log2 = 63 - std::countl_zero(nbytes);
  return {log2 - small_log2 + 1, static_cast<int>((nbytes >> (log2 - steps_log2)) & (steps - 1))};
}

// Where every block is at least as large as `nbytes`.
Place place_for(size_t nbytes) {
  if (nbytes >= (size_t{1} << small_log2)) {
    const int log2 = 63 - std::countl_zero(nbytes);
    nbytes += (size_t{1} << (log2 - steps_log2)) - 1;
  }
  return place_of(nbytes);
}

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

class Pool {
 public:
  Header* allocate(size_t wanted) {
    const size_t nbytes = std::max(round_up(wanted, memory_alignment), memory_alignment);
    const std::lock_guard lock(mutex_);
    Header* block = find(nbytes);
    if (block == nullptr) {
      block = grow(nbytes);
      if (block == nullptr) {
        return nullptr;
      }
    }
    take(block);
    split(block, nbytes);
    used_ += block->nbytes;
    peak_ = std::max(peak_, used_);
    ++blocks_;
    return block;
  }

  void release(Header* block) {
    const std::lock_guard lock(mutex_);
    used_ -= block->nbytes;
    --blocks_;
    block = join(block);
    put(block);
    if (is_whole_segment(block) && held_ > 2 * peak_ + (size_t{32} << 20)) {
      give_back(block);
    }
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    for (Segment* segment = segments_; segment != nullptr;) {
      Segment* const next = segment->next;
      Header* const block = first_block(segment);
      if (block->free && is_whole_segment(block)) {
        give_back(block);
      }
      segment = next;
    }
    peak_ = used_;
  }

  void read(aotwin_memory_statistics& result) {
    const std::lock_guard lock(mutex_);
    result = {used_, peak_, held_, system_calls_, blocks_, 0};
  }

 private:
  Header* find(size_t nbytes) {
    // Its own list has blocks that are a little smaller too, but also those that served the same request before.
    const Place own = place_of(nbytes);
    if (own.level < levels) {
      Header* block = lists_[own.level][own.step];
      for (int tries = 0; block != nullptr && tries < 16; ++tries, block = block->next_free) {
        if (block->nbytes >= nbytes) {
          return block;
        }
      }
    }
    const Place place = place_for(nbytes);
    if (place.level >= levels) {
      return nullptr;
    }
    uint32_t step_bits = step_map_[place.level] & (~0U << place.step);
    int level = place.level;
    if (step_bits == 0) {
      const uint64_t level_bits = level_map_ & (~uint64_t{0} << (place.level + 1));
      if (level_bits == 0) {
        return nullptr;
      }
      level = std::countr_zero(level_bits);
      step_bits = step_map_[level];
    }
    return lists_[level][std::countr_zero(step_bits)];
  }

  void put(Header* block) {
    const auto [level, step] = place_of(block->nbytes);
    block->free = true;
    block->previous_free = nullptr;
    block->next_free = lists_[level][step];
    if (block->next_free != nullptr) {
      block->next_free->previous_free = block;
    }
    lists_[level][step] = block;
    step_map_[level] |= 1U << step;
    level_map_ |= uint64_t{1} << level;
  }

  void take(Header* block) {
    const auto [level, step] = place_of(block->nbytes);
    if (block->next_free != nullptr) {
      block->next_free->previous_free = block->previous_free;
    }
    if (block->previous_free != nullptr) {
      block->previous_free->next_free = block->next_free;
    } else {
      lists_[level][step] = block->next_free;
      if (block->next_free == nullptr) {
        step_map_[level] &= ~(1U << step);
        if (step_map_[level] == 0) {
          level_map_ &= ~(uint64_t{1} << level);
        }
      }
    }
    block->free = false;
  }

  // What is over goes back to the lists.
  void split(Header* block, size_t nbytes) {
    if (block->nbytes >= nbytes + sizeof(Header) + memory_alignment) {
      Header* const rest = reinterpret_cast<Header*>(block->data() + nbytes);
      rest->before = block;
      rest->nbytes = block->nbytes - nbytes - sizeof(Header);
      rest->last = false;
      block->nbytes = nbytes;
      rest->after()->before = rest;
      put(rest);
    }
  }

  Header* join(Header* block) {
    Header* const after = block->after();
    if (!after->last && after->free) {
      take(after);
      block->nbytes += sizeof(Header) + after->nbytes;
      block->after()->before = block;
    }
    Header* const before = block->before;
    if (before != nullptr && before->free) {
      take(before);
      before->nbytes += sizeof(Header) + block->nbytes;
      before->after()->before = before;
      return before;
    }
    return block;
  }

  static Header* first_block(Segment* segment) {
    return reinterpret_cast<Header*>(reinterpret_cast<char*>(segment) + memory_alignment);
  }
  static bool is_whole_segment(Header* block) {
    return block->before == nullptr && block->after()->last;
  }

  Header* grow(size_t nbytes) {
    constexpr size_t overhead = memory_alignment + 2 * sizeof(Header);
    // An eighth of what there is, so that many small requests do not make many segments.
    const size_t step = std::clamp<size_t>(held_ / 8, size_t{1} << 20, size_t{16} << 20);
    size_t total = round_up(std::max(nbytes + overhead, step), page);
    void* memory = platform::map_memory(total);
    if (memory == nullptr) {
      total = round_up(nbytes + overhead, page);
      memory = platform::map_memory(total);
      if (memory == nullptr) {
        return nullptr;
      }
    }
    ++system_calls_;
    held_ += total;
    Segment* const segment = static_cast<Segment*>(memory);
    segment->nbytes = total;
    segment->previous = nullptr;
    segment->next = segments_;
    if (segments_ != nullptr) {
      segments_->previous = segment;
    }
    segments_ = segment;
    Header* const block = first_block(segment);
    block->before = nullptr;
    block->nbytes = total - overhead;
    block->last = false;
    Header* const mark = block->after();
    mark->before = block;
    mark->nbytes = 0;
    mark->free = false;
    mark->last = true;
    put(block);
    return block;
  }

  void give_back(Header* block) {
    take(block);
    Segment* const segment = reinterpret_cast<Segment*>(reinterpret_cast<char*>(block) - memory_alignment);
    if (segment->next != nullptr) {
      segment->next->previous = segment->previous;
    }
    (segment->previous != nullptr ? segment->previous->next : segments_) = segment->next;
    held_ -= segment->nbytes;
    platform::unmap_memory(segment, segment->nbytes);
  }

  std::mutex mutex_;
  Segment* segments_ = nullptr;
  uint64_t level_map_ = 0;
  uint32_t step_map_[levels] = {};
  Header* lists_[levels][steps] = {};
  size_t used_ = 0;
  size_t peak_ = 0;
  size_t held_ = 0;
  size_t system_calls_ = 0;
  size_t blocks_ = 0;
};

// Never destroyed: hosts may free tensors after this library's destructors have run.
Pool& pool() {
  alignas(Pool) static char memory[sizeof(Pool)];
  static Pool* const instance = new (memory) Pool;
  return *instance;
}

}  // namespace

Block allocate(size_t nbytes) {
  Header* const block = nbytes < largest ? pool().allocate(nbytes) : nullptr;
  require(block != nullptr, "out of memory: ", nbytes, " bytes asked for");
  return {block->data(), block->nbytes};
}

void release(void* data) noexcept {
  if (data != nullptr) {
    pool().release(static_cast<Header*>(data) - 1);
  }
}

}  // namespace aotwin::runtime

extern "C" void AOTWIN_SHIM(aotwin_memory_trim)(void) {
  aotwin::runtime::pool().trim();
}

extern "C" void AOTWIN_SHIM(aotwin_memory_read_statistics)(aotwin_memory_statistics* statistics) {
  if (statistics != nullptr) {
    aotwin::runtime::pool().read(*statistics);
    statistics->handles = aotwin::runtime::handles_in_use();
  }
}
