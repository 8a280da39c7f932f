// Text between Windows (UTF-16) and AOTInductor's error messages (UTF-8).
#pragma once

#include <windows.h>

#include <cstdint>
#include <string>

namespace aotwin {

// Lone surrogates, which Windows file names can hold, become U+FFFD.
inline std::string utf8(const std::wstring& text) {
  if (text.empty()) {
    return {};
  }
  const int length = static_cast<int>(text.size());
  const int size =
      WideCharToMultiByte(CP_UTF8, 0, text.data(), length, nullptr, 0, nullptr, nullptr);
  std::string result(static_cast<size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text.data(), length, result.data(), size, nullptr, nullptr);
  return result;
}

// "Access is denied (Windows error 5)"
inline std::string windows_error(DWORD code) {
  wchar_t buffer[512];
  const auto message = [&](DWORD language) {
    return FormatMessageW(
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
        nullptr,
        code,
        language,
        buffer,
        static_cast<DWORD>(sizeof(buffer) / sizeof(buffer[0])),
        nullptr);
  };
  DWORD length = message(MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US));
  if (length == 0) {
    // English is not installed everywhere: then the user's own language.
    length = message(0);
  }
  while (length > 0 && (buffer[length - 1] <= L' ' || buffer[length - 1] == L'.')) {
    --length;
  }
  const std::string number = "Windows error " + std::to_string(code);
  return length == 0 ? number : utf8(std::wstring(buffer, length)) + " (" + number + ")";
}

inline std::string hex(const uint8_t* bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  std::string result;
  result.reserve(2 * size);
  for (size_t i = 0; i < size; ++i) {
    result += digits[bytes[i] >> 4];
    result += digits[bytes[i] & 15];
  }
  return result;
}

// An environment variable of the process, "" where it is not set.
inline std::wstring environment(const wchar_t* name) {
  std::wstring value(64, L'\0');
  for (;;) {
    const DWORD length =
        GetEnvironmentVariableW(name, value.data(), static_cast<DWORD>(value.size()));
    if (length < value.size()) {
      value.resize(length);
      return value;
    }
    value.resize(length);
  }
}

} // namespace aotwin
