/* Gives back what libc++ keeps for as long as its module lives: the "C" locale of its streams, which
 * it takes from the C run time that all modules of the process share. A model's DLL comes and goes
 * with its model; without this, each time leaves 1.5 kB behind. */
#include <locale.h>
#include <stddef.h>

/* libc++'s __locale::__locale_t (libcxx/include/__locale_dir/support/windows.h) has a copy constructor,
 * so it is returned through a hidden pointer, as C returns any struct of this size. */
typedef struct CppLocale {
  _locale_t locale;
  const char* name;
  void* conventions;
} CppLocale;

/* std::__cloc(): the one "C" locale, made on first use. Weak: a module without streams has none. */
extern CppLocale aotwin_cpp_locale(void) __asm__("_ZNSt3__16__clocEv") __attribute__((weak));

/* 101 is the earliest priority that programs may use: made first, this runs after all other
 * destructors of the module but libc++'s own, which flush streams and format nothing. */
__attribute__((destructor(101))) static void free_cpp_locale(void) {
  if (aotwin_cpp_locale != NULL) {
    _free_locale(aotwin_cpp_locale().locale);
  }
}
