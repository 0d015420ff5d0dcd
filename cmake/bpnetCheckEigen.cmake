# bpnet_check_eigen(<result> <version>): <result> is empty where this version of Eigen serves, else it says why not.
# (Asked for as a version range, Eigen 3.4's own version file would refuse: it knows no ranges.)
function(bpnet_check_eigen result version)
  set(complaint "")
  if(version AND (version VERSION_LESS 3.4 OR NOT version VERSION_LESS 6))
    set(complaint "bpnet needs Eigen >= 3.4 and < 6; found Eigen ${version}.")
  endif()
  set(${result} "${complaint}" PARENT_SCOPE)
endfunction()
