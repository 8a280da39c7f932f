#include "escape.h"

extern "C" {

#ifdef _WIN32

__attribute__((naked)) int aotwin_mark_place(aotwin::runtime::Place*) {
  __asm__(
      "movq %rbx, 0(%rcx)\n"
      "movq %rbp, 8(%rcx)\n"
      "movq %rsi, 16(%rcx)\n"
      "movq %rdi, 24(%rcx)\n"
      "movq %r12, 32(%rcx)\n"
      "movq %r13, 40(%rcx)\n"
      "movq %r14, 48(%rcx)\n"
      "movq %r15, 56(%rcx)\n"
      "leaq 8(%rsp), %rdx\n"
      "movq %rdx, 64(%rcx)\n"
      "movq (%rsp), %rdx\n"
      "movq %rdx, 72(%rcx)\n"
      "movups %xmm6, 96(%rcx)\n"
      "movups %xmm7, 112(%rcx)\n"
      "movups %xmm8, 128(%rcx)\n"
      "movups %xmm9, 144(%rcx)\n"
      "movups %xmm10, 160(%rcx)\n"
      "movups %xmm11, 176(%rcx)\n"
      "movups %xmm12, 192(%rcx)\n"
      "movups %xmm13, 208(%rcx)\n"
      "movups %xmm14, 224(%rcx)\n"
      "movups %xmm15, 240(%rcx)\n"
      "xorl %eax, %eax\n"
      "retq\n");
}

__attribute__((naked)) void aotwin_go_back(const aotwin::runtime::Place*) {
  __asm__(
      "movq 0(%rcx), %rbx\n"
      "movq 8(%rcx), %rbp\n"
      "movq 16(%rcx), %rsi\n"
      "movq 24(%rcx), %rdi\n"
      "movq 32(%rcx), %r12\n"
      "movq 40(%rcx), %r13\n"
      "movq 48(%rcx), %r14\n"
      "movq 56(%rcx), %r15\n"
      "movups 96(%rcx), %xmm6\n"
      "movups 112(%rcx), %xmm7\n"
      "movups 128(%rcx), %xmm8\n"
      "movups 144(%rcx), %xmm9\n"
      "movups 160(%rcx), %xmm10\n"
      "movups 176(%rcx), %xmm11\n"
      "movups 192(%rcx), %xmm12\n"
      "movups 208(%rcx), %xmm13\n"
      "movups 224(%rcx), %xmm14\n"
      "movups 240(%rcx), %xmm15\n"
      "movq 64(%rcx), %rsp\n"
      "movl $1, %eax\n"
      "jmpq *72(%rcx)\n");
}

#else

__attribute__((naked)) int aotwin_mark_place(aotwin::runtime::Place*) {
  __asm__(
      "movq %rbx, 0(%rdi)\n"
      "movq %rbp, 8(%rdi)\n"
      "movq %r12, 32(%rdi)\n"
      "movq %r13, 40(%rdi)\n"
      "movq %r14, 48(%rdi)\n"
      "movq %r15, 56(%rdi)\n"
      "leaq 8(%rsp), %rdx\n"
      "movq %rdx, 64(%rdi)\n"
      "movq (%rsp), %rdx\n"
      "movq %rdx, 72(%rdi)\n"
      "xorl %eax, %eax\n"
      "retq\n");
}

__attribute__((naked)) void aotwin_go_back(const aotwin::runtime::Place*) {
  __asm__(
      "movq 0(%rdi), %rbx\n"
      "movq 8(%rdi), %rbp\n"
      "movq 32(%rdi), %r12\n"
      "movq 40(%rdi), %r13\n"
      "movq 48(%rdi), %r14\n"
      "movq 56(%rdi), %r15\n"
      "movq 64(%rdi), %rsp\n"
      "movl $1, %eax\n"
      "jmpq *72(%rdi)\n");
}

#endif
}
