// Conversions to bfloat16 that clang calls for static_cast, and that zig's compiler support library lacks. cast<>() in dtype.h is what our
// code uses, since it is vectorised; this is for the places that come to it by way of a template of the standard library.
#include "dtype.h"

using aotwin::runtime::bfloat16;
using aotwin::runtime::to_bfloat16;

extern "C" {

bfloat16 __truncsfbf2(float value);
bfloat16 __truncdfbf2(double value);

bfloat16 __truncsfbf2(float value) {
  return to_bfloat16(value);
}

bfloat16 __truncdfbf2(double value) {
  return to_bfloat16(static_cast<float>(value));
}
}
