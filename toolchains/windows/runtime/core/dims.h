// Sizes or strides: a small vector of int64_t that allocates only past eight dimensions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace aotwin::runtime {

class Dims {
 public:
  static constexpr size_t inline_capacity = 8;

  Dims() = default;
  Dims(const int64_t* values, size_t count) {
    assign(values, count);
  }
  Dims(std::initializer_list<int64_t> values) : Dims(values.begin(), values.size()) {}
  Dims(const Dims& other) : Dims(other.data_, other.count_) {}
  Dims(Dims&& other) noexcept {
    take(other);
  }
  Dims& operator=(const Dims& other) {
    if (this != &other) {
      assign(other.data_, other.count_);
    }
    return *this;
  }
  Dims& operator=(Dims&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~Dims() {
    release();
  }

  // `count` times `value`.
  static Dims filled(size_t count, int64_t value) {
    Dims result;
    result.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      result.data_[i] = value;
    }
    result.count_ = count;
    return result;
  }

  size_t size() const {
    return count_;
  }
  bool empty() const {
    return count_ == 0;
  }
  int64_t* data() {
    return data_;
  }
  const int64_t* data() const {
    return data_;
  }
  int64_t& operator[](size_t index) {
    return data_[index];
  }
  const int64_t& operator[](size_t index) const {
    return data_[index];
  }
  int64_t& back() {
    return data_[count_ - 1];
  }
  const int64_t& back() const {
    return data_[count_ - 1];
  }
  int64_t* begin() {
    return data_;
  }
  int64_t* end() {
    return data_ + count_;
  }
  const int64_t* begin() const {
    return data_;
  }
  const int64_t* end() const {
    return data_ + count_;
  }

  void assign(const int64_t* values, size_t count) {
    reserve(count);
    if (count != 0) {
      std::memmove(data_, values, count * sizeof(int64_t));
    }
    count_ = count;
  }
  void push_back(int64_t value) {
    reserve(count_ + 1);
    data_[count_++] = value;
  }
  void pop_back() {
    --count_;
  }
  void clear() {
    count_ = 0;
  }
  void insert(size_t position, int64_t value) {
    reserve(count_ + 1);
    std::memmove(data_ + position + 1, data_ + position, (count_ - position) * sizeof(int64_t));
    data_[position] = value;
    ++count_;
  }
  void erase(size_t position) {
    std::memmove(data_ + position, data_ + position + 1, (count_ - position - 1) * sizeof(int64_t));
    --count_;
  }

  friend bool operator==(const Dims& a, const Dims& b) {
    return a.count_ == b.count_ && (a.count_ == 0 || std::memcmp(a.data_, b.data_, a.count_ * sizeof(int64_t)) == 0);
  }

 private:
  void reserve(size_t count) {
    if (count > capacity_) {
      const size_t capacity = count * 2;
      int64_t* const data = new int64_t[capacity];
      if (count_ != 0) {
        std::memcpy(data, data_, count_ * sizeof(int64_t));
      }
      release();
      data_ = data;
      capacity_ = capacity;
    }
  }
  void release() {
    if (data_ != inline_) {
      delete[] data_;
      data_ = inline_;
      capacity_ = inline_capacity;
    }
  }
  void take(Dims& other) {
    if (other.data_ == other.inline_) {
      count_ = other.count_;
      std::memcpy(inline_, other.inline_, sizeof(inline_));
    } else {
      data_ = other.data_;
      count_ = other.count_;
      capacity_ = other.capacity_;
      other.data_ = other.inline_;
      other.capacity_ = inline_capacity;
    }
    other.count_ = 0;
  }

  int64_t* data_ = inline_;
  size_t count_ = 0;
  size_t capacity_ = inline_capacity;
  int64_t inline_[inline_capacity] = {};
};

// Product of the sizes: 1 for none.
int64_t product(const Dims& sizes);

}  // namespace aotwin::runtime
