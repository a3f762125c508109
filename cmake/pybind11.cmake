# Find Python's module headers and pybind11, also where pybind11 was installed by pip.
set(PYBIND11_FINDPYTHON ON)
find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
if(NOT pybind11_DIR AND NOT SKBUILD)
  execute_process(COMMAND "${Python_EXECUTABLE}" -m pybind11 --cmakedir
    OUTPUT_VARIABLE pybind11_folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(pybind11_folder)
    set(pybind11_DIR "${pybind11_folder}" CACHE PATH "pybind11's CMake files" FORCE)
  endif()
endif()
find_package(pybind11 2.13 CONFIG REQUIRED)
