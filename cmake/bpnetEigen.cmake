# Eigen3::Eigen, from the first of: a target that the enclosing project made; an installed Eigen (a system package, or the
# Python package cmeel-eigen); the released sources, downloaded. Only headers are used, so nothing of Eigen is installed.

include(bpnetCheckEigen)

if(NOT TARGET Eigen3::Eigen)
  # The Python package keeps its files below <site-packages>/cmeel.prefix. In an isolated build, only Python knows
  # where that is.
  if(BPNET_BUILD_PYTHON)
    find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module)
  else()
    find_package(Python 3.8 QUIET COMPONENTS Interpreter)
  endif()
  if(Python_Interpreter_FOUND)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c "import sys; print(';'.join(p + '/cmeel.prefix' for p in sys.path if p))"
      OUTPUT_VARIABLE BPNET_PYTHON_PREFIXES
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    foreach(prefix IN LISTS BPNET_PYTHON_PREFIXES)
      if(IS_DIRECTORY "${prefix}")
        list(APPEND CMAKE_PREFIX_PATH "${prefix}")
      endif()
    endforeach()
  endif()

  include(FetchContent)
  set(BPNET_EIGEN_RELEASE 3.4.1)
  find_package(Eigen3 QUIET)
  if(NOT Eigen3_FOUND)
    message(STATUS "No Eigen found (Debian: libeigen3-dev; Python: cmeel-eigen). Fetching ${BPNET_EIGEN_RELEASE}.")
  endif()
  FetchContent_Declare(
    Eigen3
    URL https://gitlab.com/libeigen/eigen/-/archive/${BPNET_EIGEN_RELEASE}/eigen-${BPNET_EIGEN_RELEASE}.tar.gz
    URL_HASH SHA256=b93c667d1b69265cdb4d9f30ec21f8facbbe8b307cf34c0b9942834c6d4fdbe2
    DOWNLOAD_EXTRACT_TIMESTAMP FALSE
    SOURCE_SUBDIR headers-only # no such folder: Eigen's own build and install rules are left alone
    FIND_PACKAGE_ARGS)
  FetchContent_MakeAvailable(Eigen3)

  if(NOT TARGET Eigen3::Eigen)
    add_library(Eigen3::Eigen INTERFACE IMPORTED GLOBAL)
    target_include_directories(Eigen3::Eigen SYSTEM INTERFACE "${eigen3_SOURCE_DIR}")
    set(Eigen3_VERSION ${BPNET_EIGEN_RELEASE})
    set(Eigen3_DIR "${eigen3_SOURCE_DIR}")
  endif()
  bpnet_check_eigen(BPNET_EIGEN_COMPLAINT "${Eigen3_VERSION}")
  if(BPNET_EIGEN_COMPLAINT)
    message(FATAL_ERROR "${BPNET_EIGEN_COMPLAINT} (${Eigen3_DIR})")
  endif()
  message(STATUS "Eigen ${Eigen3_VERSION}: ${Eigen3_DIR}")
endif()
