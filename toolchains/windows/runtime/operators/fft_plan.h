// Discrete Fourier transforms of any length: passes of small radices, or Bluestein's convolution where a prime factor is large.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace aotwin::runtime {

// T: float or double.
template <class T>
class FftPlan {
 public:
  explicit FftPlan(int64_t length);

  // Kept for lengths that were used lately, shared by all threads.
  static std::shared_ptr<const FftPlan> of(int64_t length);

  // Transforms `lanes` interleaved sequences, [length][lanes] with real and imaginary parts apart, forward and without a factor;
  // the inverse is had by exchanging `real` and `imaginary`. `work` holds work_size() * lanes elements.
  void run(T* real, T* imaginary, T* work, int64_t lanes) const;
  int64_t work_size() const;
  int64_t length() const {
    return length_;
  }
  // Whether the length has a prime factor beyond the small radices: then float loses more than others do, and double pays.
  bool convolves() const {
    return inner_ != nullptr;
  }

 private:
  struct Pass {
    int64_t radix;
    int64_t count;             // of butterflies
    std::vector<T> twiddles;   // (cos, sin) of each butterfly's outputs but the first
    std::vector<T> roots;      // of unity, for radices without code of their own
  };

  void run_passes(T* real, T* imaginary, T* work, int64_t lanes) const;
  void run_convolution(T* real, T* imaginary, T* work, int64_t lanes) const;

  int64_t length_;
  std::vector<Pass> passes_;
  // Bluestein: a chirp, and the transform of its inverse in the inner plan's length.
  std::shared_ptr<const FftPlan> inner_;
  std::vector<T> chirp_;
  std::vector<T> kernel_;
};

// cos and sin of 2 pi numerator / denominator, right to the last bit or nearly so.
void unit_root(int64_t numerator, int64_t denominator, double& cosine, double& sine);

extern template class FftPlan<float>;
extern template class FftPlan<double>;

}  // namespace aotwin::runtime
