// What the fuzz targets share.
#pragma once

#include <cstdio>
#include <cstdlib>

// libFuzzer reports an abort with the input that led to it.
#define FUZZ_EXPECT(condition)                                                      \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)
