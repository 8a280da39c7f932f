// Keys of constants: ranges of one 64-bit count, a number for each byte, none ever given twice.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aotwin::runtime {

uint64_t new_constant_key(size_t nbytes);
void constant_gone(uint64_t key, size_t nbytes) noexcept;

}  // namespace aotwin::runtime
