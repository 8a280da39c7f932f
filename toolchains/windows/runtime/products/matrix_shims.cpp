// mm and its relatives.
#include "matmul.h"
#include "shims.h"

using namespace aotwin::runtime;
using products::multiply_tensors;

namespace {

void mm(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  const Tensor& a = borrow(self);
  require(a.dim() == 2, "mm: a matrix is needed, but the first operand has the shape ", a.sizes());
  multiply_tensors("mm", borrow(out), a, borrow(mat2), nullptr, 0, 1);
}

void bmm(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  const Tensor& a = borrow(self);
  require(a.dim() == 3, "bmm: batches of matrices are needed, but the first operand has the shape ", a.sizes());
  multiply_tensors("bmm", borrow(out), a, borrow(mat2), nullptr, 0, 1);
}

void addmm(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat1, AtenTensorHandle mat2, double beta, double alpha) {
  const Tensor& a = borrow(mat1);
  require(a.dim() == 2, "addmm: a matrix is needed, but mat1 has the shape ", a.sizes());
  multiply_tensors("addmm", borrow(out), a, borrow(mat2), &borrow(self), beta, alpha);
}

// The sum over batches as one product with longer rows: batch and k are one dimension.
void multiply_joined(const Tensor& out, const Tensor& self, const Tensor& a, const Tensor& b, double beta, double alpha) {
  const Dims joined = {a.size(1), a.size(0), a.size(2)};
  const Tensor rows = empty(joined, a.dtype());
  copy_into(rows, view(a, joined, {a.stride(1), a.stride(0), a.stride(2)}, a.storage_offset()));
  const int64_t k = a.size(0) * a.size(2);
  const Tensor columns = contiguous(b);
  multiply_tensors("addbmm", out, view(rows, {a.size(1), k}, {k, 1}, 0), view(columns, {k, b.size(2)}, {b.size(2), 1}, columns.storage_offset()), &self,
                   beta, alpha);
}

Tensor addbmm(const Tensor& self, const Tensor& a, const Tensor& b, double beta, double alpha) {
  require(a.dim() == 3 && b.dim() == 3 && a.size(0) == b.size(0) && a.size(2) == b.size(1), "addbmm: shapes ", a.sizes(), " and ", b.sizes(),
          " cannot be multiplied");
  Tensor out = empty({a.size(1), b.size(2)}, a.dtype());
  // Halves are rounded once that way. Where results are as wide as sums, many short ones lose less than a long one.
  if (element_size(a.dtype()) == 2 || a.size(0) == 0) {
    multiply_joined(out, self, a, b, beta, alpha);
    return out;
  }
  const auto matrix = [](const Tensor& batch, int64_t i) {
    return view(batch, {batch.size(1), batch.size(2)}, {batch.stride(1), batch.stride(2)}, batch.storage_offset() + i * batch.stride(0));
  };
  for (int64_t i = 0; i < a.size(0); ++i) {
    multiply_tensors("addbmm", out, matrix(a, i), matrix(b, i), i == 0 ? &self : &out, i == 0 ? beta : 1, alpha);
  }
  return out;
}

}  // namespace

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  return guarded([&] { mm(out, self, mat2); });
}
extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_mm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  return guarded([&] { mm(out, self, mat2); });
}
extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_bmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  return guarded([&] { bmm(out, self, mat2); });
}
extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_bmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2) {
  return guarded([&] { bmm(out, self, mat2); });
}
extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_addmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat1, AtenTensorHandle mat2,
                                                                double beta, double alpha) {
  return guarded([&] { addmm(out, self, mat1, mat2, beta, alpha); });
}
extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_addmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat1, AtenTensorHandle mat2,
                                                            float beta, float alpha) {
  return guarded([&] { addmm(out, self, mat1, mat2, static_cast<double>(beta), static_cast<double>(alpha)); });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_baddbmm_out)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle batch1,
                                                                  AtenTensorHandle batch2, double beta, double alpha) {
  return guarded([&] {
    const Tensor& a = borrow(batch1);
    require(a.dim() == 3, "baddbmm: batches of matrices are needed, but batch1 has the shape ", a.sizes());
    multiply_tensors("baddbmm", borrow(out), a, borrow(batch2), &borrow(self), beta, alpha);
  });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_addbmm)(AtenTensorHandle self, AtenTensorHandle batch1, AtenTensorHandle batch2, double beta,
                                                             double alpha, AtenTensorHandle* ret0) {
  return guarded([&] { *ret0 = give(addbmm(borrow(self), borrow(batch1), borrow(batch2), beta, alpha)); });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_addmv)(AtenTensorHandle self, AtenTensorHandle mat, AtenTensorHandle vec, double beta, double alpha,
                                                            AtenTensorHandle* ret0) {
  return guarded([&] {
    const Tensor& a = borrow(mat);
    const Tensor& x = borrow(vec);
    const Tensor& addend = borrow(self);
    require(a.dim() == 2 && x.dim() == 1 && a.size(1) == x.size(0), "addmv: shapes ", a.sizes(), " and ", x.sizes(), " cannot be multiplied");
    require(addend.dim() <= 1, "addmv: the addend has the shape ", addend.sizes(), ", not that of a vector");
    Tensor out = empty({a.size(0)}, a.dtype());
    const Tensor wide = expand(addend, {a.size(0)});
    const Tensor column = view(wide, {a.size(0), 1}, {wide.stride(0), 1}, wide.storage_offset());
    multiply_tensors("addmv", view(out, {a.size(0), 1}, {1, 1}, 0), a, view(x, {x.size(0), 1}, {x.stride(0), 1}, x.storage_offset()), &column, beta, alpha);
    *ret0 = give(std::move(out));
  });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch__mm_plus_mm_out)(AtenTensorHandle out, AtenTensorHandle a, AtenTensorHandle b, AtenTensorHandle c,
                                                                  AtenTensorHandle d) {
  return guarded([&] {
    const Tensor& result = borrow(out);
    const Tensor first = empty(result.sizes(), result.dtype());
    multiply_tensors("_mm_plus_mm", first, borrow(a), borrow(b), nullptr, 0, 1);
    multiply_tensors("_mm_plus_mm", result, borrow(c), borrow(d), &first, 1, 1);
  });
}
