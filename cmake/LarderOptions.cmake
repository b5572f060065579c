# Options, warnings and sanitizers, in one place so that every target agrees.
option(LARDER_TESTS "Build the tests" ON)
option(LARDER_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(LARDER_BENCH "Build the benchmarks (needs LMDB, SQLite)" OFF)
option(LARDER_FAULTS "Compile named fault points in (test builds only)" OFF)
set(LARDER_SANITIZE "" CACHE STRING "Sanitizers: address,undefined | thread | empty")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Assertions mean our own bugs; they stay on in release, so NDEBUG is never defined.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wimplicit-fallthrough -fno-strict-aliasing -fno-omit-frame-pointer
  -fstack-protector-strong)
add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
include_directories(${CMAKE_SOURCE_DIR})
if(LARDER_FAULTS)
  add_compile_definitions(LARDER_FAULTS=1)
endif()
if(LARDER_SANITIZE)
  add_compile_options(-fsanitize=${LARDER_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LARDER_SANITIZE})
endif()
if(LARDER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# One static library a folder, from all its sources.
function(larder_folder name)
  file(GLOB srcs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(ldr_${name} STATIC ${srcs})
  target_link_libraries(ldr_${name} PUBLIC ${ARGN})
endfunction()
