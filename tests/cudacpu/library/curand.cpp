// Random numbers in the place of cuRAND: the right distributions, other numbers.

#include "interface/curand.h"

#include <random>

#include "state.h"

namespace {

using Generator = std::mt19937_64;

template <class T, class Distribution>
int fill(void* generator, T* out, size_t size, Distribution distribution) {
  cudacpu_counters[RANDOM_FILLS]++;
  for (size_t i = 0; i < size; i++) out[i] = distribution(*static_cast<Generator*>(generator));
  return SUCCESS;
}

}  // namespace

API int curandCreateGenerator(void* generator, int) {
  *static_cast<Generator**>(generator) = new Generator(1);
  return SUCCESS;
}

API int curandDestroyGenerator(void* generator) {
  delete static_cast<Generator*>(generator);
  return SUCCESS;
}

API int curandGetVersion(int* version) {
  *version = 10400;
  return SUCCESS;
}

API int curandSetStream(void*, void*) { return SUCCESS; }
API int curandSetGeneratorOffset(void*, unsigned long long) { return SUCCESS; }
API int curandSetGeneratorOrdering(void*, int) { return SUCCESS; }

API int curandSetPseudoRandomGeneratorSeed(void* generator, unsigned long long seed) {
  static_cast<Generator*>(generator)->seed(seed);
  return SUCCESS;
}

API int curandGenerate(void* generator, unsigned* out, size_t size) {
  return fill(generator, out, size, std::uniform_int_distribution<unsigned>());
}

API int curandGenerateLongLong(void* generator, unsigned long long* out, size_t size) {
  return fill(generator, out, size, std::uniform_int_distribution<unsigned long long>());
}

// cuRAND's uniform numbers exclude 0 and include 1.
API int curandGenerateUniform(void* generator, float* out, size_t size) {
  return fill(generator, out, size, std::uniform_real_distribution<float>(1e-7f, 1.f));
}

API int curandGenerateUniformDouble(void* generator, double* out, size_t size) {
  return fill(generator, out, size, std::uniform_real_distribution<double>(1e-16, 1.));
}

API int curandGenerateNormal(void* generator, float* out, size_t size, float mean, float deviation) {
  return fill(generator, out, size, std::normal_distribution<float>(mean, deviation));
}

API int curandGenerateNormalDouble(void* generator, double* out, size_t size, double mean, double deviation) {
  return fill(generator, out, size, std::normal_distribution<double>(mean, deviation));
}
