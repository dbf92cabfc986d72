# Arrow C++ (reads Parquet) from the pyarrow wheel, which has headers and libraries but no CMake files
# and no links without a version.
#
# PICOCHAT_ARROW       AUTO: when it is there; ON: fail when not; OFF
# PICOCHAT_ARROW_ROOT  folder that holds include/, libarrow.so.2600 and libparquet.so.2600 (scripts/setup
#                      makes .deps/arrow)
#
# Afterwards PICOCHAT_HAS_ARROW says what was decided. Headers are seen by the sources that ask for them
# with picochat_uses_arrow().
set(PICOCHAT_ARROW_SONAME 2600)
set(PICOCHAT_ARROW "AUTO" CACHE STRING "Read Parquet through Arrow C++: AUTO, ON or OFF")
set(PICOCHAT_ARROW_ROOT "$ENV{PICOCHAT_ARROW_ROOT}" CACHE PATH "Arrow C++ of the pyarrow wheel")
if(NOT PICOCHAT_ARROW_ROOT)
  set(PICOCHAT_ARROW_ROOT ${CMAKE_SOURCE_DIR}/.deps/arrow/pyarrow CACHE PATH "" FORCE)
endif()

set(PICOCHAT_HAS_ARROW FALSE)
string(TOUPPER "${PICOCHAT_ARROW}" arrow_choice)
if(NOT arrow_choice STREQUAL "OFF")
  set(arrow_parts include/parquet/arrow/reader.h libarrow.so.${PICOCHAT_ARROW_SONAME} libparquet.so.${PICOCHAT_ARROW_SONAME})
  set(PICOCHAT_HAS_ARROW TRUE)
  foreach(part ${arrow_parts})
    if(NOT EXISTS ${PICOCHAT_ARROW_ROOT}/${part})
      set(PICOCHAT_HAS_ARROW FALSE)
      set(arrow_missing ${part})
    endif()
  endforeach()
  if(NOT PICOCHAT_HAS_ARROW)
    set(arrow_advice "${PICOCHAT_ARROW_ROOT} has no ${arrow_missing}. Run scripts/setup, or point PICOCHAT_ARROW_ROOT at "
      "the pyarrow folder of an unpacked pyarrow 26.0 wheel.")
    list(JOIN arrow_advice "" arrow_advice)
    if(arrow_choice STREQUAL "ON")
      message(FATAL_ERROR "PICOCHAT_ARROW=ON, but ${arrow_advice}")
    endif()
    message(NOTICE "-- Parquet files will not be readable: ${arrow_advice}")
  endif()
endif()

if(PICOCHAT_HAS_ARROW)
  file(REAL_PATH ${PICOCHAT_ARROW_ROOT} PICOCHAT_ARROW_DIR)
  list(APPEND CMAKE_BUILD_RPATH ${PICOCHAT_ARROW_DIR})
  list(APPEND CMAKE_INSTALL_RPATH ${PICOCHAT_ARROW_DIR})
  target_link_libraries(picochat_plain_dependencies INTERFACE
    ${PICOCHAT_ARROW_DIR}/libparquet.so.${PICOCHAT_ARROW_SONAME} ${PICOCHAT_ARROW_DIR}/libarrow.so.${PICOCHAT_ARROW_SONAME})
endif()

# picochat_uses_arrow(<source>...): the sources that include Arrow's headers.
function(picochat_uses_arrow)
  if(PICOCHAT_HAS_ARROW)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS PICOCHAT_ARROW
      COMPILE_OPTIONS "-isystem;${PICOCHAT_ARROW_DIR}/include")
  endif()
endfunction()
