# find_package(aotwin): the target aotwin::aotwin, and one target aotwin::<name> for each model whose
# AOTInductor C API is to be called directly.
#
#   find_package(aotwin REQUIRED)
#   target_link_libraries(program PRIVATE aotwin::aotwin)
#   aotwin_copy_library(program)   # aotwin.dll beside the program

get_filename_component(AOTWIN_SDK "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET aotwin::aotwin)
  add_library(aotwin::aotwin SHARED IMPORTED)
  set_target_properties(aotwin::aotwin PROPERTIES
    IMPORTED_LOCATION "${AOTWIN_SDK}/bin/aotwin.dll"
    IMPORTED_IMPLIB "${AOTWIN_SDK}/lib/aotwin.lib"
    INTERFACE_INCLUDE_DIRECTORIES "${AOTWIN_SDK}/include")
endif()

# Used by the files of models/.
function(aotwin_add_model name)
  if(NOT TARGET "aotwin::${name}")
    add_library("aotwin::${name}" INTERFACE IMPORTED)
    set_target_properties("aotwin::${name}" PROPERTIES
      INTERFACE_LINK_LIBRARIES "${AOTWIN_SDK}/lib/${name}.lib")
  endif()
endfunction()

file(GLOB _aotwin_models "${CMAKE_CURRENT_LIST_DIR}/models/*.cmake")
foreach(_aotwin_model IN LISTS _aotwin_models)
  include("${_aotwin_model}")
endforeach()
unset(_aotwin_models)
unset(_aotwin_model)

# Copies aotwin.dll beside a program whenever that is linked.
function(aotwin_copy_library target)
  add_custom_command(TARGET "${target}" POST_BUILD
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different
      "${AOTWIN_SDK}/bin/aotwin.dll" "$<TARGET_FILE_DIR:${target}>"
    VERBATIM)
endfunction()
