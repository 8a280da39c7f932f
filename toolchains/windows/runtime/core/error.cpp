#include "error.h"

#include <cmath>
#include <cstdio>
#include <exception>
#include <new>

#include "../threads/control.h"
#include "dims.h"

namespace aotwin::runtime {
namespace {

// The last message of this thread. A plain array: it needs no destructor when a thread ends, and memory may be what is lacking.
constexpr size_t capacity = 4096;
thread_local char last_message[capacity] = "";
thread_local bool failed = false;

}  // namespace

void append(std::string& text, std::string_view part) {
  text.append(part);
}

void append(std::string& text, double part) {
  char buffer[40];
  std::snprintf(buffer, sizeof(buffer), "%.9g", part);
  text += buffer;
}

void append(std::string& text, Dtype part) {
  text += name_of(part);
  if (!is_known(part)) {
    text += ' ';
    append_signed(text, static_cast<int32_t>(part));
  }
}

void append(std::string& text, const Dims& part) {
  text += '[';
  for (size_t i = 0; i < part.size(); ++i) {
    if (i != 0) {
      text += ", ";
    }
    append_signed(text, part[i]);
  }
  text += ']';
}

void append_signed(std::string& text, int64_t part) {
  text += std::to_string(part);
}

void append_unsigned(std::string& text, uint64_t part) {
  text += std::to_string(part);
}

void throw_error(std::string message) {
  throw Error(std::move(message));
}

void keep_message(std::string_view message) noexcept {
  const size_t length = message.size() < capacity ? message.size() : capacity - 1;
  std::memcpy(last_message, message.data(), length);
  last_message[length] = '\0';
}

void keep_failure(std::string_view message) noexcept {
  keep_message(message);
  failed = true;
}

bool take_failure() noexcept {
  const bool result = failed;
  failed = false;
  return result;
}

AOTITorchError keep_exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    keep_message("out of memory");
  } catch (const std::exception& error) {
    keep_message(error.what());
  } catch (...) {
    keep_message("an exception of unknown type");
  }
  return 1;
}

void fail_dtype(Dtype dtype, const char* what) {
  fail(what, ": not implemented for ", dtype);
}

}  // namespace aotwin::runtime

extern "C" const char* AOTWIN_SHIM(torch_exception_get_what)() {
  return aotwin::runtime::last_message;
}

extern "C" const char* AOTWIN_SHIM(torch_exception_get_what_without_backtrace)() {
  return aotwin::runtime::last_message;
}

extern "C" const char* AOTWIN_SHIM(aotwin_take_failure)(void) {
  return aotwin::runtime::take_failure() ? aotwin::runtime::last_message : nullptr;
}

// The same under a name of our own, which a model's DLL may call whatever its run time.
extern "C" const char* AOTWIN_SHIM(aotwin_failure_reason)(void) {
  return aotwin::runtime::last_message;
}
