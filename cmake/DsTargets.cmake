# The target that tools/check.sh builds and runs lit on.
set(DS_TEST_DEPENDS "" CACHE INTERNAL "targets the lit tests need")
function(ds_test_depends)
  set(DS_TEST_DEPENDS ${DS_TEST_DEPENDS} ${ARGN} CACHE INTERNAL "targets the lit tests need")
endfunction()
