// The 8-bit floating formats (OCP FP8 and MX specifications; "fnuz" after arXiv:2206.02915), as torch converts them: to nearest
// even; what is too large becomes what the format has for it.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace aotwin::runtime {

struct Float8Format {
  int mantissa;      // bits
  int bias;
  uint8_t largest;   // code of the largest finite value
  uint8_t overflow;  // code of what is larger
  uint8_t nan;
  bool fnuz;         // one NaN (0x80), no negative zero
};

inline constexpr Float8Format e5m2{2, 15, 0x7B, 0x7C, 0x7F, false};
inline constexpr Float8Format e4m3fn{3, 7, 0x7E, 0x7E, 0x7F, false};  // torch 2.13: too large is the largest
inline constexpr Float8Format e5m2fnuz{2, 16, 0x7F, 0x80, 0x80, true};
inline constexpr Float8Format e4m3fnuz{3, 8, 0x7F, 0x80, 0x80, true};

// 2 to the power of an exponent that a float can have.
inline float power_of_two(int exponent) {
  return exponent >= -126 ? std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23)
                          : std::bit_cast<float>(1U << (exponent + 149));
}

inline float from_float8(uint8_t code, const Float8Format& format) {
  const float nan = std::bit_cast<float>(0x7FC00000U);
  const uint8_t magnitude = code & 0x7F;
  if (format.fnuz ? code == 0x80 : magnitude > format.largest) {
    const bool infinite = magnitude == format.overflow && format.overflow != format.nan;
    return infinite ? std::copysign(std::bit_cast<float>(0x7F800000U), code & 0x80 ? -1.0F : 1.0F) : nan;
  }
  const int exponent = magnitude >> format.mantissa;
  const int mantissa = magnitude & ((1 << format.mantissa) - 1);
  const int units = exponent == 0 ? mantissa : mantissa + (1 << format.mantissa);
  const float value = static_cast<float>(units) * power_of_two((exponent == 0 ? 1 : exponent) - format.bias - format.mantissa);
  return code & 0x80 ? -value : value;
}

inline uint8_t to_float8(float value, const Float8Format& format) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint8_t sign = static_cast<uint8_t>((bits >> 24) & 0x80);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) {
    return format.fnuz ? 0x80 : static_cast<uint8_t>(sign | format.nan);
  }
  const int least = 1 - format.bias;
  const int own = static_cast<int>(magnitude >> 23) - 127;
  const int exponent = own < least ? least : own;
  // Units of the last place of the result, rounded to even by the addition of 1.5 * 2^23.
  uint32_t code;
  if (exponent >= 64) {
    code = 0x100;
  } else {
    const float units = std::bit_cast<float>(magnitude) * power_of_two(format.mantissa - exponent);
    const float rounded = (units + 12582912.0F) - 12582912.0F;
    code = (static_cast<uint32_t>(exponent - least) << format.mantissa) + static_cast<uint32_t>(rounded);
  }
  if (code > format.largest) {
    code = format.overflow;
  }
  return format.fnuz ? static_cast<uint8_t>(code == 0 || code == 0x80 ? code : sign | code) : static_cast<uint8_t>(sign | code);
}

// e8m0: powers of two only, no sign.
inline float from_e8m0(uint8_t code) {
  return code == 0xFF ? std::bit_cast<float>(0x7FC00000U) : power_of_two(code - 127);
}

inline uint8_t to_e8m0(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t exponent = (bits >> 23) & 0xFF;
  const uint32_t mantissa = bits & 0x7FFFFF;
  if (exponent == 0xFF) {
    return 0xFF;
  }
  const bool up = mantissa > 0x400000 || (mantissa == 0x400000 && exponent > 0);
  return static_cast<uint8_t>(exponent + (up ? 1 : 0));
}

}  // namespace aotwin::runtime
