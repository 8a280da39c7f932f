# CMake toolchain file: builds host programs for 64-bit Windows on Linux, with the zig that aotwin
# builds models with.
#
#   cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=<this file> -DCMAKE_PREFIX_PATH=<the SDK's folder>
#
# AOTWIN_PYTHON: a Python with aotwin installed; by default the first `python3` or `python` on PATH
# (an activated virtual environment's).

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)

if(NOT AOTWIN_PYTHON)
  find_program(AOTWIN_PYTHON NAMES python3 python DOC "Python with aotwin installed" REQUIRED
    NO_CMAKE_FIND_ROOT_PATH)
endif()
if(NOT AOTWIN_COMPILERS)
  execute_process(
    COMMAND "${AOTWIN_PYTHON}" -m aotwin.adapters.tools.compilers windows-x86_64
    OUTPUT_VARIABLE AOTWIN_COMPILERS OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_VARIABLE _aotwin_error RESULT_VARIABLE _aotwin_result)
  if(NOT _aotwin_result EQUAL 0)
    message(FATAL_ERROR
      "aotwin's compilers cannot be had from ${AOTWIN_PYTHON}: ${_aotwin_error}\n"
      "Set AOTWIN_PYTHON to a Python that aotwin is installed in.")
  endif()
endif()
# Tests of the compiler link with what is built already: a debug build is another C++ run time.
set(CMAKE_TRY_COMPILE_CONFIGURATION Release)
# CMake reads this file anew for each of its try-compile projects.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES AOTWIN_PYTHON AOTWIN_COMPILERS)

set(CMAKE_C_COMPILER "${AOTWIN_COMPILERS}/cc")
set(CMAKE_CXX_COMPILER "${AOTWIN_COMPILERS}/c++")
set(CMAKE_AR "${AOTWIN_COMPILERS}/ar" CACHE FILEPATH "zig ar")
set(CMAKE_RANLIB "${AOTWIN_COMPILERS}/ranlib" CACHE FILEPATH "zig ranlib")
set(CMAKE_RC_COMPILER "${AOTWIN_COMPILERS}/rc")

# Programs are this machine's. Its headers and libraries are of no use on Windows; those under the
# prefixes that the user names are.
list(APPEND CMAKE_FIND_ROOT_PATH "${AOTWIN_COMPILERS}" ${CMAKE_PREFIX_PATH})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
