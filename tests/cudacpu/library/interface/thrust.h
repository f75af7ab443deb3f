// The sorting functions that CuPy builds on Thrust; see cuda_runtime.h. (C++ linkage, as in CuPy.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#pragma GCC visibility push(default)
void thrust_sort(int, void*, size_t*, const std::vector<ptrdiff_t>&, intptr_t, void*);
void thrust_lexsort(int, size_t*, void*, size_t, size_t, intptr_t, void*);
void thrust_argsort(int, size_t*, void*, void*, const std::vector<ptrdiff_t>&, intptr_t, void*);
#pragma GCC visibility pop
