# The compilers that bpnet is written for, and the warnings that its own code is held to.

if(NOT CMAKE_CXX_COMPILER_ID MATCHES "^(GNU|Clang|AppleClang)$")
  message(FATAL_ERROR "bpnet needs GCC >= 11 or Clang >= 14; the C++ compiler found is ${CMAKE_CXX_COMPILER_ID} "
                      "(${CMAKE_CXX_COMPILER}). Choose another one with the environment variable CXX.")
elseif((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 11)
       OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14))
  message(FATAL_ERROR "bpnet needs GCC >= 11 or Clang >= 14; found ${CMAKE_CXX_COMPILER_ID} "
                      "${CMAKE_CXX_COMPILER_VERSION}. Choose another one with the environment variable CXX.")
endif()

# For what is compiled here, never for those who use the headers.
function(bpnet_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion)
  # GCC 12 sees its own AVX-512 intrinsics read what is undefined by intention.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  set_target_properties(${target} PROPERTIES COMPILE_WARNING_AS_ERROR ${BPNET_WERROR})
endfunction()

# Further arguments are options that come behind -fsanitize.
function(bpnet_sanitize target)
  if(BPNET_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${BPNET_SANITIZE} ${ARGN} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer)
    # Where a pointer leads is AddressSanitizer's to ask, when it is used. To ask of each when it is formed, too, takes
    # as long to compile as half of all else.
    if(BPNET_SANITIZE MATCHES "address.*undefined|undefined.*address")
      target_compile_options(${target} PRIVATE -fno-sanitize=pointer-overflow)
    endif()
    target_link_options(${target} PRIVATE -fsanitize=${BPNET_SANITIZE} ${ARGN})
  endif()
endfunction()
