// Last part of a model DLL's translation unit: our run-time part, over the generated model.
#pragma once

#include "aotwin_check.h"
#include "aotwin_constants_exports.h"
#include "aotwin_container_exports.h"
#include "aotwin_info_exports.h"
#include "aotwin_model_exports.h"
