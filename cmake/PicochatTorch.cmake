# LibTorch as imported libraries. The wheel's own TorchConfig.cmake wants a CUDA toolkit even for
# CPU use, so the few libraries that we link are named here.
#
# PICOCHAT_TORCH_ROOT  folder that holds include/ and lib/ of LibTorch 2.11 (scripts/setup makes .deps/libtorch)
set(PICOCHAT_TORCH_VERSION 2.11.0)
set(PICOCHAT_TORCH_ROOT "$ENV{PICOCHAT_TORCH_ROOT}" CACHE PATH "LibTorch ${PICOCHAT_TORCH_VERSION}")
if(NOT PICOCHAT_TORCH_ROOT)
  set(PICOCHAT_TORCH_ROOT ${CMAKE_SOURCE_DIR}/.deps/libtorch/torch CACHE PATH "" FORCE)
endif()
if(NOT EXISTS ${PICOCHAT_TORCH_ROOT}/include/ATen/ATen.h)
  message(FATAL_ERROR "LibTorch ${PICOCHAT_TORCH_VERSION} is not at ${PICOCHAT_TORCH_ROOT}. "
    "Run scripts/setup, or point PICOCHAT_TORCH_ROOT at a folder with its include/ and lib/.")
endif()
get_filename_component(PICOCHAT_TORCH_ROOT ${PICOCHAT_TORCH_ROOT} REALPATH)

function(picochat_torch_library name)
  add_library(${name} SHARED IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${PICOCHAT_TORCH_ROOT}/lib/lib${name}.so)
endfunction()
picochat_torch_library(c10)
picochat_torch_library(torch_cpu)

add_library(picochat_torch INTERFACE)
target_include_directories(picochat_torch SYSTEM INTERFACE
  ${PICOCHAT_TORCH_ROOT}/include ${PICOCHAT_TORCH_ROOT}/include/torch/csrc/api/include)
# Our kernels share libgomp with LibTorch: one pool of threads, one setting of their number.
find_package(OpenMP REQUIRED COMPONENTS CXX)
target_link_libraries(picochat_torch INTERFACE torch_cpu c10 OpenMP::OpenMP_CXX)
# libtorch_cpu of the wheel needs the CUDA run time and CUPTI by name even on a CPU host.
set(PICOCHAT_CUDA_RUNTIME_DIRS)
foreach(dir ${PICOCHAT_TORCH_ROOT}/../nvidia/cu13/lib /usr/local/cuda/lib64 /usr/local/cuda/extras/CUPTI/lib64)
  if(EXISTS ${dir})
    get_filename_component(dir ${dir} REALPATH)
    list(APPEND PICOCHAT_CUDA_RUNTIME_DIRS ${dir})
    target_link_options(picochat_torch INTERFACE -Wl,-rpath-link,${dir})
  endif()
endforeach()
set(CMAKE_BUILD_RPATH ${PICOCHAT_TORCH_ROOT}/lib ${PICOCHAT_CUDA_RUNTIME_DIRS})
set(CMAKE_INSTALL_RPATH ${CMAKE_BUILD_RPATH})
# RPATH, not RUNPATH: libtorch_cpu's own dependencies must be found through it too.
target_link_options(picochat_torch INTERFACE -Wl,--disable-new-dtags -Wl,--no-as-needed)
