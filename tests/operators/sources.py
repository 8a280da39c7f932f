"""Which OpInfo entries reach the operator behind each C function.

Found once by running all of them; the samples of an entry are run under a dispatch mode that
records the operator's calls, so that a function is also reached through what decomposes into it
or through the backward of what is differentiated.
"""

from __future__ import annotations

_POOLS = (
    "nn.functional.max_pool1d",
    "nn.functional.max_pool2d",
    "max_pool2d_with_indices_backward",
)
_FFT_C2C = (
    "fft.fft",
    "fft.ifft",
    "fft.fft2",
    "fft.ifft2",
    "fft.fftn",
    "fft.ifftn",
    "fft.hfft2",
    "fft.hfftn",
    "fft.ihfft2",
    "fft.ihfftn",
)
_FFT_R2C = ("fft.rfft", "fft.rfft2", "fft.rfftn", "fft.ihfft", "fft.fft", "stft")
_CONVOLUTIONS = tuple(
    f"nn.functional.conv{form}{dims}d" for form in ("", "_transpose") for dims in (1, 2, 3)
)
_SCATTERS = ("scatter", "scatter_reduce.sum", "sort", "topk", "masked.median")
_REDUCTIONS = tuple(f"scatter_reduce.{how}" for how in ("sum", "prod", "mean", "amin", "amax"))
_FRACTIONAL2 = ("nn.functional.fractional_max_pool2d",)
_FRACTIONAL3 = ("nn.functional.fractional_max_pool3d",)
_ATTENTION = ("nn.functional.scaled_dot_product_attention",)
_PADS = tuple(
    f"nn.functional.pad.{mode}"
    for mode in ("constant", "reflect", "replicate", "replicate_negative", "circular")
)

#: C function without its prefix -> entries "name" or "name.variant"
OPINFOS: dict[str, tuple[str, ...]] = {
    "_adaptive_avg_pool2d": ("nn.functional.adaptive_avg_pool2d", "nn.functional.interpolate.area"),
    "_adaptive_avg_pool2d_backward": ("nn.functional.adaptive_avg_pool2d",),
    "_adaptive_avg_pool3d": ("nn.functional.adaptive_avg_pool3d", "nn.functional.interpolate.area"),
    "_adaptive_avg_pool3d_backward": ("nn.functional.adaptive_avg_pool3d",),
    "_addmm_activation": ("addmm",),
    "_cdist_backward": ("cdist",),
    "_cdist_forward": ("cdist",),
    "_efficientzerotensor": ("sgn",),
    "_embedding_bag": ("nn.functional.embedding_bag",),
    "_embedding_bag_forward_only": ("nn.functional.embedding_bag",),
    "_embedding_bag_dense_backward": ("nn.functional.embedding_bag",),
    "_embedding_bag_per_sample_weights_backward": ("nn.functional.embedding_bag",),
    "_fft_c2c": _FFT_C2C,
    "_fft_r2c": _FFT_R2C,
    "_histogramdd_from_bin_cts": ("histogramdd",),
    "_pdist_backward": ("nn.functional.pdist",),
    "_pdist_forward": ("nn.functional.pdist",),
    "_scaled_dot_product_flash_attention_for_cpu": _ATTENTION,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _ATTENTION,
    "_segment_reduce_backward": ("_segment_reduce.lengths", "_segment_reduce.offsets"),
    "_trilinear": ("nn.functional.bilinear",),
    "abs": ("abs", "isclose", "linalg.vector_norm"),
    "adaptive_max_pool2d": (
        "nn.functional.adaptive_max_pool2d",
        "nn.functional.adaptive_max_pool1d",
    ),
    "adaptive_max_pool2d_backward": ("nn.functional.adaptive_max_pool2d",),
    "adaptive_max_pool3d": ("nn.functional.adaptive_max_pool3d",),
    "adaptive_max_pool3d_backward": ("nn.functional.adaptive_max_pool3d",),
    "add_Scalar": ("add", "isclose", "nn.functional.margin_ranking_loss"),
    "add_Tensor": ("add", "gradient", "nn.functional.poisson_nll_loss"),
    "addbmm": ("addbmm",),
    "addmm_out": ("addmm", "addmm.decomposed", "nn.functional.linear"),
    "addmv": ("addmv",),
    "amax": ("amax", "masked.amax", "linalg.matrix_norm"),
    "angle": ("angle",),
    "avg_pool2d": ("nn.functional.avg_pool2d", "nn.functional.avg_pool1d"),
    "avg_pool2d_backward": ("nn.functional.avg_pool2d", "nn.functional.avg_pool1d"),
    "avg_pool3d": ("nn.functional.avg_pool3d",),
    "avg_pool3d_backward": ("nn.functional.avg_pool3d",),
    "baddbmm_out": ("baddbmm",),
    "bernoulli__float": ("nn.functional.dropout", "nn.functional.dropout2d"),
    "bmm_out": ("bmm", "matmul", "einsum"),
    "bucketize_Tensor": ("bucketize",),
    "cat": ("cat", "hstack", "vstack"),
    "cholesky_inverse": ("cholesky_inverse",),
    "cholesky_solve": ("cholesky_solve",),
    "convolution": _CONVOLUTIONS,
    "convolution_backward": _CONVOLUTIONS,
    "cummax": ("cummax",),
    "cummin": ("cummin",),
    "cumprod": ("cumprod", "masked.cumprod"),
    "cumsum": ("cumsum", "masked.cumsum"),
    "fill__Scalar": ("fill", "masked_fill", "nanquantile"),
    "fractional_max_pool2d": _FRACTIONAL2,
    "fractional_max_pool2d_backward": _FRACTIONAL2,
    "fractional_max_pool3d": _FRACTIONAL3,
    "fractional_max_pool3d_backward": _FRACTIONAL3,
    "full": ("full", "combinations"),
    "gcd": ("gcd",),
    "geqrf": ("geqrf",),
    "grid_sampler_2d_backward": ("nn.functional.grid_sample", "grid_sampler_2d"),
    "grid_sampler_3d": ("grid_sampler_3d", "nn.functional.grid_sample"),
    "grid_sampler_3d_backward": ("grid_sampler_3d", "nn.functional.grid_sample"),
    "histc": ("histc",),
    "histogram_bin_ct": ("histogram",),
    "index_Tensor": ("__getitem__", "index_put"),
    "index_put": ("index_put", "__getitem__"),
    "index_reduce": tuple(f"index_reduce.{how}" for how in ("prod", "mean", "amin", "amax")),
    "kthvalue": ("kthvalue",),
    "logcumsumexp": ("logcumsumexp",),
    "lu_unpack": ("lu_unpack",),
    "masked_scatter": ("masked_scatter",),
    "masked_scatter_backward": ("masked_scatter",),
    "masked_select": ("masked_select", "combinations"),
    "max_pool2d_with_indices": _POOLS,
    "max_pool2d_with_indices_backward": _POOLS,
    "max_pool3d_with_indices": ("nn.functional.max_pool3d",),
    "max_pool3d_with_indices_backward": ("nn.functional.max_pool3d",),
    "max_unpool2d": ("nn.functional.max_unpool2d", "nn.functional.max_unpool1d"),
    "max_unpool3d": ("nn.functional.max_unpool3d",),
    "median": ("median",),
    "mm_out": ("mm", "matmul", "einsum", "linalg.multi_dot"),
    "mode": ("mode",),
    "mul_Scalar": ("mul", "isclose", "native_group_norm"),
    "mul_Tensor": ("mul", "native_group_norm"),
    "nanmedian": ("nanmedian",),
    "narrow": ("narrow",),
    "native_dropout": ("native_dropout_backward",),
    "new_empty": ("new_empty",),
    "new_zeros": ("new_zeros",),
    "nonzero": ("nonzero", "argwhere"),
    "nonzero_static": ("nonzero_static",),
    "ormqr": ("ormqr",),
    "pad": _PADS,
    "permute": ("permute", "movedim"),
    "polar": ("polar",),
    "pow_Scalar": ("ldexp", "logaddexp2", "__rpow__"),
    "pow_Tensor_Scalar": ("pow", "square", "dist"),
    "pow_Tensor_Tensor": ("pow", "float_power", "__rpow__"),
    "repeat_interleave_Tensor": ("repeat_interleave",),
    "replication_pad1d_backward": ("nn.functional.pad.replicate",),
    "replication_pad2d_backward": (
        "nn.functional.pad.replicate",
        "nn.functional.pad.replicate_negative",
    ),
    "reshape": ("reshape", "reshape_as"),
    "resize_": ("resize_",),
    "resize_as_": ("resize_as_",),
    "scatter_reduce_two_out": _REDUCTIONS,
    "scatter_src_out": _SCATTERS,
    "scatter_value_out": _SCATTERS,
    "searchsorted_Scalar": ("searchsorted",),
    "searchsorted_Tensor": ("searchsorted",),
    "segment_reduce": ("_segment_reduce.lengths", "_segment_reduce.offsets"),
    "slice_Tensor": ("slice", "diff", "narrow", "nn.functional.pad.circular"),
    "soft_margin_loss_backward": ("nn.functional.soft_margin_loss",),
    "sort": ("sort", "argsort", "msort", "quantile"),
    "sort_stable": ("sort", "argsort"),
    "squeeze_dim": ("squeeze", "squeeze.multiple", "nn.functional.max_pool1d"),
    "subtract_Tensor": ("sub",),
    "topk": ("topk",),
    "triangular_solve": ("triangular_solve",),
    "upsample_bicubic2d_backward": ("nn.functional.interpolate.bicubic",),
    "upsample_linear1d_backward": ("nn.functional.interpolate.linear",),
    "upsample_trilinear3d_backward": ("nn.functional.interpolate.trilinear",),
    "view_as_complex": ("view_as_complex", "istft"),
    "view_as_real": ("view_as_real", "nn.functional.conv1d"),
    "view_dtype": ("view",),
}

#: called with an entry's samples as they are, because eager takes the operator apart
DIRECT = frozenset(
    {
        "narrow",
        "pad",
        "reshape",
        "subtract_Tensor",
        "scatter_value_out",
        "scatter_src_out",
        "sort_stable",
        "full",
        "squeeze_dim",
        "native_dropout",
    }
)

#: products: their error against float64 is measured beside eager's
PRODUCTS = frozenset(
    {
        "_addmm_activation",
        "_int_mm_out",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_trilinear",
        "addbmm",
        "addmm_out",
        "addmv",
        "baddbmm_out",
        "bmm_out",
        "convolution",
        "convolution_backward",
        "mm_out",
        "_mm_plus_mm_out",
        "_scaled_mm",
        "_scaled_mm_out",
        "_weight_int8pack_mm",
        "_grouped_mm",
        "_linear_pointwise",
        "_linear_pointwise_binary",
        "mkldnn__convolution_pointwise",
        "mkldnn__convolution_pointwise_binary",
        "mkldnn__convolution_transpose_pointwise",
    }
)

#: of equal elements any may be named: results are compared by what they point at
TIES = {
    "sort": "permutation",
    # where it is not asked to be stable
    "sort_stable": "permutation",
    "topk": "points",
    "kthvalue": "points",
    "mode": "points",
    "median": "points",
    "nanmedian": "points",
}

#: results that nobody may look at: C function -> their numbers
UNSPECIFIED = {
    # a workspace for the backward
    "mkldnn_rnn_layer": (3,),
}

#: dtypes that torch takes and we need not: C function -> names of the dtypes
REFUSED = {
    # no network convolves integers so
    "convolution": ("int64", "int32", "uint8"),
}

#: C functions that are not tested, and why
UNTESTED = {
    "_to_sparse": "sparse tensors",
    "to_sparse": "sparse tensors",
    "_dyn_quant_matmul_4bit": "packs weights for Arm's library",
    "_dyn_quant_pack_4bit_weight": "packs weights for Arm's library",
    "_efficientzerotensor": "zeros without memory, which only derivatives use",
    "_fused_moving_avg_obs_fq_helper": "observes values while a model is trained",
    "_fused_moving_avg_obs_fq_helper_functional": "observes values while a model is trained",
    "_scaled_mm": "8-bit floating point",
    "_scaled_mm_out": "8-bit floating point",
    "_wrapped_linear_prepack": "for FBGEMM, which torch for Windows lacks",
    "_wrapped_quantized_linear_prepacked": "for FBGEMM, which torch for Windows lacks",
    "_scaled_dot_product_fused_attention_overrideable": "torch's own raises for the CPU",
    "_scaled_dot_product_fused_attention_overrideable_backward": "torch's own raises for the CPU",
}
