// Sorting along the last axis, in the place of Thrust. NaN comes last, as in NumPy and CuPy.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <type_traits>

#include "interface/thrust.h"
#include "state.h"

namespace {

template <class T>
bool before(const T& a, const T& b) {
  if constexpr (std::is_floating_point<T>::value) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return a < b;
}

// Call function(first) with the index of the first element of each row.
template <class Function>
void for_rows(const std::vector<ptrdiff_t>& shape, Function function) {
  const ptrdiff_t row = shape.back();
  ptrdiff_t size = 1;
  for (const ptrdiff_t length : shape) size *= length;
  for (ptrdiff_t first = 0; row && first < size; first += row) function(first);
}

// Call function(data) with the pointer in its type. CuPy numbers the types in this order.
template <class Function>
void with_type(int type, void* data, Function function) {
  static const char letters[] = "bBhHiIqQefdFD?";
  switch (0 <= type && type < 14 ? letters[type] : 0) {
    case 'b': return function(static_cast<int8_t*>(data));
    case 'B':
    case '?': return function(static_cast<uint8_t*>(data));
    case 'h': return function(static_cast<int16_t*>(data));
    case 'H': return function(static_cast<uint16_t*>(data));
    case 'i': return function(static_cast<int32_t*>(data));
    case 'I': return function(static_cast<uint32_t*>(data));
    case 'q': return function(static_cast<int64_t*>(data));
    case 'Q': return function(static_cast<uint64_t*>(data));
    case 'f': return function(static_cast<float*>(data));
    case 'd': return function(static_cast<double*>(data));
    default: fprintf(stderr, "cudacpu: sorting is not emulated for CuPy's type number %d\n", type); abort();
  }
}

}  // namespace

void thrust_sort(int type, void* data, size_t*, const std::vector<ptrdiff_t>& shape, intptr_t, void*) {
  cudacpu_counters[SORTS]++;
  with_type(type, data, [&](auto* values) {
    using T = std::remove_pointer_t<decltype(values)>;
    const ptrdiff_t row = shape.back();
    for_rows(shape, [=](ptrdiff_t first) { std::stable_sort(values + first, values + first + row, before<T>); });
  });
}

void thrust_argsort(int type, size_t* indices, void* data, void*, const std::vector<ptrdiff_t>& shape, intptr_t,
                    void*) {
  cudacpu_counters[SORTS]++;
  with_type(type, data, [&](auto* values) {
    using T = std::remove_pointer_t<decltype(values)>;
    const ptrdiff_t row = shape.back();
    for_rows(shape, [=](ptrdiff_t first) {
      std::iota(indices + first, indices + first + row, 0);
      std::stable_sort(indices + first, indices + first + row,
                       [=](size_t a, size_t b) { return before<T>(values[first + a], values[first + b]); });
    });
  });
}

void thrust_lexsort(int, size_t*, void*, size_t, size_t, intptr_t, void*) {
  fprintf(stderr, "cudacpu: lexsort is not emulated\n");
  abort();
}
