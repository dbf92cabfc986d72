# Everything the build uses from outside, found once. scripts/setup installs what is missing.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(simdjson REQUIRED)
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)

add_library(picochat_plain_dependencies INTERFACE)
target_link_libraries(picochat_plain_dependencies INTERFACE
  Threads::Threads OpenSSL::Crypto nlohmann_json::nlohmann_json simdjson::simdjson)
target_include_directories(picochat_plain_dependencies SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})

if(PICOCHAT_TORCH)
  include(PicochatTorch)
endif()
if(PICOCHAT_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
