#include "reduction.h"

namespace aotwin::runtime {

Reduction reduction_named(const char* name, const char* what) {
  const std::string_view text = name != nullptr ? name : "";
  if (text == "sum" || text == "add") {
    return Reduction::sum;
  }
  if (text == "prod" || text == "multiply") {
    return Reduction::prod;
  }
  if (text == "mean") {
    return Reduction::mean;
  }
  if (text == "amax" || text == "max" || text == "maximum") {
    return Reduction::amax;
  }
  if (text == "amin" || text == "min" || text == "minimum") {
    return Reduction::amin;
  }
  fail(what, ": the reduction '", text, "' is not among sum, prod, mean, amax, amin");
}

}  // namespace aotwin::runtime
