# Test programs: one for each room, one for the rules of the source tree, one for the documented
# commands. GoogleTest's and LibTorch's headers are precompiled once for all of them.

# Where the checkout and the program are, for the tests: alone in one file, because paths in a
# definition keep the compiler cache from serving another checkout.
add_library(picochat_test_support OBJECT ${CMAKE_SOURCE_DIR}/tests/support/project.cpp)
target_include_directories(picochat_test_support PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_compile_definitions(picochat_test_support PRIVATE PICOCHAT_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
  PICOCHAT_PROGRAM="$<$<TARGET_EXISTS:picochat_program>:$<TARGET_FILE:picochat_program>>")

# picochat_test(<name> SOURCES ... OBJECTS ... [TORCH]) is labelled with the part before "_test".
function(picochat_test name)
  cmake_parse_arguments(TEST "TORCH" "" "SOURCES;OBJECTS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES} ${TEST_OBJECTS} $<TARGET_OBJECTS:picochat_test_support>)
  target_include_directories(${name} PRIVATE
    ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
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
    add_library(jumping_clock MODULE ${CMAKE_SOURCE_DIR}/tests/support/jumping_clock.cpp)
    add_dependencies(acceptance_test picochat_program jumping_clock)
  endif()
endfunction()

# race_test, for the thread sanitizer: the tests of what works on several threads, with just the sources behind them, so that it
# builds in minutes. LibTorch itself is not instrumented.
function(picochat_race_test)
  set(sources corpus/holdout.cpp gate/model_config.cpp model/parameters.cpp serve/http/exchange.cpp serve/http/message.cpp
    serve/http/server.cpp serve/http/socket.cpp tokenizer/base64.cpp tokenizer/bpe_merge.cpp tokenizer/bpe_train.cpp tokenizer/byte_alphabet.cpp
    tokenizer/byte_level.cpp tokenizer/count.cpp tokenizer/encode_stream.cpp tokenizer/file.cpp tokenizer/sentencepiece.cpp
    tokenizer/sentencepiece_file.cpp tokenizer/sentencepiece_train.cpp tokenizer/tokenizer.cpp tokenizer/train.cpp tokenizer/words.cpp train/checkpoint.cpp
    train/checkpoint_writer.cpp train/split.cpp train/token_shards.cpp train/window_source.cpp)
  list(TRANSFORM sources PREPEND ${CMAKE_SOURCE_DIR}/src/)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/race/*.cpp)
  add_executable(race_test EXCLUDE_FROM_ALL ${tests} ${CMAKE_SOURCE_DIR}/tests/base/threads_test.cpp ${CMAKE_SOURCE_DIR}/tests/train/checkpoint_writer_test.cpp
    ${sources} $<TARGET_OBJECTS:picochat_base>)
  target_include_directories(race_test PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/tests/train)
  target_link_libraries(race_test PRIVATE picochat_plain_dependencies picochat_warnings picochat_torch GTest::gmock GTest::gtest_main)
endfunction()
