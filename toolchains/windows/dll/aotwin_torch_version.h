// Which torch the headers are of: their AOTInductor differs from version to version.
//
// What differs is told apart in this folder's headers, as small functions of one name; all else is
// the same text for every version.
#pragma once

#include <torch/headeronly/version.h>

#define AOTWIN_TORCH_BEFORE(major, minor)                                  \
  (TORCH_VERSION_MAJOR < (major) ||                                        \
   (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR < (minor)))
