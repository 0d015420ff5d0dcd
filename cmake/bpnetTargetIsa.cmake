# bpnet_target_isa(<target> <level>)
#
# Compiles a target that uses bpnet's headers for an instruction-set level, so that bpnet's kernels are built at it:
#
#   baseline   every processor of the architecture: x86-64 with SSE2, aarch64 with NEON
#   v3         x86-64-v3: AVX2 and fused multiply-add (Haswell, Zen, and later)
#   v4         x86-64-v4: AVX-512 (Skylake-X, Zen 4, and later)
#   neon       aarch64
#   native     the machine that compiles
#
# Every source of one program or library that includes bpnet must have the same level: inline functions of two levels
# would be merged at link time, and the older machine would meet instructions that it does not know. Shared libraries of
# different levels that one process loads are compiled with -fvisibility=hidden: else the one that comes first lends the
# others its kernels.
function(bpnet_target_isa target level)
  set(processor "${CMAKE_SYSTEM_PROCESSOR}")
  if(APPLE AND CMAKE_OSX_ARCHITECTURES)
    set(processor "${CMAKE_OSX_ARCHITECTURES}")
  endif()
  string(TOLOWER "${processor}" processor)
  set(x86 FALSE)
  set(arm FALSE)
  if(processor MATCHES "^(x86_64|amd64)$")
    set(x86 TRUE)
  elseif(processor MATCHES "^(aarch64|arm64)$")
    set(arm TRUE)
  endif()

  set(flags "")
  if(level STREQUAL "native")
    set(flags -march=native)
    if(arm)
      set(flags -mcpu=native)
    endif()
  elseif(level STREQUAL "baseline")
    if(x86)
      set(flags -march=x86-64)
    endif()
  elseif(level MATCHES "^v[34]$" AND x86)
    set(flags "-march=x86-64-${level}")
  elseif(NOT (level STREQUAL "neon" AND arm))
    message(FATAL_ERROR "bpnet_target_isa: level '${level}' does not exist for ${processor}; "
                        "expected baseline or native, v3 or v4 on x86-64, neon on aarch64.")
  endif()

  get_target_property(type ${target} TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    target_compile_options(${target} INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${flags}>)
  else()
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${flags}>)
  endif()
endfunction()
