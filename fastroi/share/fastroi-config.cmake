# find_package(fastroi): the target fastroi::headers, for extension modules that call fastroi through fastroi_capsule.h.
get_filename_component(fastroi_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../include" ABSOLUTE)
if(NOT TARGET fastroi::headers)
  add_library(fastroi::headers INTERFACE IMPORTED)
  set_target_properties(fastroi::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${fastroi_INCLUDE_DIR}")
endif()
