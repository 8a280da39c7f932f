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

// Functions of several registers: each step of all of them, then the next one. One register's steps wait for each other, and what a core looks
// ahead is less than one register's. `function` of one:
template <class F>
AOTWIN_ALWAYS Vector<float> one_of(Vector<float> x, F&& function) {
  Vector<float> several[1] = {x};
  function(several);
  return several[0];
}

// p[i] = terms[0] * x[i]^(Terms - 1) + ... + terms[Terms - 1]
template <int N, int Terms>
AOTWIN_ALWAYS void polynomial(Vector<float> (&p)[N], const Vector<float> (&x)[N], const float (&terms)[Terms]) {
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) p[i] = spread<float>(terms[0]);
#pragma clang loop unroll(full)
  for (int term = 1; term < Terms; ++term) {
#pragma clang loop unroll(full)
    for (int i = 0; i < N; ++i) p[i] = multiply_add(p[i], x[i], spread<float>(terms[term]));
  }
}

// 2^n * exp(r) with |r| <= ln2 / 2; 0 below -86.99 (no denormals), infinity above 88.73. NaN stays.
template <int N>
AOTWIN_ALWAYS void exp(Vector<float> (&x)[N]) {
  typedef Vector<float> V;
  V n[N];
  V r[N];
  V p[N];
#if AOTWIN_LEVEL != 4
  V power[N];  // 2^(n - 1), for n = 128 has no exponent of its own
#endif
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) {
    r[i] = clamp(x[i], -87.5F, 89.0F);
#if AOTWIN_LEVEL == 4
    n[i] = _mm512_roundscale_ps(r[i] * 1.44269504088896341F, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    const V magic = spread<float>(12582912.0F + 126.0F);  // rounds to an integer whose low bits are the exponent of 2^(n - 1)
    const V shifted = multiply_add(r[i], spread<float>(1.44269504088896341F), magic);
    power[i] = reinterpret_cast<V>(reinterpret_cast<Vector<int32_t>>(shifted) << 23);
    n[i] = shifted - magic;
#endif
    r[i] = multiply_add(n[i], spread<float>(-0.693145751953125F), r[i]);
    r[i] = multiply_add(n[i], spread<float>(-1.42860682030941723e-6F), r[i]);
  }
  polynomial(p, r, {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F, 4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F});
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) {
    p[i] = multiply_add(p[i], r[i] * r[i], r[i]) + 1.0F;
#if AOTWIN_LEVEL == 4
    x[i] = _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x[i], spread<float>(-86.99F), _CMP_NLT_UQ), p[i], n[i]);
#else
    x[i] = p[i] * power[i] * 2.0F;
#endif
  }
}
AOTWIN_ALWAYS Vector<float> exp(Vector<float> x) {
  return one_of(x, [](auto& several) __attribute__((always_inline)) { exp(several); });
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
template <int N>
AOTWIN_ALWAYS void power_of_two(Vector<float> (&x)[N]) {
  typedef Vector<float> V;
  V r[N];
  V p[N];
#if AOTWIN_LEVEL != 4
  V power[N];
#endif
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) {
#if AOTWIN_LEVEL == 4
    r[i] = _mm512_reduce_ps(x[i], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);  // x less the nearest integer
#else
    const V magic = spread<float>(12582912.0F + 127.0F);  // rounds to an integer whose low bits are the power's exponent
    const V shifted = x[i] + magic;
    power[i] = reinterpret_cast<V>(reinterpret_cast<Vector<int32_t>>(shifted) << 23);
    r[i] = x[i] - (shifted - magic);
#endif
  }
  polynomial(p, r, {1.3264727252754072e-3F, 9.67151278585884e-3F, 5.550733744471511e-2F, 2.4022242083110510e-1F, 6.931469775976771e-1F, 1.0F});
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) {
#if AOTWIN_LEVEL == 4
    x[i] = _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x[i], spread<float>(-126.0F), _CMP_NLT_UQ), p[i], x[i] - r[i]);
#else
    x[i] = x[i] < spread<float>(-126.0F) ? V{} : p[i] * power[i];
#endif
  }
}
AOTWIN_ALWAYS Vector<float> power_of_two(Vector<float> x) {
  return one_of(x, [](auto& several) __attribute__((always_inline)) { power_of_two(several); });
}

AOTWIN_ALWAYS Vector<float> magnitude(Vector<float> x) {
  return reinterpret_cast<Vector<float>>(reinterpret_cast<Vector<uint32_t>>(x) & 0x7FFFFFFF);
}

template <int N>
AOTWIN_ALWAYS void sigmoid(Vector<float> (&x)[N]) {
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) x[i] = -x[i];
  exp(x);
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) x[i] = 1.0F / (1.0F + x[i]);
}
AOTWIN_ALWAYS Vector<float> sigmoid(Vector<float> x) {
  return one_of(x, [](auto& several) __attribute__((always_inline)) { sigmoid(several); });
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

// x times sigmoid(x).
template <int N>
AOTWIN_ALWAYS void silu(Vector<float> (&x)[N]) {
  Vector<float> share[N];
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) share[i] = x[i];
  sigmoid(share);
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) x[i] = x[i] * share[i];
}

// 0.5 * x * (1 + tanh(u)), which is x * sigmoid(2 * u), with u = sqrt(2 / pi) * (x + 0.044715 * x^3).
template <int N>
AOTWIN_ALWAYS void gelu_tanh(Vector<float> (&x)[N]) {
  Vector<float> share[N];
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) share[i] = 1.595769121605730712F * x[i] * multiply_add(x[i] * x[i], spread<float>(0.044715F), spread<float>(1.0F));
  sigmoid(share);
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) x[i] = x[i] * share[i];
}

// x times the normal distribution's share below x. That is erfc(|x| / sqrt(2)) / 2, or what it lacks to 1: no difference of near numbers, so one
// polynomial does for all x, of -log2(erfc(|x| / sqrt(2))) / |x|, fitted on [0, 13] for the least largest error of the result (9e-9 before rounding).
template <int N>
AOTWIN_ALWAYS void gelu(Vector<float> (&x)[N]) {
  typedef Vector<float> V;
  V size[N];
  V p[N];
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) size[i] = magnitude(x[i]);
  polynomial(p, size, {1.9020644959018496e-6F, -2.805692600245885e-5F, 1.3147314760104627e-4F, 2.7207593503550224e-4F, -7.245421524873938e-3F,
                       5.262761106024638e-2F, 4.591621430338426e-1F, 1.1511110455432263F});
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) p[i] = -(p[i] * size[i]);
  power_of_two(p);
#pragma clang loop unroll(full)
  for (int i = 0; i < N; ++i) x[i] = x[i] * 0.5F * (x[i] < 0 ? p[i] : 2.0F - p[i]);
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
