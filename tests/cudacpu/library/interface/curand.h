// The functions of cuRAND that are emulated; see cuda_runtime.h.
#pragma once

#include <stddef.h>

extern "C" {

int curandCreateGenerator(void*, int);
int curandDestroyGenerator(void*);
int curandGetVersion(int*);
int curandSetStream(void*, void*);
int curandSetPseudoRandomGeneratorSeed(void*, unsigned long long);
int curandSetGeneratorOffset(void*, unsigned long long);
int curandSetGeneratorOrdering(void*, int);
int curandGenerate(void*, unsigned*, size_t);
int curandGenerateLongLong(void*, unsigned long long*, size_t);
int curandGenerateUniform(void*, float*, size_t);
int curandGenerateUniformDouble(void*, double*, size_t);
int curandGenerateNormal(void*, float*, size_t, float, float);
int curandGenerateNormalDouble(void*, double*, size_t, double, double);
}
