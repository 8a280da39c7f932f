#include "convert.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "float8.h"

namespace aotwin::runtime {
namespace {

template <class T>
T read(const char* from) {
  if constexpr (std::is_same_v<T, bool>) {
    return *reinterpret_cast<const uint8_t*>(from) != 0;  // whatever byte it is
  } else {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }
}

template <class T>
void write(char* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

template <class To, class From>
void convert_row(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t count) {
  if (to_stride == sizeof(To) && from_stride == sizeof(From)) {
    // Bool is read as the byte that it is, which need not be 0 or 1. Source and destination never overlap (see copy_into).
    using Read = std::conditional_t<std::is_same_v<From, bool>, uint8_t, From>;
    using Written = std::conditional_t<std::is_same_v<To, bfloat16>, uint16_t, To>;
    Written* __restrict__ const out = reinterpret_cast<Written*>(to);
    const Read* __restrict__ const in = reinterpret_cast<const Read*>(from);
    for (int64_t i = 0; i < count; ++i) {
      if constexpr (std::is_same_v<From, bool>) {
        out[i] = std::bit_cast<Written>(cast<To>(in[i] != 0));
      } else if constexpr (std::is_same_v<To, bfloat16>) {
        out[i] = bfloat16_bits(cast<float>(in[i]));
      } else {
        out[i] = cast<To>(in[i]);
      }
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      write<To>(to + i * to_stride, cast<To>(read<From>(from + i * from_stride)));
    }
  }
}

// The frequent ones are converted in one step, each pair by a loop of its own.
template <class F>
bool for_frequent(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::f32:
      f(TypeTag<float>{});
      return true;
    case Dtype::f64:
      f(TypeTag<double>{});
      return true;
    case Dtype::f16:
      f(TypeTag<half>{});
      return true;
    case Dtype::bf16:
      f(TypeTag<bfloat16>{});
      return true;
    case Dtype::u8:
      f(TypeTag<uint8_t>{});
      return true;
    case Dtype::i8:
      f(TypeTag<int8_t>{});
      return true;
    case Dtype::i16:
      f(TypeTag<int16_t>{});
      return true;
    case Dtype::i32:
      f(TypeTag<int32_t>{});
      return true;
    case Dtype::i64:
      f(TypeTag<int64_t>{});
      return true;
    case Dtype::boolean:
      f(TypeTag<bool>{});
      return true;
    default:
      return false;
  }
}

// The others go through the widest type of their kind, which holds each of their values exactly.
template <class T>
using wide_t = std::conditional_t<
    is_complex_v<T>,
    std::complex<double>,
    std::conditional_t<
        std::is_same_v<T, uint64_t>,
        uint64_t,
        std::conditional_t<std::is_integral_v<T>, int64_t, double>>>;

struct ComplexHalf {
  half parts[2];
};
template <const Float8Format& format>
struct Float8 {
  uint8_t code;
};
struct E8m0 {
  uint8_t code;
};

template <class T>
struct Wide {
  using type = wide_t<T>;
  static type from(T value) {
    return cast<type>(value);
  }
  template <class W>
  static T to(W wide) {
    return cast<T>(wide);
  }
};
template <>
struct Wide<ComplexHalf> {
  using type = std::complex<double>;
  static type from(ComplexHalf value) {
    return {static_cast<float>(value.parts[0]), static_cast<float>(value.parts[1])};
  }
  template <class W>
  static ComplexHalf to(W wide) {
    const auto value = cast<std::complex<float>>(wide);
    return {{static_cast<half>(value.real()), static_cast<half>(value.imag())}};
  }
};
template <const Float8Format& format>
struct Wide<Float8<format>> {
  using type = double;
  static type from(Float8<format> value) {
    return from_float8(value.code, format);
  }
  template <class W>
  static Float8<format> to(W wide) {
    return {to_float8(cast<float>(wide), format)};
  }
};
template <>
struct Wide<E8m0> {
  using type = double;
  static type from(E8m0 value) {
    return from_e8m0(value.code);
  }
  template <class W>
  static E8m0 to(W wide) {
    return {to_e8m0(cast<float>(wide))};
  }
};

template <class F>
void for_every(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::u16:
      return f(TypeTag<uint16_t>{});
    case Dtype::u32:
      return f(TypeTag<uint32_t>{});
    case Dtype::u64:
      return f(TypeTag<uint64_t>{});
    case Dtype::c32:
      return f(TypeTag<ComplexHalf>{});
    case Dtype::c64:
      return f(TypeTag<std::complex<float>>{});
    case Dtype::c128:
      return f(TypeTag<std::complex<double>>{});
    case Dtype::f8_e5m2:
      return f(TypeTag<Float8<e5m2>>{});
    case Dtype::f8_e4m3fn:
      return f(TypeTag<Float8<e4m3fn>>{});
    case Dtype::f8_e5m2fnuz:
      return f(TypeTag<Float8<e5m2fnuz>>{});
    case Dtype::f8_e4m3fnuz:
      return f(TypeTag<Float8<e4m3fnuz>>{});
    case Dtype::f8_e8m0fnu:
      return f(TypeTag<E8m0>{});
    default:
      if (!for_frequent(dtype, f)) {
        fail_dtype(dtype, "conversion between dtypes");
      }
  }
}

template <class T>
void load_row(void* wide, const char* from, int64_t stride, int64_t count) {
  using W = typename Wide<T>::type;
  for (int64_t i = 0; i < count; ++i) {
    static_cast<W*>(wide)[i] = Wide<T>::from(read<T>(from + i * stride));
  }
}

template <class T, class W>
void store_row(char* to, int64_t stride, const void* wide, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    write<T>(to + i * stride, Wide<T>::template to<W>(static_cast<const W*>(wide)[i]));
  }
}

}  // namespace

Converter::Converter(Dtype to, Dtype from) {
  for_frequent(to, [&]<class To>(TypeTag<To>) {
    for_frequent(from, [&]<class From>(TypeTag<From>) {
      if constexpr (!std::is_same_v<To, From>) {
        direct_ = convert_row<To, From>;
      }
    });
  });
  if (direct_ == nullptr) {
    for_every(from, [&]<class From>(TypeTag<From>) {
      using W = typename Wide<From>::type;
      load_ = load_row<From>;
      for_every(to, [&]<class To>(TypeTag<To>) { store_ = store_row<To, W>; });
    });
  }
}

void Converter::operator()(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t count) const {
  if (direct_ != nullptr) {
    direct_(to, to_stride, from, from_stride, count);
    return;
  }
  constexpr int64_t chunk = 256;
  alignas(64) char wide[chunk * 16];
  for (int64_t done = 0; done < count; done += chunk) {
    const int64_t now = std::min(chunk, count - done);
    load_(wide, from + done * from_stride, from_stride, now);
    store_(to + done * to_stride, to_stride, wide, now);
  }
}

}  // namespace aotwin::runtime
