#include "dtype.h"

#include "error.h"

namespace aotwin::runtime {
namespace {

struct Facts {
  const char* name;
  uint8_t nbytes;
  bool floating;
  bool complex;
  bool integral;
};

const Facts* facts_of(Dtype dtype) {
  static constexpr struct {
    Dtype dtype;
    Facts facts;
  } table[] = {
      {Dtype::u8, {"uint8", 1, false, false, true}},
      {Dtype::i8, {"int8", 1, false, false, true}},
      {Dtype::i16, {"int16", 2, false, false, true}},
      {Dtype::i32, {"int32", 4, false, false, true}},
      {Dtype::i64, {"int64", 8, false, false, true}},
      {Dtype::f16, {"float16", 2, true, false, false}},
      {Dtype::f32, {"float32", 4, true, false, false}},
      {Dtype::f64, {"float64", 8, true, false, false}},
      {Dtype::c32, {"complex32", 4, false, true, false}},
      {Dtype::c64, {"complex64", 8, false, true, false}},
      {Dtype::c128, {"complex128", 16, false, true, false}},
      {Dtype::boolean, {"bool", 1, false, false, false}},
      {Dtype::bf16, {"bfloat16", 2, true, false, false}},
      {Dtype::f8_e5m2, {"float8_e5m2", 1, true, false, false}},
      {Dtype::f8_e4m3fn, {"float8_e4m3fn", 1, true, false, false}},
      {Dtype::f8_e5m2fnuz, {"float8_e5m2fnuz", 1, true, false, false}},
      {Dtype::f8_e4m3fnuz, {"float8_e4m3fnuz", 1, true, false, false}},
      {Dtype::u16, {"uint16", 2, false, false, true}},
      {Dtype::u32, {"uint32", 4, false, false, true}},
      {Dtype::u64, {"uint64", 8, false, false, true}},
      {Dtype::f8_e8m0fnu, {"float8_e8m0fnu", 1, true, false, false}},
      {Dtype::f4_e2m1fn_x2, {"float4_e2m1fn_x2", 1, true, false, false}},
  };
  // The numbers are small and dense enough for an index of them.
  constexpr int limit = 46;
  static const struct Index {
    const Facts* by_number[limit] = {};
    Index() {
      for (const auto& entry : table) {
        by_number[static_cast<int>(entry.dtype)] = &entry.facts;
      }
    }
  } index;
  const int number = static_cast<int>(dtype);
  return number >= 0 && number < limit ? index.by_number[number] : nullptr;
}

}  // namespace

bool is_known(Dtype dtype) {
  return facts_of(dtype) != nullptr;
}

size_t element_size(Dtype dtype) {
  const Facts* const facts = facts_of(dtype);
  if (facts == nullptr) {
    fail("no such dtype: number ", static_cast<int32_t>(dtype), " of torch's ScalarType");
  }
  return facts->nbytes;
}

const char* name_of(Dtype dtype) {
  const Facts* const facts = facts_of(dtype);
  return facts != nullptr ? facts->name : "unknown dtype";
}

bool is_floating(Dtype dtype) {
  const Facts* const facts = facts_of(dtype);
  return facts != nullptr && facts->floating;
}

bool is_complex(Dtype dtype) {
  const Facts* const facts = facts_of(dtype);
  return facts != nullptr && facts->complex;
}

bool is_integral(Dtype dtype, bool include_bool) {
  const Facts* const facts = facts_of(dtype);
  return facts != nullptr && (facts->integral || (include_bool && dtype == Dtype::boolean));
}

}  // namespace aotwin::runtime
