// Memory of each thread of a region. Asked for before the region, so that a thread has the same in the next call, where it is in its own cache. And
// apart: a core asks ahead for memory by the distance between its reads, and so for what lies behind its own; were that another thread's, it would
// take from that one's cache what is about to be written there. Where two cores have no last cache in common, that made layers a third slower.
#pragma once

#include "../core/tensor.h"
#include "packing.h"

namespace aotwin::runtime::products {

class Rooms {
 public:
  Rooms(int64_t bytes, int64_t threads) : stride_(whole_lines(bytes) + apart), memory_(static_cast<size_t>(stride_ * threads)) {}

  template <class T>
  T* of(int64_t index) {
    return reinterpret_cast<T*>(memory_.as<char>() + index * stride_);
  }

 private:
  static constexpr int64_t apart = 16 << 10;

  int64_t stride_;
  Scratch memory_;
};

}  // namespace aotwin::runtime::products
