#include "fft_lines.h"

#include <algorithm>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "fft_plan.h"

namespace aotwin::runtime {

namespace {

// Lines that are transformed together, so that all loops have as many neighbours to work on.
constexpr int64_t lanes_at_once = 16;

// Room for `lanes_at_once` lines in the precision P, and their transform.
template <class P>
class Batch {
 public:
  explicit Batch(int64_t length)
      : plan_(FftPlan<P>::of(length)),
        memory_(static_cast<size_t>((2 * length + plan_->work_size()) * lanes_at_once) * sizeof(P)),
        real(memory_.template as<P>()),
        imaginary(real + length * lanes_at_once),
        work_(imaginary + length * lanes_at_once) {}

  void run(int64_t lanes, bool forward) {
    forward ? plan_->run(real, imaginary, work_, lanes) : plan_->run(imaginary, real, work_, lanes);
  }

 private:
  std::shared_ptr<const FftPlan<P>> plan_;
  Scratch memory_;

 public:
  P* real;
  P* imaginary;

 private:
  P* work_;
};

// Calls f(TypeTag<P>) with the precision in which lines of this length are transformed.
template <class T, class F>
void in_precision(int64_t length, F&& f) {
  if (std::is_same_v<T, float> && FftPlan<float>::of(length)->convolves()) {
    f(TypeTag<double>{});
  } else {
    f(TypeTag<T>{});
  }
}

}  // namespace

template <class T>
void transform_lines(std::complex<T>* data, int64_t outer, int64_t length, int64_t inner, bool forward, double factor) {
  in_precision<T>(length, [&]<class P>(TypeTag<P>) {
    // Lines are numbered outer * inner + place in inner; those of one group may lie apart.
    const int64_t lines = outer * inner;
    const int64_t groups = (lines + lanes_at_once - 1) / lanes_at_once;
    const int64_t work = std::max<int64_t>(length * lanes_at_once, 1);
    parallel_for(0, groups, 16384 / work, [&](int64_t first, int64_t last) {
      Batch<P> batch(length);
      for (int64_t group = first; group < last; ++group) {
        const int64_t begin = group * lanes_at_once;
        const int64_t lanes = std::min(lanes_at_once, lines - begin);
        // Neighbours along `inner` are read together, element by element; others line by line.
        const bool neighbours = begin % inner + lanes <= inner;
        const auto each = [&](auto&& f) {
          if (neighbours) {
            std::complex<T>* at = data + begin / inner * length * inner + begin % inner;
            for (int64_t i = 0; i < length; ++i, at += inner) {
              for (int64_t lane = 0; lane < lanes; ++lane) {
                f(i * lanes + lane, at[lane]);
              }
            }
            return;
          }
          for (int64_t lane = 0; lane < lanes; ++lane) {
            const int64_t line = begin + lane;
            std::complex<T>* at = data + line / inner * length * inner + line % inner;
            for (int64_t i = lane; i < length * lanes; i += lanes, at += inner) {
              f(i, *at);
            }
          }
        };
        each([&](int64_t i, const std::complex<T>& value) {
          batch.real[i] = value.real();
          batch.imaginary[i] = value.imag();
        });
        batch.run(lanes, forward);
        const P scale = static_cast<P>(factor);
        each([&](int64_t i, std::complex<T>& value) {
          value = {static_cast<T>(batch.real[i] * scale), static_cast<T>(batch.imaginary[i] * scale)};
        });
      }
    });
  });
}

template <class T>
void transform_real_rows(const T* from, std::complex<T>* to, int64_t rows, int64_t length, double factor) {
  const int64_t half = length / 2 + 1;
  // An even row is taken as half as many complex elements, and what belongs to even and odd ones is told apart afterwards.
  const bool packed = length % 2 == 0;
  const int64_t taken = packed ? length / 2 : length;
  Scratch roots(static_cast<size_t>(half) * 2 * sizeof(double));
  double* const root = roots.as<double>();
  for (int64_t k = 0; packed && k < half; ++k) {
    unit_root(k % length, length, root[2 * k], root[2 * k + 1]);
  }
  in_precision<T>(taken, [&]<class P>(TypeTag<P>) {
    const int64_t groups = (rows + lanes_at_once - 1) / lanes_at_once;
    parallel_for(0, groups, 16384 / (length * lanes_at_once), [&](int64_t first, int64_t last) {
      Batch<P> batch(taken);
      for (int64_t group = first; group < last; ++group) {
        const int64_t begin = group * lanes_at_once;
        const int64_t lanes = std::min(lanes_at_once, rows - begin);
        for (int64_t lane = 0; lane < lanes; ++lane) {
          const T* const row = from + (begin + lane) * length;
          for (int64_t i = 0; i < taken; ++i) {
            batch.real[i * lanes + lane] = packed ? row[2 * i] : row[i];
            batch.imaginary[i * lanes + lane] = packed ? row[2 * i + 1] : T(0);
          }
        }
        batch.run(lanes, true);
        const P scale = static_cast<P>(factor);
        for (int64_t lane = 0; lane < lanes; ++lane) {
          std::complex<T>* const row = to + (begin + lane) * half;
          for (int64_t k = 0; k < half; ++k) {
            const int64_t at = (packed && k == taken ? 0 : k) * lanes + lane;
            P real = batch.real[at];
            P imaginary = batch.imaginary[at];
            if (packed) {
              const int64_t mirrored = (k == 0 ? 0 : taken - k) * lanes + lane;
              const P even_real = (real + batch.real[mirrored]) / 2;
              const P even_imaginary = (imaginary - batch.imaginary[mirrored]) / 2;
              const P odd_real = (imaginary + batch.imaginary[mirrored]) / 2;
              const P odd_imaginary = (batch.real[mirrored] - real) / 2;
              const P c = static_cast<P>(root[2 * k]);
              const P s = static_cast<P>(root[2 * k + 1]);
              real = even_real + odd_real * c + odd_imaginary * s;
              imaginary = even_imaginary + odd_imaginary * c - odd_real * s;
            }
            row[k] = {static_cast<T>(real * scale), static_cast<T>(imaginary * scale)};
          }
        }
      }
    });
  });
}

template void transform_lines(std::complex<float>*, int64_t, int64_t, int64_t, bool, double);
template void transform_lines(std::complex<double>*, int64_t, int64_t, int64_t, bool, double);
template void transform_real_rows(const float*, std::complex<float>*, int64_t, int64_t, double);
template void transform_real_rows(const double*, std::complex<double>*, int64_t, int64_t, double);

}  // namespace aotwin::runtime
