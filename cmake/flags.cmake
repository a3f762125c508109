# Flags of every target, and the sources that need an instruction set of their own.
include(CheckCXXSourceCompiles)

add_library(linear_regions_flags INTERFACE)
# The certified arithmetic rests on IEEE semantics: no contraction into fused operations behind our
# back, no fast-math, and no -march beyond the base line, so that one binary runs everywhere.
target_compile_options(linear_regions_flags INTERFACE
  -ffp-contract=off -fno-fast-math
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  # Clang need not know the names of GCC's warnings that a source turns off.
  $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-unknown-warning-option>)
if(LINEAR_REGIONS_WERROR)
  target_compile_options(linear_regions_flags INTERFACE -Werror)
endif()
if(LINEAR_REGIONS_SANITIZE)
  set(sanitize_flags -fsanitize=${LINEAR_REGIONS_SANITIZE} -fno-omit-frame-pointer)
  if(NOT LINEAR_REGIONS_SANITIZE MATCHES "thread")
    list(APPEND sanitize_flags -fno-sanitize-recover=all)
  endif()
  # Instrumented code confuses GCC's flow analysis (its manual says so): what comes from it
  # stays a warning there.
  target_compile_options(linear_regions_flags INTERFACE ${sanitize_flags}
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized;-Wno-error=array-bounds;-Wno-error=restrict>"
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-error=stringop-overflow;-Wno-error=stringop-overread>"
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-error=null-dereference;-Wno-error=free-nonheap-object>")
  target_link_options(linear_regions_flags INTERFACE ${sanitize_flags})
endif()

# The compiler's target decides, not the host's name: cross builds get it right too.
check_cxx_source_compiles("
#if !defined(__x86_64__)
#error another processor
#endif
int main() { return 0; }" LINEAR_REGIONS_X86_64)
# Seen by kernels.cpp, which picks an implementation at run time, and by its tests.
target_compile_definitions(linear_regions_flags INTERFACE
  LINEAR_REGIONS_X86_KERNELS=$<BOOL:${LINEAR_REGIONS_X86_64}>)

# linear_regions_simd_source(<target> <source> <flag>...)
# Such a source must define nothing inline with external linkage: the linker could pick its copy,
# with instructions that another processor lacks, for everybody.
function(linear_regions_simd_source target source)
  if(LINEAR_REGIONS_X86_64)
    target_sources(${target} PRIVATE ${source})
    # Headers that were compiled for the base line do not fit these instructions.
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${ARGN}"
      SKIP_PRECOMPILE_HEADERS ON)
  endif()
endfunction()
