# libarchive (the bundles' tar and gzip): the static library where it can be linked alone, so that the package asks neither
# for the host's nor for the compressors, XML and ACL libraries behind it. src/evidence/archive.cpp says why that works.
find_path(LIBARCHIVE_INCLUDE_DIR archive.h REQUIRED)
find_library(LIBARCHIVE_STATIC libarchive.a)
add_library(picochat_libarchive INTERFACE)
target_include_directories(picochat_libarchive SYSTEM INTERFACE ${LIBARCHIVE_INCLUDE_DIR})

if(LIBARCHIVE_STATIC AND NOT DEFINED PICOCHAT_LIBARCHIVE_ALONE)
  set(trial ${CMAKE_BINARY_DIR}/libarchive_alone)
  file(WRITE ${trial}/main.cpp "#include <archive.h>\n"
    "extern \"C\" void __archive_write_entry_filetype_unsupported(archive*, archive_entry*, const char*) {}\n"
    "int main() {\n  archive* out = archive_write_new();\n  archive_write_set_format_pax_restricted(out);\n  archive_write_add_filter_gzip(out);\n"
    "  archive* in = archive_read_new();\n  archive_read_support_filter_gzip(in);\n  return archive_read_support_format_tar(in);\n}\n")
  try_compile(PICOCHAT_LIBARCHIVE_ALONE ${trial} SOURCES ${trial}/main.cpp LINK_LIBRARIES ${LIBARCHIVE_STATIC} ZLIB::ZLIB
    CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${LIBARCHIVE_INCLUDE_DIR})
endif()
if(LIBARCHIVE_STATIC AND PICOCHAT_LIBARCHIVE_ALONE)
  target_link_libraries(picochat_libarchive INTERFACE ${LIBARCHIVE_STATIC} ZLIB::ZLIB)
else()
  find_library(LIBARCHIVE_SHARED archive REQUIRED)
  message(NOTICE "-- libarchive is linked as a shared library: there is no static one, or it does not link alone")
  target_link_libraries(picochat_libarchive INTERFACE ${LIBARCHIVE_SHARED})
endif()
