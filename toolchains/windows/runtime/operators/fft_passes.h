// One pass of a Stockham transform: `count` butterflies over `stride` neighbouring elements each, results in natural order.
#pragma once

#include <cstdint>

namespace aotwin::runtime {

template <class T>
struct FftPass {
  const T* real;
  const T* imaginary;
  T* out_real;
  T* out_imaginary;
  int64_t count;
  int64_t stride;
  const T* twiddles;
};

// Calls f(inputs, outputs, twiddles) for each butterfly: inputs and outputs as arrays of pointers to rows of `stride` elements.
template <int radix, class T, class F>
inline void each_butterfly(const FftPass<T>& pass, F&& f) {
  for (int64_t q = 0; q < pass.count; ++q) {
    const T* xr[radix];
    const T* xi[radix];
    T* yr[radix];
    T* yi[radix];
    for (int r = 0; r < radix; ++r) {
      xr[r] = pass.real + pass.stride * (q + pass.count * r);
      xi[r] = pass.imaginary + pass.stride * (q + pass.count * r);
      yr[r] = pass.out_real + pass.stride * (q * radix + r);
      yi[r] = pass.out_imaginary + pass.stride * (q * radix + r);
    }
    f(xr, xi, yr, yi, pass.twiddles + q * 2 * (radix - 1));
  }
}

// Output r, turned by its twiddle.
template <class T>
inline void put(T* yr, T* yi, int64_t k, T real, T imaginary, const T* twiddle) {
  yr[k] = real * twiddle[0] - imaginary * twiddle[1];
  yi[k] = real * twiddle[1] + imaginary * twiddle[0];
}

#define AOTWIN_LANES _Pragma("clang loop vectorize(assume_safety)") for (int64_t k = 0; k < stride; ++k)

template <class T>
void pass2(const FftPass<T>& pass) {
  const int64_t stride = pass.stride;
  each_butterfly<2>(pass, [=](auto xr, auto xi, auto yr, auto yi, const T* w) {
    AOTWIN_LANES {
      const T ar = xr[0][k], ai = xi[0][k], br = xr[1][k], bi = xi[1][k];
      yr[0][k] = ar + br;
      yi[0][k] = ai + bi;
      put(yr[1], yi[1], k, ar - br, ai - bi, w);
    }
  });
}

template <class T>
void pass3(const FftPass<T>& pass) {
  const int64_t stride = pass.stride;
  constexpr T sine = T(0.86602540378443864676);
  each_butterfly<3>(pass, [=](auto xr, auto xi, auto yr, auto yi, const T* w) {
    AOTWIN_LANES {
      const T sr = xr[1][k] + xr[2][k], si = xi[1][k] + xi[2][k];
      const T dr = sine * (xr[1][k] - xr[2][k]), di = sine * (xi[1][k] - xi[2][k]);
      const T mr = xr[0][k] - T(0.5) * sr, mi = xi[0][k] - T(0.5) * si;
      yr[0][k] = xr[0][k] + sr;
      yi[0][k] = xi[0][k] + si;
      put(yr[1], yi[1], k, mr + di, mi - dr, w);
      put(yr[2], yi[2], k, mr - di, mi + dr, w + 2);
    }
  });
}

template <class T>
void pass4(const FftPass<T>& pass) {
  const int64_t stride = pass.stride;
  each_butterfly<4>(pass, [=](auto xr, auto xi, auto yr, auto yi, const T* w) {
    AOTWIN_LANES {
      const T ar = xr[0][k] + xr[2][k], ai = xi[0][k] + xi[2][k];
      const T br = xr[0][k] - xr[2][k], bi = xi[0][k] - xi[2][k];
      const T cr = xr[1][k] + xr[3][k], ci = xi[1][k] + xi[3][k];
      const T dr = xr[1][k] - xr[3][k], di = xi[1][k] - xi[3][k];
      yr[0][k] = ar + cr;
      yi[0][k] = ai + ci;
      put(yr[1], yi[1], k, br + di, bi - dr, w);
      put(yr[2], yi[2], k, ar - cr, ai - ci, w + 2);
      put(yr[3], yi[3], k, br - di, bi + dr, w + 4);
    }
  });
}

template <class T>
void pass5(const FftPass<T>& pass) {
  const int64_t stride = pass.stride;
  constexpr T c1 = T(0.30901699437494742410), s1 = T(0.95105651629515357212);
  constexpr T c2 = T(-0.80901699437494742410), s2 = T(0.58778525229247312917);
  each_butterfly<5>(pass, [=](auto xr, auto xi, auto yr, auto yi, const T* w) {
    AOTWIN_LANES {
      const T ar = xr[1][k] + xr[4][k], ai = xi[1][k] + xi[4][k];
      const T br = xr[2][k] + xr[3][k], bi = xi[2][k] + xi[3][k];
      const T cr = xr[1][k] - xr[4][k], ci = xi[1][k] - xi[4][k];
      const T dr = xr[2][k] - xr[3][k], di = xi[2][k] - xi[3][k];
      const T mr = xr[0][k] + c1 * ar + c2 * br, mi = xi[0][k] + c1 * ai + c2 * bi;
      const T nr = xr[0][k] + c2 * ar + c1 * br, ni = xi[0][k] + c2 * ai + c1 * bi;
      const T pr = s1 * cr + s2 * dr, pi = s1 * ci + s2 * di;
      const T qr = s2 * cr - s1 * dr, qi = s2 * ci - s1 * di;
      yr[0][k] = xr[0][k] + ar + br;
      yi[0][k] = xi[0][k] + ai + bi;
      put(yr[1], yi[1], k, mr + pi, mi - pr, w);
      put(yr[2], yi[2], k, nr + qi, ni - qr, w + 2);
      put(yr[3], yi[3], k, nr - qi, ni + qr, w + 4);
      put(yr[4], yi[4], k, mr - pi, mi + pr, w + 6);
    }
  });
}

// Any radix, with as many multiplications as its square. `roots`: (cos, sin) of its roots of unity.
template <class T>
void pass_any(const FftPass<T>& pass, int64_t radix, const T* roots) {
  const int64_t stride = pass.stride;
  for (int64_t q = 0; q < pass.count; ++q) {
    const T* const w = pass.twiddles + q * 2 * (radix - 1);
    for (int64_t r = 0; r < radix; ++r) {
      T* const yr = pass.out_real + stride * (q * radix + r);
      T* const yi = pass.out_imaginary + stride * (q * radix + r);
      for (int64_t j = 0; j < radix; ++j) {
        const T* const root = roots + 2 * (j * r % radix);
        const T* const xr = pass.real + stride * (q + pass.count * j);
        const T* const xi = pass.imaginary + stride * (q + pass.count * j);
        const bool first = j == 0;
        AOTWIN_LANES {
          const T real = xr[k] * root[0] - xi[k] * root[1];
          const T imaginary = xr[k] * root[1] + xi[k] * root[0];
          yr[k] = first ? real : yr[k] + real;
          yi[k] = first ? imaginary : yi[k] + imaginary;
        }
      }
      if (r > 0) {
        const T* const twiddle = w + 2 * (r - 1);
        AOTWIN_LANES {
          const T real = yr[k], imaginary = yi[k];
          put(yr, yi, k, real, imaginary, twiddle);
        }
      }
    }
  }
}

#undef AOTWIN_LANES

}  // namespace aotwin::runtime
