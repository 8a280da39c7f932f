#include "fft_plan.h"

#include <cmath>
#include <cstring>
#include <mutex>
#include <numbers>
#include <utility>

#include "fft_passes.h"

namespace aotwin::runtime {

namespace {

constexpr int64_t largest_radix = 31;

// The largest prime factor.
int64_t largest_factor(int64_t length) {
  int64_t largest = 1;
  for (int64_t factor = 2; factor * factor <= length; ++factor) {
    while (length % factor == 0) {
      largest = factor;
      length /= factor;
    }
  }
  return length > largest ? length : largest;
}

// The least number from `least` on that only has the factors 2, 3 and 5.
int64_t smooth_length(int64_t least) {
  for (int64_t candidate = least;; ++candidate) {
    int64_t rest = candidate;
    for (const int64_t factor : {2, 3, 5}) {
      while (rest % factor == 0) {
        rest /= factor;
      }
    }
    if (rest == 1) {
      return candidate;
    }
  }
}

template <class T>
void push_root(std::vector<T>& to, int64_t numerator, int64_t denominator) {
  double cosine;
  double sine;
  unit_root(numerator % denominator, denominator, cosine, sine);
  to.push_back(static_cast<T>(cosine));
  to.push_back(static_cast<T>(-sine));  // forward: exp(-i x)
}

}  // namespace

void unit_root(int64_t numerator, int64_t denominator, double& cosine, double& sine) {
  // The angle is brought into the first eighth of the circle as a fraction of integers, where sin and cos are exact to rounding.
  const int64_t eighths = 8 * numerator / denominator;
  const auto angle = [&](int64_t parts) { return std::numbers::pi / 4 * static_cast<double>(parts) / static_cast<double>(denominator); };
  const double from_last = angle(8 * numerator - (eighths & ~int64_t(1)) * denominator);
  const double to_next = angle((eighths | 1) * denominator + denominator - 8 * numerator);
  const bool early = (eighths & 1) == 0;
  const double c = early ? std::cos(from_last) : std::sin(to_next);
  const double s = early ? std::sin(from_last) : std::cos(to_next);
  switch ((eighths >> 1) & 3) {
    case 0:
      cosine = c, sine = s;
      break;
    case 1:
      cosine = -s, sine = c;
      break;
    case 2:
      cosine = -c, sine = -s;
      break;
    default:
      cosine = s, sine = -c;
      break;
  }
}

template <class T>
FftPlan<T>::FftPlan(int64_t length) : length_(length) {
  if (largest_factor(length) > largest_radix) {
    const int64_t inner = smooth_length(2 * length - 1);
    inner_ = of(inner);
    // exp(-i pi k^2 / n), with k^2 kept below 2 n
    int64_t square = 0;
    for (int64_t k = 0; k < length; ++k) {
      push_root(chirp_, square, 2 * length);
      square = (square + 2 * k + 1) % (2 * length);
    }
    std::vector<T> real(static_cast<size_t>(inner));
    std::vector<T> imaginary(static_cast<size_t>(inner));
    for (int64_t k = 0; k < length; ++k) {
      const size_t at = static_cast<size_t>(k);
      const size_t mirrored = static_cast<size_t>(k == 0 ? 0 : inner - k);
      real[at] = real[mirrored] = chirp_[2 * at] / static_cast<T>(inner);
      imaginary[at] = imaginary[mirrored] = -chirp_[2 * at + 1] / static_cast<T>(inner);
    }
    std::vector<T> work(static_cast<size_t>(inner_->work_size()));
    inner_->run(real.data(), imaginary.data(), work.data(), 1);
    kernel_ = std::move(real);
    kernel_.insert(kernel_.end(), imaginary.begin(), imaginary.end());
    return;
  }
  int64_t rest = length;
  const auto add = [&](int64_t radix) {
    Pass pass{radix, rest / radix, {}, {}};
    for (int64_t q = 0; q < pass.count; ++q) {
      for (int64_t r = 1; r < radix; ++r) {
        push_root(pass.twiddles, q * r, rest);
      }
    }
    if (radix > 5) {
      for (int64_t r = 0; r < radix; ++r) {
        push_root(pass.roots, r, radix);
      }
    }
    passes_.push_back(std::move(pass));
    rest /= radix;
  };
  while (rest % 4 == 0) {
    add(4);
  }
  for (int64_t radix = 2; radix <= largest_radix; ++radix) {
    while (rest % radix == 0) {
      add(radix);
    }
  }
}

template <class T>
int64_t FftPlan<T>::work_size() const {
  return inner_ != nullptr ? 2 * inner_->length() + inner_->work_size() : 2 * length_;
}

template <class T>
void FftPlan<T>::run(T* real, T* imaginary, T* work, int64_t lanes) const {
  inner_ != nullptr ? run_convolution(real, imaginary, work, lanes) : run_passes(real, imaginary, work, lanes);
}

template <class T>
void FftPlan<T>::run_passes(T* real, T* imaginary, T* work, int64_t lanes) const {
  T* from_real = real;
  T* from_imaginary = imaginary;
  T* to_real = work;
  T* to_imaginary = work + length_ * lanes;
  int64_t stride = lanes;
  for (const Pass& pass : passes_) {
    const FftPass<T> step{from_real, from_imaginary, to_real, to_imaginary, pass.count, stride, pass.twiddles.data()};
    switch (pass.radix) {
      case 2:
        pass2(step);
        break;
      case 3:
        pass3(step);
        break;
      case 4:
        pass4(step);
        break;
      case 5:
        pass5(step);
        break;
      default:
        pass_any(step, pass.radix, pass.roots.data());
        break;
    }
    stride *= pass.radix;
    std::swap(from_real, to_real);
    std::swap(from_imaginary, to_imaginary);
  }
  if (from_real != real) {
    std::memcpy(real, from_real, static_cast<size_t>(length_ * lanes) * sizeof(T));
    std::memcpy(imaginary, from_imaginary, static_cast<size_t>(length_ * lanes) * sizeof(T));
  }
}

template <class T>
void FftPlan<T>::run_convolution(T* real, T* imaginary, T* work, int64_t lanes) const {
  const int64_t inner = inner_->length();
  T* const a = work;
  T* const b = work + inner * lanes;
  T* const rest = b + inner * lanes;
  const auto chirped = [&](const T* x, const T* y, T* u, T* v) {
    for (int64_t k = 0; k < length_; ++k) {
      const T c = chirp_[static_cast<size_t>(2 * k)];
      const T s = chirp_[static_cast<size_t>(2 * k + 1)];
      for (int64_t lane = k * lanes; lane < (k + 1) * lanes; ++lane) {
        const T p = x[lane];
        const T q = y[lane];
        u[lane] = p * c - q * s;
        v[lane] = p * s + q * c;
      }
    }
  };
  chirped(real, imaginary, a, b);
  std::memset(a + length_ * lanes, 0, static_cast<size_t>((inner - length_) * lanes) * sizeof(T));
  std::memset(b + length_ * lanes, 0, static_cast<size_t>((inner - length_) * lanes) * sizeof(T));
  inner_->run(a, b, rest, lanes);
  for (int64_t k = 0; k < inner; ++k) {
    const T c = kernel_[static_cast<size_t>(k)];
    const T s = kernel_[static_cast<size_t>(inner + k)];
    for (int64_t lane = k * lanes; lane < (k + 1) * lanes; ++lane) {
      const T p = a[lane];
      const T q = b[lane];
      a[lane] = p * c - q * s;
      b[lane] = p * s + q * c;
    }
  }
  inner_->run(b, a, rest, lanes);  // the inverse
  chirped(a, b, real, imaginary);
}

template <class T>
std::shared_ptr<const FftPlan<T>> FftPlan<T>::of(int64_t length) {
  // A ring of the latest lengths: models use few.
  constexpr size_t kept = 32;
  static std::mutex mutex;
  static std::shared_ptr<const FftPlan> plans[kept];
  static size_t next = 0;
  {
    const std::lock_guard lock(mutex);
    for (const auto& plan : plans) {
      if (plan != nullptr && plan->length() == length) {
        return plan;
      }
    }
  }
  auto plan = std::make_shared<const FftPlan>(length);
  const std::lock_guard lock(mutex);
  plans[next++ % kept] = plan;
  return plan;
}

template class FftPlan<float>;
template class FftPlan<double>;

}  // namespace aotwin::runtime
