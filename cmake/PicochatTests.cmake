# Test programs: one for each room, one for the rules of the source tree, one for the documented
# commands. GoogleTest's and LibTorch's headers are precompiled once for all of them.

# picochat_test(<name> SOURCES ... OBJECTS ... [TORCH]) is labelled with the part before "_test".
function(picochat_test name)
  cmake_parse_arguments(TEST "TORCH" "" "SOURCES;OBJECTS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES} ${TEST_OBJECTS})
  target_include_directories(${name} PRIVATE
    ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE PICOCHAT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE
    picochat_plain_dependencies picochat_warnings picochat_test_server GTest::gmock GTest::gtest_main)
  if(TEST_TORCH)
    target_link_libraries(${name} PRIVATE picochat_torch)
    picochat_precompile(${name} torch_tests)
  else()
    picochat_precompile(${name} plain_tests)
  endif()
  string(REGEX REPLACE "_test$" "" label ${name})
  gtest_discover_tests(${name} TEST_PREFIX ${label}. DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT 600 LABELS ${label})
endfunction()

# tests/acceptance: the include order needs nothing but the sources; the rest runs the program.
function(picochat_acceptance_tests)
  set(rules ${CMAKE_SOURCE_DIR}/tests/acceptance/include_order_test.cpp)
  picochat_test(include_order_test SOURCES ${rules})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/acceptance/*.cpp)
  list(REMOVE_ITEM sources ${rules})
  if(sources AND TARGET picochat_program)
    picochat_test(acceptance_test SOURCES ${sources} OBJECTS ${PICOCHAT_OBJECTS} TORCH)
    target_compile_definitions(acceptance_test PRIVATE PICOCHAT_PROGRAM="$<TARGET_FILE:picochat_program>")
    add_dependencies(acceptance_test picochat_program)
  endif()
endfunction()
