/* What object code of Microsoft's compiler refers to, and mingw-w64's run time does not have: sleef.lib
 * of torch's wheel was compiled with /GS (buffer security checks).
 *
 * Contract of the four names: Microsoft's documentation of /GS and of x64 exception handling. */
#include <stdint.h>
#include <windows.h>

/* A marker that the linker wants from each program that computes with floating point. */
int _fltused = 0x9875;

/* The cookie that functions with local arrays keep on their stack. Microsoft's start-up code replaces the
 * well-known default by something unpredictable, with 16 zero bits on top; mingw-w64's has no such step
 * for this name, so that it is done here, before any code of sleef.lib can run in this DLL. */
uintptr_t __security_cookie = 0x00002B992DDFA232;

__attribute__((constructor)) static void choose_security_cookie(void) {
  LARGE_INTEGER counter;
  FILETIME now;
  GetSystemTimeAsFileTime(&now);
  QueryPerformanceCounter(&counter);
  uintptr_t cookie = ((uintptr_t)now.dwHighDateTime << 32) ^ now.dwLowDateTime;
  cookie ^= (uintptr_t)GetCurrentThreadId() ^ ((uintptr_t)GetCurrentProcessId() << 16);
  cookie ^= ((uintptr_t)counter.QuadPart << 24) ^ (uintptr_t)counter.QuadPart ^ (uintptr_t)&cookie;
  cookie &= 0x0000FFFFFFFFFFFF;
  if (cookie != 0 && cookie != 0x00002B992DDFA232) {
    __security_cookie = cookie;
  }
}

/* Called at the end of checked functions with the value found on the stack in rcx. Written in assembly
 * because the caller's return value is in rax, xmm0 or ymm0 by then: nothing but rcx may change. */
__asm__(
    ".text\n"
    ".globl __security_check_cookie\n"
    ".p2align 4\n"
    "__security_check_cookie:\n"
    "  cmpq __security_cookie(%rip), %rcx\n"
    "  jne 1f\n"
    "  rolq $16, %rcx\n"
    "  testw $0xffff, %cx\n"
    "  jne 1f\n"
    "  retq\n"
    "1:\n"
    /* __fastfail(FAST_FAIL_STACK_COOKIE_CHECK_FAILURE): the stack cannot be trusted any longer. */
    "  movl $2, %ecx\n"
    "  int $0x29\n");

/* The exception handler of checked functions. Microsoft's also looks at the cookie while an exception
 * passes; sleef's functions neither throw nor call anything that does, so passing it on is enough. */
EXCEPTION_DISPOSITION __GSHandlerCheck(
    EXCEPTION_RECORD* record, void* frame, CONTEXT* context, void* dispatcher) {
  (void)record;
  (void)frame;
  (void)context;
  (void)dispatcher;
  return ExceptionContinueSearch;
}
