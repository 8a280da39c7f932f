#include "order.h"

#include <cstring>

namespace aotwin::runtime {

namespace {

// Below this many elements, moving neighbours is quicker than counting.
constexpr uint32_t few = 48;

template <class Key>
void insertion_sort(Key* keys, uint32_t* order, uint32_t count) {
  for (uint32_t i = 1; i < count; ++i) {
    const Key key = keys[i];
    const uint32_t position = order[i];
    uint32_t j = i;
    for (; j > 0 && keys[j - 1] > key; --j) {
      keys[j] = keys[j - 1];
      order[j] = order[j - 1];
    }
    keys[j] = key;
    order[j] = position;
  }
}

}  // namespace

// A radix sort from the lowest byte to the highest; bytes that all keys share cost nothing but their count.
template <class Key>
void sort_keys(Key* keys, uint32_t* order, Key* spare_keys, uint32_t* spare_order, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    order[i] = i;
  }
  if (count <= few) {
    insertion_sort(keys, order, count);
    return;
  }
  constexpr int digits = sizeof(Key);
  uint32_t counts[digits][256] = {};
  for (uint32_t i = 0; i < count; ++i) {
    Key key = keys[i];
    for (int digit = 0; digit < digits; ++digit) {
      ++counts[digit][key & 0xFF];
      key = static_cast<Key>(digits == 1 ? 0 : key >> 8);
    }
  }
  Key* from_keys = keys;
  uint32_t* from_order = order;
  Key* to_keys = spare_keys;
  uint32_t* to_order = spare_order;
  for (int digit = 0; digit < digits; ++digit) {
    const int shift = digit * 8;
    if (counts[digit][(keys[0] >> shift) & 0xFF] == count) {
      continue;
    }
    uint32_t start = 0;
    for (uint32_t& bucket : counts[digit]) {
      const uint32_t size = bucket;
      bucket = start;
      start += size;
    }
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t to = counts[digit][(from_keys[i] >> shift) & 0xFF]++;
      to_keys[to] = from_keys[i];
      to_order[to] = from_order[i];
    }
    std::swap(from_keys, to_keys);
    std::swap(from_order, to_order);
  }
  if (from_keys != keys) {
    std::memcpy(keys, from_keys, count * sizeof(Key));
    std::memcpy(order, from_order, count * sizeof(uint32_t));
  }
}

template void sort_keys(uint8_t*, uint32_t*, uint8_t*, uint32_t*, uint32_t);
template void sort_keys(uint16_t*, uint32_t*, uint16_t*, uint32_t*, uint32_t);
template void sort_keys(uint32_t*, uint32_t*, uint32_t*, uint32_t*, uint32_t);
template void sort_keys(uint64_t*, uint32_t*, uint64_t*, uint32_t*, uint32_t);

}  // namespace aotwin::runtime
