// Order of elements as torch's sort sees it: by unsigned keys, in which NaN is the largest and -0 equals 0.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include "../core/tensor.h"

namespace aotwin::runtime {

template <size_t size>
struct KeyOfSize;
template <>
struct KeyOfSize<1> {
  using type = uint8_t;
};
template <>
struct KeyOfSize<2> {
  using type = uint16_t;
};
template <>
struct KeyOfSize<4> {
  using type = uint32_t;
};
template <>
struct KeyOfSize<8> {
  using type = uint64_t;
};
template <class T>
using key_t_of = typename KeyOfSize<sizeof(T)>::type;

// Smaller elements have smaller keys; with `descending` larger elements have.
template <class T>
inline key_t_of<T> order_key(T value, bool descending) {
  using Key = key_t_of<T>;
  constexpr Key sign = static_cast<Key>(Key(1) << (sizeof(Key) * 8 - 1));
  const Key bits = std::bit_cast<Key>(value);
  Key key;
  if constexpr (std::is_same_v<T, bool>) {
    key = bits;
  } else if constexpr (std::is_floating_point_v<T> || is_half_v<T>) {
    const float widened = sizeof(T) <= 4 ? cast<float>(value) : 0;
    const bool nan = sizeof(T) <= 4 ? widened != widened : value != value;
    const bool negative = (bits & sign) != 0;
    const Key magnitude = static_cast<Key>(bits & ~sign);
    key = nan ? static_cast<Key>(~Key(0)) : magnitude == 0 ? sign : negative ? static_cast<Key>(~bits) : static_cast<Key>(bits | sign);
  } else if constexpr (std::is_signed_v<T>) {
    key = static_cast<Key>(bits ^ sign);
  } else {
    key = bits;
  }
  return descending ? static_cast<Key>(~key) : key;
}

// Calls f(TypeTag<T>{}) for what can be ordered: real numbers and bool.
template <class F>
decltype(auto) for_ordered(Dtype dtype, const char* what, F&& f) {
  if (dtype == Dtype::boolean) {
    return f(TypeTag<bool>{});
  }
  return for_real(dtype, what, std::forward<F>(f));
}

// Sorts `keys` in place and `order` with them, stably; `order` is filled with 0, 1, 2, ... first. Room for as much again is
// wanted behind each pointer's `spare`.
template <class Key>
void sort_keys(Key* keys, uint32_t* order, Key* spare_keys, uint32_t* spare_order, uint32_t count);
extern template void sort_keys(uint8_t*, uint32_t*, uint8_t*, uint32_t*, uint32_t);
extern template void sort_keys(uint16_t*, uint32_t*, uint16_t*, uint32_t*, uint32_t);
extern template void sort_keys(uint32_t*, uint32_t*, uint32_t*, uint32_t*, uint32_t);
extern template void sort_keys(uint64_t*, uint32_t*, uint64_t*, uint32_t*, uint32_t);

// Memory for sorting lines of `count` elements, one for each thread.
template <class T>
class SortSpace {
 public:
  using Key = key_t_of<T>;
  explicit SortSpace(int64_t count) : count_(count), memory_(static_cast<size_t>(count) * 2 * (sizeof(Key) + sizeof(uint32_t)) + 64) {
    require(count < int64_t(1) << 32, "a dimension of ", count, " elements is too long to be sorted");
  }
  // Behind each other by falling alignment.
  Key* keys() {
    return memory_.template as<Key>();
  }
  uint32_t* order() {
    const size_t bytes = (static_cast<size_t>(count_) * 2 * sizeof(Key) + 7) & ~size_t(7);
    return reinterpret_cast<uint32_t*>(memory_.template as<char>() + bytes);
  }
  // Sorts the line and returns, for each rank, the position of its element.
  const uint32_t* sort(const T* line, int64_t step, bool descending) {
    Key* const key = keys();
    for (int64_t i = 0; i < count_; ++i) {
      key[i] = order_key(line[i * step], descending);
    }
    sort_keys(key, order(), key + count_, order() + count_, static_cast<uint32_t>(count_));
    return order();
  }

 private:
  int64_t count_;
  Scratch memory_;
};

}  // namespace aotwin::runtime
