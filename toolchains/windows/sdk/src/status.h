// The border of aotwin.dll: failures become a code and a message of the calling thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "aotwin.h"

namespace aotwin {

class Failure : public std::exception {
 public:
  Failure(aotwin_status code, std::string message) : code_(code), message_(std::move(message)) {}
  aotwin_status code() const noexcept {
    return code_;
  }
  const char* what() const noexcept override {
    return message_.c_str();
  }

 private:
  aotwin_status code_;
  std::string message_;
};

// A plain array: it takes no memory from the heap and needs no destructor when a thread ends, which
// may be after this DLL has gone.
inline thread_local char last_message[4096];

inline void set_message(const char* text) noexcept {
  size_t length = std::strlen(text);
  if (length >= sizeof(last_message)) {
    length = sizeof(last_message) - 1;
    // Not within a UTF-8 sequence.
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) {
      --length;
    }
  }
  std::memcpy(last_message, text, length);
  last_message[length] = 0;
}

template <typename Body>
int32_t guarded(Body&& body) noexcept {
  try {
    body();
    return AOTWIN_OK;
  } catch (const Failure& failure) {
    set_message(failure.what());
    return failure.code();
  } catch (const std::bad_alloc&) {
    set_message("there is not enough memory");
    return AOTWIN_ERROR_MEMORY;
  } catch (const std::exception& error) {
    set_message(error.what());
    return AOTWIN_ERROR_INTERNAL;
  } catch (...) {
    set_message("unknown C++ exception");
    return AOTWIN_ERROR_INTERNAL;
  }
}

inline void require(bool condition, const char* message) {
  if (!condition) {
    throw Failure(AOTWIN_ERROR_ARGUMENT, message);
  }
}

// Copies what fits into a struct of the caller's, which may be of an earlier or a later version.
template <typename Struct>
void answer(Struct* place, Struct value) {
  require(place != nullptr, "there is no place for the answer: the pointer is null");
  const uint32_t size = place->struct_size;
  require(size >= 2 * sizeof(uint32_t), "struct_size is not set");
  value.struct_size = size < sizeof(value) ? size : static_cast<uint32_t>(sizeof(value));
  std::memcpy(place, &value, value.struct_size);
}

} // namespace aotwin
