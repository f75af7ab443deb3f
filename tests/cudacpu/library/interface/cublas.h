// The functions of cuBLAS that are emulated; see cuda_runtime.h.
#pragma once

extern "C" {

// Handles
int cublasCreate(void*);
int cublasDestroy(void*);
int cublasGetVersion(void*, int*);
int cublasGetPointerMode(void*, void*);
int cublasSetPointerMode(void*, int);
int cublasSetStream(void*, void*);
int cublasGetStream(void*, void*);
int cublasSetMathMode(void*, int);
int cublasGetMathMode(void*, void*);

// Matrix products
int cublasSgemm(void*, int, int, int, int, int, const float*, const float*, int, const float*, int, const float*,
                float*, int);
int cublasDgemm(void*, int, int, int, int, int, const double*, const double*, int, const double*, int, const double*,
                double*, int);
int cublasSgemmEx(void*, int, int, int, int, int, const float*, const void*, int, int, const void*, int, int,
                  const float*, void*, int, int);
int cublasGemmEx(void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int, const void*,
                 void*, int, int, int, int);
int cublasGemmEx_v11(void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int,
                     const void*, void*, int, int, int, int);
int cublasSgemmBatched(void*, int, int, int, int, int, const float*, const float**, int, const float**, int,
                       const float*, float**, int, int);
int cublasDgemmBatched(void*, int, int, int, int, int, const double*, const double**, int, const double**, int,
                       const double*, double**, int, int);
int cublasGemmStridedBatchedEx(void*, int, int, int, int, int, const void*, const void*, int, int, long long,
                               const void*, int, int, long long, const void*, void*, int, int, long long, int, int,
                               int);
int cublasGemmStridedBatchedEx_v11(void*, int, int, int, int, int, const void*, const void*, int, int, long long,
                                   const void*, int, int, long long, const void*, void*, int, int, long long, int, int,
                                   int);

// Vectors, and sums of matrices
int cublasSdot(void*, int, const float*, int, const float*, int, float*);
int cublasDdot(void*, int, const double*, int, const double*, int, double*);
int cublasSgemv(void*, int, int, int, const float*, const float*, int, const float*, int, const float*, float*, int);
int cublasDgemv(void*, int, int, int, const double*, const double*, int, const double*, int, const double*, double*,
                int);
int cublasSgeam(void*, int, int, int, int, const float*, const float*, int, const float*, const float*, int, float*,
                int);
int cublasDgeam(void*, int, int, int, int, const double*, const double*, int, const double*, const double*, int,
                double*, int);
}
