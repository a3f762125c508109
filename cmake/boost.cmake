# Find the headers of Boost.Multiprecision: the caller's folder, else the package cmeel-boost beside
# the Python that drives the build (its folder is cmeel.prefix/include), else the system's.
if(NOT LINEAR_REGIONS_BOOST_INCLUDE_DIR)
  find_package(Python 3.11 COMPONENTS Interpreter)
  set(cmeel_folders "")
  if(Python_Interpreter_FOUND)
    # sys.path and not the folders of this file's Python: an isolated build adds folders to it.
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
        "import sys; print(';'.join(p + '/cmeel.prefix/include' for p in sys.path if p))"
      OUTPUT_VARIABLE cmeel_folders OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  find_path(linear_regions_boost boost/multiprecision/cpp_int.hpp
    HINTS ${cmeel_folders} NO_CACHE)
  if(NOT linear_regions_boost)
    message(FATAL_ERROR
      "The headers of Boost.Multiprecision were not found.\n"
      "Install them with `pip install cmeel-boost` or from your system (Debian: libboost-dev), "
      "or set LINEAR_REGIONS_BOOST_INCLUDE_DIR to the folder that holds boost/.")
  endif()
else()
  set(linear_regions_boost "${LINEAR_REGIONS_BOOST_INCLUDE_DIR}")
endif()
message(STATUS "Boost.Multiprecision headers: ${linear_regions_boost}")

# linear_regions_use_boost(<source>...): let these sources see the headers, as system headers.
function(linear_regions_use_boost)
  set_source_files_properties(${ARGN} PROPERTIES
    COMPILE_OPTIONS "-isystem;${linear_regions_boost}"
    COMPILE_DEFINITIONS BOOST_MP_STANDALONE)
endfunction()
