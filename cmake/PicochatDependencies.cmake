# Everything the build uses from outside, found once. scripts/setup installs what is missing.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(simdjson REQUIRED)
find_package(LibArchive REQUIRED)
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_package(ZLIB REQUIRED)
find_path(ZSTD_INCLUDE_DIR zstd.h REQUIRED)
find_library(ZSTD_LIBRARY zstd REQUIRED)
find_package(CURL REQUIRED)
find_package(yaml-cpp REQUIRED)

add_library(picochat_plain_dependencies INTERFACE)
target_link_libraries(picochat_plain_dependencies INTERFACE
  Threads::Threads OpenSSL::Crypto nlohmann_json::nlohmann_json simdjson::simdjson ZLIB::ZLIB ${ZSTD_LIBRARY}
  LibArchive::LibArchive CURL::libcurl yaml-cpp)
target_include_directories(picochat_plain_dependencies SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR} ${ZSTD_INCLUDE_DIR})

if(PICOCHAT_TORCH)
  include(PicochatTorch)
endif()
include(PicochatArrow)
if(PICOCHAT_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  # The server of tests. The library is built with OpenSSL, which changes the layout of its classes.
  find_library(HTTPLIB_LIBRARY cpp-httplib REQUIRED)
  add_library(picochat_test_server INTERFACE)
  target_compile_definitions(picochat_test_server INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT)
  target_link_libraries(picochat_test_server INTERFACE ${HTTPLIB_LIBRARY} OpenSSL::SSL)
  include(GoogleTest)
endif()
