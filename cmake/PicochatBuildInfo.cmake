# What the binary says about its own making (picochat --version, run manifests). The header is
# written while building, and only when a value changed: a commit recompiles one file.
#
# As a module it defines the target picochat_build_info; run with -P it writes the header.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(PICOCHAT_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
  add_custom_target(picochat_build_info
    COMMAND ${CMAKE_COMMAND}
      -D source=${CMAKE_SOURCE_DIR} -D header=${PICOCHAT_GENERATED_DIR}/picochat_build_info.h
      -D version=${PROJECT_VERSION} -D build_type=${CMAKE_BUILD_TYPE}
      -D "compiler=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
      -P ${CMAKE_CURRENT_LIST_FILE}
    BYPRODUCTS ${PICOCHAT_GENERATED_DIR}/picochat_build_info.h
    COMMENT "Checking version and commit" VERBATIM)
  return()
endif()

set(commit "")
set(dirty 0)
find_program(GIT git)
if(GIT)
  # The folder must be the top of a repository: an unpacked archive inside somebody else's
  # repository has no commit of its own.
  execute_process(COMMAND ${GIT} -c safe.directory=${source} -C ${source} rev-parse --show-toplevel
    OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  file(REAL_PATH ${source} source)
  if(top STREQUAL source)
    execute_process(COMMAND ${GIT} -c safe.directory=${source} -C ${source} rev-parse --verify --quiet HEAD
      OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    # No optional locks: a build must not get in the way of a commit made at the same time.
    execute_process(COMMAND ${GIT} --no-optional-locks -c safe.directory=${source} -C ${source} status --porcelain
      OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      set(dirty 1)
    endif()
  endif()
endif()

file(WRITE ${header}.new "#pragma once
#define PICOCHAT_VERSION \"${version}\"
#define PICOCHAT_GIT_COMMIT \"${commit}\"
#define PICOCHAT_GIT_DIRTY ${dirty}
#define PICOCHAT_COMPILER \"${compiler}\"
#define PICOCHAT_BUILD_TYPE \"${build_type}\"
")
file(COPY_FILE ${header}.new ${header} ONLY_IF_DIFFERENT)
file(REMOVE ${header}.new)
