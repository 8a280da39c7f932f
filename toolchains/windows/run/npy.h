// NumPy's .npy files (numpy.lib.format, versions 1 to 3), little endian.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aotwin.hpp"

namespace npy {

// NumPy knows no bfloat16 and no float8: packages that add them write such arrays as raw bytes.
struct Name {
  const char* descr;
  std::int32_t dtype;
};
inline constexpr Name names[] = {
    {"<f4", AOTWIN_FLOAT32},   {"<f8", AOTWIN_FLOAT64},   {"<f2", AOTWIN_FLOAT16},
    {"|i1", AOTWIN_INT8},      {"<i2", AOTWIN_INT16},     {"<i4", AOTWIN_INT32},
    {"<i8", AOTWIN_INT64},     {"|u1", AOTWIN_UINT8},     {"<u2", AOTWIN_UINT16},
    {"<u4", AOTWIN_UINT32},    {"<u8", AOTWIN_UINT64},    {"|b1", AOTWIN_BOOL},
    {"<c8", AOTWIN_COMPLEX64}, {"<c16", AOTWIN_COMPLEX128}};

struct Array {
  // 0 where the file holds elements of `raw_nbytes` without a type.
  std::int32_t dtype = AOTWIN_DTYPE_NONE;
  std::uint64_t raw_nbytes = 0;
  std::vector<std::int64_t> sizes;
  // In elements; empty for row-major.
  std::vector<std::int64_t> strides;
  std::vector<char> bytes;

  std::uint64_t element_nbytes() const {
    return dtype != AOTWIN_DTYPE_NONE ? aotwin_dtype_nbytes(dtype) : raw_nbytes;
  }
};

// Reads the Python literal of a header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class Header {
 public:
  explicit Header(std::string_view text) : text_(text) {}

  Array read() {
    Array array;
    bool column_major = false;
    expect('{');
    while (!taken('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        set_type(array, quoted());
      } else if (key == "fortran_order") {
        column_major = boolean();
      } else if (key == "shape") {
        array.sizes = shape();
      } else {
        fail("an unknown key " + key);
      }
      taken(',');
    }
    if (array.element_nbytes() == 0) {
      fail("no descr");
    }
    if (column_major) {
      std::int64_t step = 1;
      for (const std::int64_t size : array.sizes) {
        array.strides.push_back(step);
        step *= std::max<std::int64_t>(size, 1);
      }
    }
    return array;
  }

 private:
  [[noreturn]] static void fail(const std::string& why) {
    throw std::runtime_error("its header has " + why);
  }
  void skip_blanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) {
      text_.remove_prefix(1);
    }
  }
  bool taken(char wanted) {
    skip_blanks();
    if (text_.empty() || text_[0] != wanted) {
      return false;
    }
    text_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!taken(wanted)) {
      fail(std::string("no ") + wanted + " where one is expected");
    }
  }
  std::string quoted() {
    skip_blanks();
    const char quote = text_.empty() ? 0 : text_[0];
    const size_t end = quote == '\'' || quote == '"' ? text_.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) {
      fail("no text where one is expected (records are not read)");
    }
    const std::string result(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return result;
  }
  bool boolean() {
    skip_blanks();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(0, word.size()) == word) {
        text_.remove_prefix(word.size());
        return word == "True";
      }
    }
    fail("no True or False in fortran_order");
  }
  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!taken(')')) {
      skip_blanks();
      std::int64_t size = 0;
      size_t digits = 0;
      for (; digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9'; ++digits) {
        if (digits >= 18) {
          fail("a size above all memory");
        }
        size = 10 * size + (text_[digits] - '0');
      }
      if (digits == 0 || sizes.size() >= 64) {
        fail("no usable shape");
      }
      text_.remove_prefix(digits);
      sizes.push_back(size);
      taken(',');
    }
    return sizes;
  }
  static void set_type(Array& array, const std::string& descr) {
    for (const Name& each : names) {
      if (descr == each.descr) {
        array.dtype = each.dtype;
      }
    }
    if (descr == "|V1" || descr == "<V1" || descr == "<f1") {
      array.raw_nbytes = 1;
    } else if (descr == "|V2" || descr == "<V2") {
      array.raw_nbytes = 2;
    }
    if (array.element_nbytes() == 0) {
      fail("elements of a type that is not read: " + descr);
    }
  }

  std::string_view text_;
};

inline std::uint64_t checked_nbytes(const Array& array) {
  std::uint64_t nbytes = array.element_nbytes();
  for (const std::int64_t size : array.sizes) {
    const auto factor = static_cast<std::uint64_t>(size);
    if (factor != 0 && nbytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
      throw std::runtime_error("its shape is larger than all memory");
    }
    nbytes *= factor;
  }
  return nbytes;
}

inline Array read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("it cannot be opened");
  }
  unsigned char start[12] = {};
  file.read(reinterpret_cast<char*>(start), 10);
  if (!file || std::memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3) {
    throw std::runtime_error("it is no .npy file of version 1, 2 or 3");
  }
  std::uint32_t length = start[8] | (start[9] << 8U);
  if (start[6] > 1) {
    file.read(reinterpret_cast<char*>(start + 10), 2);
    length |= (static_cast<std::uint32_t>(start[10]) << 16U) |
        (static_cast<std::uint32_t>(start[11]) << 24U);
  }
  if (length > (1U << 20U)) {
    throw std::runtime_error("its header is longer than 1 MiB");
  }
  std::string header(length, '\0');
  file.read(header.data(), length);
  if (!file) {
    throw std::runtime_error("it ends within its header");
  }
  Array array = Header(header).read();
  const std::uint64_t nbytes = checked_nbytes(array);
  const std::streampos here = file.tellg();
  file.seekg(0, std::ios::end);
  if (static_cast<std::uint64_t>(file.tellg() - here) < nbytes) {
    throw std::runtime_error("it ends before the last of its elements");
  }
  file.seekg(here);
  array.bytes.resize(nbytes);
  file.read(array.bytes.data(), static_cast<std::streamsize>(nbytes));
  if (!file) {
    throw std::runtime_error("it cannot be read to its end");
  }
  return array;
}

inline std::string descr_of(std::int32_t dtype) {
  for (const Name& each : names) {
    if (each.dtype == dtype) {
      return each.descr;
    }
  }
  return "|V" + std::to_string(aotwin_dtype_nbytes(dtype));
}

// `bytes`: row-major.
inline void write(
    const std::filesystem::path& path,
    std::int32_t dtype,
    const std::vector<std::int64_t>& sizes,
    const std::vector<char>& bytes) {
  std::string shape;
  for (const std::int64_t size : sizes) {
    shape += std::to_string(size) + ",";
  }
  if (sizes.size() > 1) {
    shape.pop_back();
  }
  std::string header =
      "{'descr': '" + descr_of(dtype) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  // The elements start at a multiple of 64 bytes.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write("\x93NUMPY\x01\x00", 8);
  file.put(static_cast<char>(length & 0xff)).put(static_cast<char>(length >> 8));
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) {
    throw std::runtime_error("it cannot be written");
  }
}

} // namespace npy
