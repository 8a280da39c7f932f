// exp, tanh and activations of registers: errors of one or two units in the last place. Include after vectors.h.
#pragma once

#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

AOTWIN_ALWAYS Vector<float> clamp(Vector<float> x, float low, float high) {
  const auto least = spread<float>(low);
  const auto most = spread<float>(high);
  x = x < least ? least : x;  // NaN passes: both comparisons are false
  return x > most ? most : x;
}

// 2^n * exp(r) with |r| <= ln2 / 2; 0 below -87.34 (no denormals), infinity above 88.73. NaN stays.
AOTWIN_ALWAYS Vector<float> exp(Vector<float> x) {
  typedef Vector<float> V;
  const V limited = clamp(x, -87.5F, 89.0F);
  const V magic = spread<float>(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const V shifted = multiply_add(limited, spread<float>(1.44269504088896341F), magic);
  const V n = shifted - magic;
  V r = multiply_add(n, spread<float>(-0.693145751953125F), limited);
  r = multiply_add(n, spread<float>(-1.42860682030941723e-6F), r);
  V p = spread<float>(1.9875691500e-4F);
  p = multiply_add(p, r, spread<float>(1.3981999507e-3F));
  p = multiply_add(p, r, spread<float>(8.3334519073e-3F));
  p = multiply_add(p, r, spread<float>(4.1665795894e-2F));
  p = multiply_add(p, r, spread<float>(1.6666665459e-1F));
  p = multiply_add(p, r, spread<float>(5.0000001201e-1F));
  p = multiply_add(p, r * r, r) + 1.0F;
  // Twice half the power, for n = 128 has no exponent of its own.
  typedef Vector<int32_t> I;
  const I exponent = reinterpret_cast<I>(shifted) - 0x4B400000;
  const I half_of = exponent >> 1;
  const V one = reinterpret_cast<V>((half_of + 127) << 23);
  const V two = reinterpret_cast<V>((exponent - half_of + 127) << 23);
  V result = p * one * two;
  result = x < spread<float>(-87.33654F) ? spread<float>(0.0F) : result;
  return x > spread<float>(88.722839F) ? spread<float>(__builtin_inff()) : result;
}

AOTWIN_ALWAYS Vector<double> exp(Vector<double> x) {
  typedef Vector<double> V;
  const V least = spread<double>(-708.4);
  const V most = spread<double>(710.0);
  V limited = x < least ? least : x;
  limited = limited > most ? most : limited;
  const V magic = spread<double>(6755399441055744.0);
  const V shifted = multiply_add(limited, spread<double>(1.4426950408889634), magic);
  const V n = shifted - magic;
  V r = multiply_add(n, spread<double>(-0.693145751953125), limited);
  r = multiply_add(n, spread<double>(-1.42860682030941723212e-6), r);
  V p = spread<double>(1.0 / 6227020800.0);
  const double factorials[] = {1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0, 1.0 / 5040.0,
                               1.0 / 720.0,       1.0 / 120.0,      1.0 / 24.0,      1.0 / 6.0,      0.5,           1.0};
#pragma clang loop unroll(full)
  for (int i = 0; i < 12; ++i) p = multiply_add(p, r, spread<double>(factorials[i]));
  p = multiply_add(p, r, spread<double>(1.0));
  typedef Vector<int64_t> I;
  const I exponent = reinterpret_cast<I>(shifted) - 0x4338000000000000LL;
  const I half_of = exponent >> 1;
  const V one = reinterpret_cast<V>((half_of + 1023) << 52);
  const V two = reinterpret_cast<V>((exponent - half_of + 1023) << 52);
  V result = p * one * two;
  result = x < spread<double>(-708.39) ? spread<double>(0.0) : result;
  return x > spread<double>(709.782712893384) ? spread<double>(__builtin_inf()) : result;
}

// 2^x for x <= 127, in half of exp's operations; 0 below -126 (no denormals). NaN stays. The largest relative error is 1.7e-7.
AOTWIN_ALWAYS Vector<float> power_of_two(Vector<float> x) {
  typedef Vector<float> V;
#if AOTWIN_LEVEL == 4
  const V r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);  // x less the nearest integer
#else
  const V magic = spread<float>(12582912.0F + 127.0F);  // rounds to an integer whose low bits are the power's exponent
  const V shifted = x + magic;
  const V r = x - (shifted - magic);
#endif
  V p = spread<float>(1.3264727252754072e-3F);
  p = multiply_add(p, r, spread<float>(9.67151278585884e-3F));
  p = multiply_add(p, r, spread<float>(5.550733744471511e-2F));
  p = multiply_add(p, r, spread<float>(2.4022242083110510e-1F));
  p = multiply_add(p, r, spread<float>(6.931469775976771e-1F));
  p = multiply_add(p, r, spread<float>(1.0F));
#if AOTWIN_LEVEL == 4
  return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, spread<float>(-126.0F), _CMP_NLT_UQ), p, x - r);
#else
  const V power = reinterpret_cast<V>(reinterpret_cast<Vector<int32_t>>(shifted) << 23);
  return x < spread<float>(-126.0F) ? V{} : p * power;
#endif
}

AOTWIN_ALWAYS Vector<float> magnitude(Vector<float> x) {
  return reinterpret_cast<Vector<float>>(reinterpret_cast<Vector<uint32_t>>(x) & 0x7FFFFFFF);
}

AOTWIN_ALWAYS Vector<float> sigmoid(Vector<float> x) {
  return 1.0F / (1.0F + exp(-x));
}

// Through exp(-2|x|); below 0.625 by a polynomial, where the difference would cancel.
AOTWIN_ALWAYS Vector<float> tanh(Vector<float> x) {
  typedef Vector<float> V;
  const V size = magnitude(x);
  const V tail = exp(size * -2.0F);
  V large = (1.0F - tail) / (1.0F + tail);
  large = x < 0 ? -large : large;
  const V square = x * x;
  V p = spread<float>(-5.70498872745e-3F);
  p = multiply_add(p, square, spread<float>(2.06390887954e-2F));
  p = multiply_add(p, square, spread<float>(-5.37397155531e-2F));
  p = multiply_add(p, square, spread<float>(1.33314422036e-1F));
  p = multiply_add(p, square, spread<float>(-3.33332819422e-1F));
  const V small = multiply_add(p * square, x, x);
  return size < 0.625F ? small : large;
}

// x times the normal distribution's share below x. That is erfc(|x| / sqrt(2)) / 2, or what it lacks to 1: no difference of near numbers, so one
// polynomial does for all x, of -log2(erfc(|x| / sqrt(2))) / |x|, fitted on [0, 13] for the least largest error of the result (9e-9 before rounding).
AOTWIN_ALWAYS Vector<float> gelu(Vector<float> x) {
  typedef Vector<float> V;
  const V size = magnitude(x);
  V p = spread<float>(1.9020644959018496e-6F);
  p = multiply_add(p, size, spread<float>(-2.805692600245885e-5F));
  p = multiply_add(p, size, spread<float>(1.3147314760104627e-4F));
  p = multiply_add(p, size, spread<float>(2.7207593503550224e-4F));
  p = multiply_add(p, size, spread<float>(-7.245421524873938e-3F));
  p = multiply_add(p, size, spread<float>(5.262761106024638e-2F));
  p = multiply_add(p, size, spread<float>(4.591621430338426e-1F));
  p = multiply_add(p, size, spread<float>(1.1511110455432263F));
  const V beyond = power_of_two(-(p * size));
  return x * 0.5F * (x < 0 ? beyond : 2.0F - beyond);
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
