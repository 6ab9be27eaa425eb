# The newest clang there is, whether or not the unversioned `clang` is installed.
find_program(LAMBED_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 REQUIRED)
find_program(LAMBED_CLANGXX NAMES clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14 REQUIRED)
set(CMAKE_C_COMPILER "${LAMBED_CLANG}")
set(CMAKE_CXX_COMPILER "${LAMBED_CLANGXX}")
