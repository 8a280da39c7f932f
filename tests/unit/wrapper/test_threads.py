"""Kernels of ready wrappers keep to the threads that their accumulators were made for."""

from __future__ import annotations

from aotwin.stages.wrapper.threads import bound_threads

REDUCTION = """extern "C"  void  kernel_0(float* out_ptr0)
{
    float tmp_acc0_arr[2];
    at::vec::Vectorized<float> tmp_acc0_vec_arr[2];
    #pragma omp parallel
    {
        #pragma omp for
        tmp_acc0_arr[tid] = tmp_acc0_local;
    }
}
"""
POINTWISE = """extern "C"  void  kernel_1(float* out_ptr0)
{
    #pragma omp parallel
    {
        #pragma omp for
    }
}
"""


def test_a_region_with_accumulators_of_fixed_size_is_bound() -> None:
    source, bound = bound_threads(REDUCTION)
    assert bound == 2
    assert "    #pragma omp parallel num_threads(2)\n" in source
    assert "        #pragma omp for\n" in source


def test_a_region_of_another_kernel_is_left_open() -> None:
    source, _ = bound_threads(REDUCTION + POINTWISE)
    assert source.endswith(POINTWISE)


def test_accumulators_sized_at_run_time_need_nothing() -> None:
    dynamic = REDUCTION.replace("[2]", "[max_threads]")
    assert bound_threads(dynamic) == (dynamic, 0)


def test_a_region_with_a_thread_count_needs_nothing() -> None:
    counted = REDUCTION.replace("omp parallel", "omp parallel num_threads(2)")
    assert bound_threads(counted) == (counted, 0)


def test_a_kernel_without_accumulators_needs_nothing() -> None:
    assert bound_threads(POINTWISE) == (POINTWISE, 0)
